"""HMAC-SHA-256 as RFC 4231 has it, by both ways to ask for it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto_schemes.ciphers import mac

#: RFC 4231, sections 4.3, 4.4 and 4.7.
VECTORS = [
    (
        b"Jefe",
        b"what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    ),
    (
        b"\xaa" * 20,
        b"\xdd" * 50,
        "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
    ),
    (
        b"\xaa" * 131,
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ),
]


@pytest.mark.parametrize(("key", "data", "digest"), VECTORS)
def test_the_vectors_of_the_standard(key: bytes, data: bytes, digest: str) -> None:
    assert mac.sha256(key, data).hex() == digest
    assert mac.under(key)(data).hex() == digest


@given(key=st.binary(max_size=200), texts=st.lists(st.binary(max_size=300), max_size=5))
def test_a_key_made_ready_says_the_same_each_time(key: bytes, texts: list[bytes]) -> None:
    ready = mac.under(key)
    assert [ready(text) for text in texts] == [mac.sha256(key, text) for text in texts]


def test_threads_share_a_key_made_ready() -> None:
    ready = mac.under(b"key")
    texts = [str(number).encode() for number in range(2000)]
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(ready, texts)) == [mac.sha256(b"key", text) for text in texts]
