"""No oracle: whatever fails to open does the same work first."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from crypto_schemes import base64_text, json_text
from crypto_schemes.ciphers import aes, rsa
from crypto_schemes.envelope import SealedRequest
from crypto_schemes.errors import OpenError
from crypto_schemes.kairos import SCHEME, KairosOptions
from tests.crypto_schemes.kairos_failing import CASES, failing_requests
from tests.crypto_schemes.kairos_flow import (
    NOW,
    OPTIONS,
    envelope,
    good_value,
    server,
    value_of,
    wrapped,
)


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count what is done: RSA private operations, AES passes, decodings, parses inside."""
    done: Counter[str] = Counter()

    def counted(module: Any, name: str, label: str) -> None:
        real: Callable[..., Any] = getattr(module, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            done[label] += 1
            return real(*args, **kwargs)

        monkeypatch.setattr(module, name, call)

    counted(rsa, "decrypt", "rsa")
    counted(aes, "ecb_decrypt", "aes")
    counted(json_text, "parse", "json")
    return done


def refuse(request: SealedRequest, *keys: RSAPrivateKey, options: KairosOptions = OPTIONS) -> None:
    with pytest.raises(OpenError):
        SCHEME.open_request(request, server(*keys), options, now=NOW)


@pytest.mark.parametrize("case", CASES)
def test_every_failure_does_every_step(
    case: str, work: Counter[str], rsa_2048: RSAPrivateKey, rsa_4096: RSAPrivateKey
) -> None:
    request, _ = failing_requests(rsa_2048, rsa_4096)[case]
    work.clear()
    refuse(request, rsa_2048)
    assert work == {"rsa": 1, "aes": 1, "json": 2}  # one parse is the envelope's


def test_every_accepted_version_is_tried(
    work: Counter[str], rsa_2048: RSAPrivateKey, rsa_4096: RSAPrivateKey
) -> None:
    for case, (request, _) in failing_requests(rsa_2048, rsa_4096).items():
        if case == "block for another size":  # opens with the second version
            continue
        work.clear()
        refuse(request, rsa_2048, rsa_4096)
        assert work == {"rsa": 2, "aes": 2, "json": 3}, case


def test_the_rsa_operation_really_happens(
    monkeypatch: pytest.MonkeyPatch, rsa_2048: RSAPrivateKey, rsa_4096: RSAPrivateKey
) -> None:
    """A block that RSA refuses at the door (length, range) must not be handed to it."""
    seen: list[bytes] = []
    real = rsa.decrypt

    def decrypt(key: RSAPrivateKey, block: bytes, padding: str) -> bytes:
        seen.append(block)
        return real(key, block, padding)

    monkeypatch.setattr(rsa, "decrypt", decrypt)
    for request, _ in failing_requests(rsa_2048, rsa_4096).values():
        refuse(request, rsa_2048)
    assert all(rsa.block_in_range(rsa.modulus(rsa_2048), block) for block in seen)


@pytest.mark.parametrize("step", ["inner base64", "JSON"])
def test_a_text_that_is_no_base64_is_still_decoded_and_parsed(
    step: str, monkeypatch: pytest.MonkeyPatch, rsa_2048: RSAPrivateKey
) -> None:
    parsed: list[int] = []
    decoded: list[int] = []
    real_parse, real_decode = json_text.parse, base64_text._decode

    def parse(raw: bytes) -> Any:
        parsed.append(len(raw))
        return real_parse(raw)

    def decode(data: bytes) -> bytes:
        decoded.append(len(data))
        return real_decode(data)

    monkeypatch.setattr(json_text, "parse", parse)
    monkeypatch.setattr(base64_text, "_decode", decode)
    value = value_of(b"!" * 4096) if step == "inner base64" else good_value(b"!" * 3072)
    refuse(envelope(value=value, wrapped=wrapped(rsa_2048)), rsa_2048)
    assert len(decoded) == 4  # the two outer members, the text of the key, what was inside
    assert decoded[-1] == pytest.approx(4096, abs=4)
    assert parsed[-1] == pytest.approx(3072, abs=4)


def test_wrong_key_and_wrong_padding_take_about_as_long(
    rsa_2048: RSAPrivateKey, rsa_4096: RSAPrivateKey
) -> None:
    """Coarse on purpose: the medians may differ by a factor of two before this fails."""
    cases = failing_requests(rsa_2048, rsa_4096)
    names = ("another key string", "padding missing", "block above the modulus", "not JSON")
    timings: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(25):
        for name in names:
            start = time.thread_time()
            refuse(cases[name][0], rsa_2048)
            timings[name].append(time.thread_time() - start)
    medians = [statistics.median(timings[name]) for name in names]
    assert max(medians) < 2 * min(medians)
