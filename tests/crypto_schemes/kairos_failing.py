"""Kairos requests that do not open, by name."""

from __future__ import annotations

import base64
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from crypto_schemes.ciphers import rsa
from crypto_schemes.envelope import SealedRequest
from tests.crypto_schemes.kairos_flow import (
    KEY_STRING,
    envelope,
    good_value,
    unpadded_value,
    value_of,
    wrapped,
)

RAW: Final = b'{"hello":"world"}'


def failing_requests(
    key: RSAPrivateKey, other: RSAPrivateKey
) -> dict[str, tuple[SealedRequest, tuple[str, ...]]]:
    """Return requests that do not open, with the codes each may carry."""
    good, block = good_value(RAW), wrapped(key)
    text = base64.b64encode(RAW)
    cut = base64.b64encode(base64.b64decode(block)[:-1]).decode()
    long = base64.b64encode(base64.b64decode(block) + b"\0").decode()
    too_big = base64.b64encode(b"\xff" * 256).decode()
    whole = text + b" " * (-len(text) % 16)
    # What an unpredictable key makes of the cipher text may even end in good padding.
    garbage = ("padding", "inner_base64")
    return {
        "value not base64": (envelope(value=good[:-4] + "!!!!", wrapped=block), ("base64",)),
        "value without padding": (envelope(value=good.rstrip("="), wrapped=block), ("base64",)),
        "value in the URL alphabet": (envelope(value="_-_-" * 8, wrapped=block), ("base64",)),
        "value not ASCII": (envelope(value="é" * 16, wrapped=block), ("base64",)),
        "key not base64": (envelope(value=good, wrapped="%%%%"), ("base64",)),
        "both not base64": (envelope(value="?", wrapped="?"), ("base64",)),
        "key empty": (envelope(value=good, wrapped=""), ("rsa",)),
        "block cut": (envelope(value=good, wrapped=cut), ("rsa",)),
        "block too long": (envelope(value=good, wrapped=long), ("rsa",)),
        "block above the modulus": (envelope(value=good, wrapped=too_big), ("rsa",)),
        "block for another size": (envelope(value=good, wrapped=wrapped(other)), ("rsa",)),
        "block of zeros": (
            envelope(value=good, wrapped="AAAA" * 85 + "AA=="),
            ("rsa", "wrapped_key"),
        ),
        "another padding": (
            envelope(value=good, wrapped=wrapped(key, padding="oaep_sha256")),
            ("rsa", "wrapped_key"),
        ),
        "another key string": (
            envelope(value=good, wrapped=wrapped(key, b"b3RoZXItb25l")),
            garbage,
        ),
        "key string not encoded": (
            envelope(value=good, wrapped=wrapped(key, KEY_STRING.encode())),
            garbage,
        ),
        "key itself wrapped": (
            envelope(value=good, wrapped=wrapped(key, bytes(range(128, 144)))),
            ("wrapped_key",),
        ),
        "value empty": (envelope(value="", wrapped=block), ("cipher_length",)),
        "value cut": (
            envelope(value=base64.b64encode(base64.b64decode(good)[:-1]).decode(), wrapped=block),
            ("cipher_length",),
        ),
        "value extended": (
            envelope(
                value=base64.b64encode(base64.b64decode(good) + b"\0" * 16).decode(), wrapped=block
            ),
            garbage,
        ),
        "padding missing": (envelope(value=unpadded_value(whole), wrapped=block), ("padding",)),
        "padding of zeros": (
            envelope(value=unpadded_value(text + bytes(-len(text) % 16)), wrapped=block),
            ("padding",),
        ),
        "JSON without base64": (envelope(value=value_of(RAW), wrapped=block), ("inner_base64",)),
        "base64 cut inside": (
            envelope(value=value_of(text[:-1]), wrapped=block),
            ("inner_base64",),
        ),
        "nothing inside": (envelope(value=value_of(b""), wrapped=block), ("json",)),
        "bad UTF-8": (envelope(value=good_value(b'{"a":"\xff"}'), wrapped=block), ("json",)),
        "not JSON": (envelope(value=good_value(b"{'a':1}"), wrapped=block), ("json",)),
        "a trailing comma": (envelope(value=good_value(b'{"a":1,}'), wrapped=block), ("json",)),
        "twice the same member": (
            envelope(value=good_value(b'{"a":1,"a":2}'), wrapped=block),
            ("json",),
        ),
        "nested too deep": (
            envelope(value=good_value(b"[" * 65 + b"]" * 65), wrapped=block),
            ("json",),
        ),
        "a huge number": (envelope(value=good_value(b"1e999"), wrapped=block), ("json",)),
        "half a surrogate": (envelope(value=good_value(b'"\\udc00"'), wrapped=block), ("json",)),
    }


def _names() -> tuple[str, ...]:
    key = rsa.generate(2048)
    return tuple(failing_requests(key, key))


#: The names alone; the requests are made for the keys of the test.
CASES: Final = _names()
