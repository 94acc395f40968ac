"""Files a user attached: every check, and the reverse."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto_schemes.ciphers import aes, mac
from crypto_schemes.errors import EnvelopeError, OpenError, SchemeError, SealError
from crypto_schemes.json_text import JSONValue
from crypto_schemes.whatsapp_flows import media
from crypto_schemes.whatsapp_flows.media import (
    MediaKeys,
    open_media,
    read_attachments,
    read_keys,
    seal_media,
)
from tests.crypto_schemes.strategies import json_values

ENCRYPTION_KEY, HMAC_KEY, IV = bytes(range(32)), bytes(range(32, 64)), bytes(range(16))


def _file(ciphertext: bytes, plaintext: bytes) -> tuple[bytes, MediaKeys]:
    """Return a file around any cipher text with right digests."""
    file = ciphertext + mac.sha256(HMAC_KEY, IV + ciphertext)[:10]
    digests = (hashlib.sha256(file).digest(), hashlib.sha256(plaintext).digest())
    return file, MediaKeys(digests[0], IV, ENCRYPTION_KEY, HMAC_KEY, digests[1])


def test_a_known_file_opens() -> None:
    # Made with the openssl command: enc -aes-256-cbc, then dgst -sha256 -mac hmac.
    file = bytes.fromhex("40675dd8aded069c476084129c39720c831c113f8eeb8d9592c2")
    digest = hashlib.sha256(file).digest()
    plain_digest = hashlib.sha256(b"a small picture").digest()
    keys = MediaKeys(digest, IV, ENCRYPTION_KEY, HMAC_KEY, plain_digest)
    assert open_media(file, keys) == b"a small picture"


@given(plaintext=st.binary(max_size=500))
@settings(max_examples=40)
def test_sealing_and_opening_is_the_identity(plaintext: bytes) -> None:
    file, keys = seal_media(plaintext)
    assert len(file) == len(plaintext) // 16 * 16 + 26
    assert open_media(file, read_keys(keys.as_json())) == plaintext


@given(data=st.data())
@settings(max_examples=60)
def test_a_changed_byte_fails(data: st.DataObject) -> None:
    file, keys = seal_media(b"a small picture of 30 bytes   ")
    changed = bytearray(file)
    changed[data.draw(st.integers(0, len(file) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(OpenError) as caught:
        open_media(bytes(changed), keys)
    assert caught.value.code == "media_hash"
    # Also when whoever changed it could change the first digest with it.
    forged = dataclasses.replace(keys, encrypted_hash=hashlib.sha256(changed).digest())
    with pytest.raises(OpenError) as caught:
        open_media(bytes(changed), forged)
    assert caught.value.code == "media_mac"


@given(file=st.binary(max_size=100))
@settings(max_examples=40)
def test_no_file_raises_anything_but_the_schemes_errors(file: bytes) -> None:
    _, keys = seal_media(b"x")
    with pytest.raises(OpenError):
        open_media(file, keys)
    with pytest.raises(OpenError):
        open_media(file, dataclasses.replace(keys, encrypted_hash=hashlib.sha256(file).digest()))


def _sealed_with(**changes: bytes) -> tuple[bytes, MediaKeys]:
    plaintext = b"a small picture"
    file, keys = _file(aes.cbc_encrypt(ENCRYPTION_KEY, IV, plaintext), plaintext)
    return file, dataclasses.replace(keys, **changes)


@pytest.mark.parametrize(
    ("case", "code"),
    [
        (_sealed_with(encrypted_hash=bytes(32)), "media_hash"),
        (_sealed_with(hmac_key=bytes(32)), "media_mac"),
        (_sealed_with(iv=bytes(16)), "media_mac"),
        (_sealed_with(encryption_key=bytes(32)), "media_padding"),
        (_sealed_with(plaintext_hash=bytes(32)), "media_plaintext_hash"),
        (_file(b"x" * 17, b""), "media_size"),
        (_file(b"", b""), "media_size"),
        (_file(b"x" * 15, b""), "media_size"),
    ],
)
def test_each_check_has_its_code(case: tuple[bytes, MediaKeys], code: str) -> None:
    with pytest.raises(OpenError) as caught:
        open_media(*case)
    assert caught.value.code == code


def test_nothing_is_decrypted_before_the_hmac_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: Any) -> Any:
        raise AssertionError

    file, keys = _sealed_with(hmac_key=bytes(32))
    monkeypatch.setattr(aes, "cbc_decrypt", forbidden)
    with pytest.raises(OpenError):
        open_media(file, keys)


def test_too_large_a_file_is_neither_opened_nor_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "MAX_FILE", 32)
    file, keys = seal_media(b"x" * 32)
    assert open_media(file, keys) == b"x" * 32
    with pytest.raises(OpenError) as caught:
        open_media(file + b"x", keys)
    assert caught.value.code == "media_size"
    with pytest.raises(SealError):
        seal_media(b"x" * 33)


def test_the_largest_file_opens() -> None:
    plaintext = bytes(25 * 1024 * 1024)
    assert open_media(*seal_media(plaintext)) == plaintext


def test_keys_stay_out_of_repr() -> None:
    _, keys = seal_media(b"x")
    assert repr(keys) == "MediaKeys()"


KEYS = seal_media(b"x")[1].as_json()
ENTRY: dict[str, Any] = {
    "media_id": "790aba14-5f4a-4dbd-b4ac-9c4b0f1b9b9b",
    "cdn_url": "https://cdn.example.net/v/t62?x=1",
    "file_name": "IMG_0001.jpg",
    "encryption_metadata": KEYS,
}


def test_a_media_value_is_read() -> None:
    first, second = read_attachments([ENTRY, ENTRY | {"media_id": 790, "more": 1}])
    assert first.media_id == ENTRY["media_id"]
    assert first.cdn_url == ENTRY["cdn_url"]
    assert first.file_name == "IMG_0001.jpg"
    assert first.keys.as_json() == KEYS
    assert second.media_id == "790"
    assert "cdn.example" not in repr(first)
    assert read_attachments([]) == ()
    assert len(read_attachments([ENTRY] * 30)) == 30


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        "x",
        [None],
        [[]],
        [ENTRY] * 31,
        [ENTRY | {"media_id": ""}],
        [ENTRY | {"media_id": True}],
        [ENTRY | {"media_id": "x" * 4097}],
        [ENTRY | {"cdn_url": "http://cdn.example.net/"}],
        [ENTRY | {"cdn_url": "file:///etc/passwd"}],
        [ENTRY | {"cdn_url": None}],
        [ENTRY | {"file_name": "../../etc/passwd"}],
        [ENTRY | {"file_name": "a\\b"}],
        [ENTRY | {"file_name": "a\x00b"}],
        [ENTRY | {"file_name": ".."}],
        [ENTRY | {"file_name": ""}],
        [ENTRY | {"encryption_metadata": None}],
        [ENTRY | {"encryption_metadata": []}],
        *(
            [ENTRY | {"encryption_metadata": KEYS | {name: bad}}]
            for name in KEYS
            for bad in (None, 1, "", "***", "AAAA", KEYS[name] + "AAAA")
        ),
    ],
)
def test_what_is_not_a_media_value_is_refused(value: Any) -> None:
    with pytest.raises(EnvelopeError) as caught:
        read_attachments(value)
    assert caught.value.code == "bad_media"


@given(value=json_values())
@settings(max_examples=40)
def test_no_value_raises_anything_but_the_schemes_errors(value: JSONValue) -> None:
    for read in (read_attachments, read_keys):
        try:
            read(value)
        except SchemeError as error:
            assert isinstance(error, EnvelopeError)
        else:
            assert value == []
