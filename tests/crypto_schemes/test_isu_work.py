"""No oracle: whatever fails to open does the same work first."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from typing import Any

import pytest

from crypto_schemes import json_text
from crypto_schemes.ciphers import aes, mac
from crypto_schemes.errors import (
    OpenError,
)
from crypto_schemes.isu import SCHEME
from tests.crypto_schemes import isu_flow as flow

LONG = flow.HEADER_TEXT[:-1] + b',"extra":"%s"}' % (b"x" * 400)
PATHS = {
    "base64": "!" + flow.value(LONG)[1:],
    "length": base64.b64encode(base64.b64decode(flow.value(LONG))[:-1]).decode(),
    "padding": flow.bent_last_byte(flow.value(LONG)),
    "wrong key": flow.value(LONG, flow.OTHER_KEY),
    "json": flow.value(LONG[:-1]),
    "members": flow.value(LONG.replace(b"epoch", b"other")),
    "credentials": flow.value(LONG.replace(b"demo-secret", b"demo-secreT")),
}


def test_every_failure_of_the_header_makes_the_same_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def counted(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **more: Any) -> Any:
            calls.append(name)
            return real(*args, **more)

        return call

    monkeypatch.setattr(aes, "cbc_decrypt", counted("decrypt", aes.cbc_decrypt))
    monkeypatch.setattr(json_text, "parse", counted("parse", json_text.parse))
    monkeypatch.setattr(mac, "equal", counted("equal", mac.equal))
    newer = flow.version("isu_aes", flow.PAYLOAD_KEY, 2)
    keys = flow.credentials(aes_keys=(newer, flow.AES))
    made = {}
    for name, value in PATHS.items():
        calls.clear()
        with pytest.raises(OpenError):
            SCHEME.open_request(flow.request(value), keys, flow.OPTIONS, now=flow.NOW)
        made[name] = tuple(calls)
    # pass_key first; then, for each of the two keys: decrypt, parse, id, secret.
    assert set(made.values()) == {("equal", *("decrypt", "parse", "equal", "equal") * 2)}


def test_every_failure_of_the_body_makes_the_same_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    real = aes.cbc_decrypt

    def counted(key: bytes, iv: bytes, ciphertext: bytes) -> tuple[bool, bytes]:
        calls.append(len(ciphertext))
        return real(key, iv, ciphertext)

    monkeypatch.setattr(aes, "cbc_decrypt", counted)
    made = {}
    for name in ("base64", "length", "padding", "wrong key", "json"):
        calls.clear()
        with pytest.raises(OpenError):
            flow.opens(flow.request(data=PATHS[name]))
        made[name] = calls[1:]
    assert {len(sizes) for sizes in made.values()} == {1}
    sizes = [sizes[0] for sizes in made.values()]
    assert max(sizes) - min(sizes) <= 32


def test_a_wrong_key_takes_about_as_long_as_a_wrong_padding() -> None:
    def fastest(value: str) -> float:
        best = float("inf")
        for _ in range(60):
            started = time.thread_time()
            with pytest.raises(OpenError):
                flow.opens(flow.request(value))
            best = min(best, time.thread_time() - started)
        return best

    text = flow.HEADER_TEXT[:-1] + b',"extra":"%s"}' % (b"x" * 4000)
    wrong_key = fastest(flow.value(text, flow.OTHER_KEY))
    wrong_padding = fastest(flow.bent_last_byte(flow.value(text)))
    assert 1 / 8 < wrong_key / wrong_padding < 8
