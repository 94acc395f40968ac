"""What is sealed at rest opens in its own place under its own master key, and nowhere else."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenants import at_rest
from tenants.at_rest import AtRestError
from tenants.keyring import keyring
from tenants.lifecycle import IssuedFlow
from tenants.master_keys import MasterKeys
from tenants.models import Key

Make = Callable[..., IssuedFlow]
PLACE = "tenants.key|flow-a|isu_aes|1"
SECRET = bytes(range(32))


def master_keys(*versions: int) -> MasterKeys:
    """Return random master keys of these versions."""
    entries = (f"{n}:{base64.b64encode(secrets.token_bytes(32)).decode()}" for n in versions)
    return MasterKeys.parse(",".join(entries))


def refusal(blob: bytes, place: str = PLACE) -> AtRestError:
    """Return the error with which ``blob`` does not open; it says nothing of the blob."""
    with pytest.raises(AtRestError) as caught:
        at_rest.open_sealed(blob, place)
    text = str(caught.value)
    assert caught.value.__cause__ is None
    assert len(blob) < 4 or blob.hex() not in text
    assert SECRET.hex() not in text
    return caught.value


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=5000), st.text(alphabet=st.characters(codec="utf-8"), max_size=60))
def test_what_was_sealed_opens_in_its_place(plaintext: bytes, place: str) -> None:
    blob = at_rest.seal(plaintext, place)
    assert at_rest.open_sealed(blob, place) == plaintext
    assert at_rest.open_sealed(memoryview(blob), place) == plaintext
    assert len(blob) == len(plaintext) + 91
    assert len(plaintext) < 4 or plaintext not in blob


def test_the_same_secret_is_never_sealed_alike() -> None:
    blobs = [at_rest.seal(SECRET, PLACE) for _ in range(20)]
    for part in (slice(3, 15), slice(15, 63), slice(63, 75), slice(75, None)):
        assert len({blob[part] for blob in blobs}) == 20


@pytest.mark.parametrize(
    "place",
    [
        "tenants.key|flow-b|isu_aes|1",
        "tenants.key|flow-a|isu_payload_aes|1",
        "tenants.key|flow-a|isu_aes|2",
        "tenants.key|flow-a|isu_aes|11",
        "callbacks.delivery|flow-a",
        "",
    ],
)
def test_a_blob_copied_elsewhere_does_not_open(place: str) -> None:
    assert refusal(at_rest.seal(SECRET, PLACE), place).code == "not_authentic"


def test_any_flipped_bit_is_noticed() -> None:
    blob = at_rest.seal(SECRET, PLACE)
    for offset in range(len(blob)):
        for bit in (0x01, 0x80):
            changed = bytearray(blob)
            changed[offset] ^= bit
            expected = {0: "unknown_format", 1: "unknown_master_key", 2: "unknown_master_key"}
            assert refusal(bytes(changed)).code == expected.get(offset, "not_authentic")


def test_a_cut_or_longer_blob_does_not_open() -> None:
    blob = at_rest.seal(SECRET, PLACE)
    for length in range(len(blob)):
        shortest = 91
        expected = "unknown_format" if length < shortest else "not_authentic"
        assert refusal(blob[:length]).code == expected
    assert refusal(blob + b"\x00").code == "not_authentic"


def test_parts_of_two_blobs_do_not_make_one() -> None:
    one, other = at_rest.seal(SECRET, PLACE), at_rest.seal(SECRET[::-1], PLACE)
    assert refusal(one[:63] + other[63:]).code == "not_authentic"
    assert refusal(one[:75] + other[75:]).code == "not_authentic"


def test_another_master_key_of_the_same_version_does_not_open_it(settings: Any) -> None:
    blob = at_rest.seal(SECRET, PLACE)
    settings.MASTER_KEYS = master_keys(1)
    refused = refusal(blob)
    assert refused.code == "not_authentic"
    assert "Most likely SEALGATE_MASTER_KEYS holds another key as version 1" in refused.what


def test_what_was_changed_under_the_right_master_key_is_said_to_be_changed() -> None:
    blob = bytearray(at_rest.seal(SECRET, PLACE))
    blob[-1] ^= 1
    refused = refusal(bytes(blob))
    assert refused.what.startswith("The stored secret was changed: the master key is right")


def test_a_missing_master_key_is_named_by_its_version(settings: Any) -> None:
    settings.MASTER_KEYS = master_keys(300)
    blob = at_rest.seal(SECRET, PLACE)
    settings.MASTER_KEYS = master_keys(1, 2)
    error = refusal(blob)
    assert error.code == "unknown_master_key"
    assert "version 300" in str(error)
    assert "SEALGATE_MASTER_KEYS" in str(error)


def test_the_highest_version_seals_and_every_listed_one_opens(settings: Any) -> None:
    settings.MASTER_KEYS = master_keys(1)
    old = at_rest.seal(SECRET, PLACE)
    one = settings.MASTER_KEYS.by_version[1]
    settings.MASTER_KEYS = MasterKeys({1: one, 65535: secrets.token_bytes(32)})
    new = at_rest.seal(SECRET, PLACE)
    assert (at_rest.master_version(old), at_rest.master_version(new)) == (1, 65535)
    assert at_rest.open_sealed(old, PLACE) == at_rest.open_sealed(new, PLACE) == SECRET


@pytest.mark.parametrize("blob", [b"", b"\x00", b"\x01", b"\x02" + bytes(200), b"secret" * 40])
def test_what_was_never_sealed_is_not_of_the_form(blob: bytes) -> None:
    assert refusal(blob).code == "unknown_format"


@pytest.mark.django_db
def test_a_key_copied_to_another_row_serves_nobody(make_flow: Make) -> None:
    ours, theirs = make_flow("citcall").flow, make_flow("citcall").flow
    source, target = ours.keys.get(purpose="api_key"), theirs.keys.get(purpose="api_key")
    Key.objects.filter(pk=target.pk).update(material=source.material)
    with pytest.raises(AtRestError) as caught:
        keyring.by_wire_id("citcall", theirs.address)
    assert caught.value.code == "not_authentic"
    assert keyring.by_wire_id("citcall", ours.address) is not None


@pytest.mark.django_db
def test_a_flipped_byte_in_a_row_serves_nobody(make_flow: Make) -> None:
    flow = make_flow("citcall").flow
    key = flow.keys.get(purpose="api_key")
    changed = bytearray(key.material)
    changed[-1] ^= 1
    Key.objects.filter(pk=key.pk).update(material=bytes(changed))
    with pytest.raises(AtRestError) as caught:
        keyring.by_wire_id("citcall", flow.address)
    assert caught.value.code == "not_authentic"


@pytest.mark.django_db
def test_another_master_key_opens_no_flow(make_flow: Make, settings: Any) -> None:
    flow = make_flow("citcall").flow
    settings.MASTER_KEYS = master_keys(1)
    keyring.forget()
    with pytest.raises(AtRestError) as caught:
        keyring.by_wire_id("citcall", flow.address)
    assert caught.value.code == "not_authentic"
