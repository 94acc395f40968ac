"""The cryptography alone: how often one core does each operation with keys parsed beforehand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from crypto_schemes.ciphers import aes, mac, rsa
from script.benchmark.machine import Cores, pin

OAEP_2048: Final = "RSA-2048 OAEP-SHA-256"
PKCS1_2048: Final = "RSA-2048 PKCS#1 v1.5"
PKCS1_4096: Final = "RSA-4096 PKCS#1 v1.5"
GCM: Final = "AES-128-GCM, 1 KB"
CBC: Final = "AES-256-CBC, 1 KB"
HMAC: Final = "HMAC-SHA-256, 1 KB"


def rates(seconds: float, cores: Cores) -> dict[str, float]:
    """Return operations a second of processor time, of a process on the server's core."""
    process = subprocess.Popen(
        [sys.executable, "-m", "script.benchmark.primitives", str(seconds)],
        stdout=subprocess.PIPE,
        text=True,
    )
    pin([process.pid], cores.server)
    output, _ = process.communicate()
    measured: dict[str, float] = json.loads(output)
    return measured


def _operations() -> Mapping[str, Callable[[], object]]:
    small, large = rsa.generate(2048), rsa.generate(4096)

    def decrypting(key: RSAPrivateKey, padding: str) -> Callable[[], object]:
        block = rsa.encrypt(key.public_key(), os.urandom(16), padding)
        return lambda: rsa.decrypt(key, block, padding)

    key, iv, data = os.urandom(16), os.urandom(16), os.urandom(1024)
    sealed = aes.gcm_encrypt(key, iv, data)
    chained = aes.cbc_encrypt(key + key, iv, data)
    return {
        OAEP_2048: decrypting(small, "oaep_sha256"),
        PKCS1_2048: decrypting(small, "pkcs1v15"),
        PKCS1_4096: decrypting(large, "pkcs1v15"),
        GCM: lambda: aes.gcm_decrypt(key, iv, sealed),
        CBC: lambda: aes.cbc_decrypt(key + key, iv, chained),
        HMAC: lambda: mac.sha256(key, data),
    }


def _rate(operation: Callable[[], object], seconds: float) -> float:
    until = time.perf_counter() + seconds
    spent, count = time.process_time(), 0
    while time.perf_counter() < until:
        for _ in range(20):
            operation()
        count += 20
    return count / (time.process_time() - spent)


if __name__ == "__main__":
    wanted = float(sys.argv[1])
    print(json.dumps({name: _rate(operation, wanted) for name, operation in _operations().items()}))
