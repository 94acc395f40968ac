"""A secret made elsewhere is checked in full before it is taken."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from crypto_schemes.errors import KeyMaterialError
from tenants import at_rest, lifecycle
from tenants.actors import Actor
from tenants.lifecycle import IssuedFlow, LifecycleError
from tenants.models import AuditEntry, Key, KeyringEpoch
from tests.support import key_life
from tests.support.test_keys import committed_rsa_key

pytestmark = pytest.mark.django_db
Make = Callable[..., IssuedFlow]
TOKEN = b"0123456789abcdef0123456789abcdef"


def der(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def pem(key: rsa.RSAPrivateKey, passphrase: bytes | None = None) -> str:
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        encryption = serialization.BestAvailableEncryption(passphrase)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    ).decode()


def everything() -> tuple[object, ...]:
    return (
        list(Key.objects.values().order_by("pk")),
        AuditEntry.objects.count(),
        KeyringEpoch.objects.get().value,
    )


@pytest.fixture(scope="module")
def fresh_pair() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def test_an_imported_version_is_staged_beside_an_active_one(make_flow: Make, actor: Actor) -> None:
    flow = make_flow("citcall").flow
    key = lifecycle.import_key(actor, flow, "api_key", TOKEN)
    assert (key.version, key.state) == (2, "staged")
    assert at_rest.open_sealed(key.material, key.at_rest_context) == TOKEN
    entry = AuditEntry.objects.latest("pk")
    assert (entry.verb, entry.key) == ("key.import", key)
    assert TOKEN.decode() not in repr(entry.after)


def test_an_imported_version_is_active_where_there_is_none(make_flow: Make, actor: Actor) -> None:
    flow = make_flow("whatsapp_flows").flow
    key = lifecycle.import_text(actor, flow, "access_token", "EAAGm0PX4ZCpsBA-token\r\n")
    assert (key.version, key.state) == (1, "active")
    assert at_rest.open_sealed(key.material, key.at_rest_context) == b"EAAGm0PX4ZCpsBA-token"


def test_a_pair_from_pem_with_and_without_passphrase(
    make_flow: Make, actor: Actor, fresh_pair: rsa.RSAPrivateKey
) -> None:
    flow = make_flow("whatsapp_flows").flow
    text = pem(fresh_pair, b"open sesame")
    key = lifecycle.import_text(actor, flow, "whatsapp_rsa", text, passphrase="open sesame")
    assert at_rest.open_sealed(key.material, key.at_rest_context) == der(fresh_pair)
    with pytest.raises(KeyMaterialError, match="passphrase"):
        lifecycle.import_text(actor, flow, "whatsapp_rsa", text)


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("base64", "ABEiM0RVZneImaq7zN3u/wEjRWeJq83v/ty6mHZUMhA="),
        ("hex", "00112233445566778899aabbccddeeff0123456789abcdeffedcba9876543210"),
        ("utf8", "sixteen letters, and sixteen too"),
    ],
)
def test_an_aes_key_as_the_options_write_it(
    make_flow: Make, actor: Actor, encoding: str, text: str
) -> None:
    flow = make_flow("isu", options={"key_encoding": encoding}).flow
    key = lifecycle.import_text(actor, flow, "isu_payload_aes", f" {text}\n")
    opened = at_rest.open_sealed(key.material, key.at_rest_context)
    assert (
        flow.contract.material_to_text(
            flow.contract.purpose("isu_payload_aes"),
            opened,
            flow.contract.options_type.from_mapping(flow.options),
        )
        == text
    )


@pytest.mark.parametrize("encoding", ["base64", "hex", "utf8"])
def test_a_generated_aes_key_is_handed_over_as_the_options_write_it(
    make_flow: Make, actor: Actor, encoding: str
) -> None:
    issued = make_flow("isu", options={"key_encoding": encoding})
    again = lifecycle.generate_key(actor, issued.flow, "isu_aes")
    length = {"base64": 44, "hex": 64, "utf8": 32}[encoding]
    assert len(again.secret) == length
    written = next(item.secret for item in issued.keys if item.key.purpose == "isu_aes")
    assert len(written) == length
    # The bundle's member says base64 in its name.
    assert len(issued.credentials["aes_key_base64"]) == 44


def test_malformed_or_weak_material_is_refused(make_flow: Make, actor: Actor) -> None:
    whatsapp = make_flow("whatsapp_flows").flow
    citcall = make_flow("citcall").flow
    isu = make_flow("isu").flow
    short = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    small = rsa.generate_private_key(public_exponent=3, key_size=2048)
    cases = [
        (whatsapp, "whatsapp_rsa", b"", "cannot be read"),
        (whatsapp, "whatsapp_rsa", b"\x30\x00", "cannot be read"),
        (whatsapp, "whatsapp_rsa", der(committed_rsa_key(4096)), "2048 bits"),
        (whatsapp, "whatsapp_rsa", der(short), "2048 bits"),
        (whatsapp, "whatsapp_rsa", der(small), "exponent"),
        (whatsapp, "whatsapp_rsa", der(ec.generate_private_key(ec.SECP256R1())), "not an RSA"),
        (whatsapp, "app_secret", b"short", "expected form"),
        (whatsapp, "app_secret", b"with blank inside", "expected form"),
        (whatsapp, "app_secret", "schlüssel-text".encode(), "ASCII"),
        (whatsapp, "app_secret", b"aaaaaaaaaaaaaaaa", "repeats"),
        (citcall, "api_key", TOKEN + b"\n", "expected form"),
        (citcall, "api_key", b"0" * 32, "repeats"),
        (isu, "isu_payload_aes", b"x" * 31, "32 bytes"),
        (isu, "isu_payload_aes", b"ab" * 16, "repeats"),
    ]
    before = everything()
    for flow, purpose, material, why in cases:
        with pytest.raises(KeyMaterialError, match=why) as caught:
            lifecycle.import_key(actor, flow, purpose, material)
        assert not material or material.hex() not in str(caught.value)
        assert everything() == before


def test_a_pair_whose_numbers_do_not_fit_is_refused(
    make_flow: Make, actor: Actor, fresh_pair: rsa.RSAPrivateKey
) -> None:
    flow = make_flow("whatsapp_flows").flow
    before = everything()
    broken = bytearray(der(fresh_pair))
    broken[-40] ^= 1
    with pytest.raises(KeyMaterialError):
        lifecycle.import_key(actor, flow, "whatsapp_rsa", bytes(broken))
    assert everything() == before


@pytest.mark.parametrize("state", ["active", "revoked", "destroyed"])
def test_a_secret_that_was_a_version_does_not_come_back(
    make_flow: Make, actor: Actor, state: str
) -> None:
    issued = make_flow("whatsapp_flows")
    key = issued.flow.keys.get(purpose="app_secret")
    if state != "active":
        lifecycle.revoke_key(actor, key, reason="leaked")
    if state == "destroyed":
        key_life.destroyed(actor, key)
    before = everything()
    secret = issued.credentials["app_secret"].encode()
    with pytest.raises(LifecycleError, match=f"App secret version 1 of this flow already .{state}"):
        lifecycle.import_key(actor, issued.flow, "app_secret", secret)
    assert everything() == before


def test_a_locating_secret_of_another_flow_is_refused(make_flow: Make, actor: Actor) -> None:
    theirs, ours = make_flow("citcall"), make_flow("citcall")
    before = everything()
    with pytest.raises(KeyMaterialError, match="in use by another flow") as caught:
        lifecycle.import_key(actor, ours.flow, "api_key", theirs.credentials["api_key"].encode())
    assert theirs.credentials["api_key"] not in str(caught.value)
    assert everything() == before


def test_a_secret_that_does_not_locate_may_be_shared(make_flow: Make, actor: Actor) -> None:
    theirs, ours = make_flow("whatsapp_flows"), make_flow("whatsapp_flows")
    secret = theirs.credentials["app_secret"].encode()
    assert lifecycle.import_key(actor, ours.flow, "app_secret", secret).state == "staged"
