"""Old and new keys and secrets at once: all accepted ones open, and the log can name them."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from crypto_schemes.ciphers import rsa
from crypto_schemes.envelope import SealedReply, SealedRequest
from crypto_schemes.errors import KeyUnavailableError, OpenError, SignatureError
from crypto_schemes.keys import Credentials
from crypto_schemes.whatsapp_flows import SCHEME
from crypto_schemes.whatsapp_flows.signatures import sign_body, sign_flow_token
from tests.crypto_schemes.whatsapp_partner import (
    OPTIONS,
    app_secret,
    credentials,
    rsa_version,
    sealed,
)

OLD, NEW = app_secret("the-old-secret-of-the-app", 1), app_secret("the-new-secret-of-the-app", 2)


@pytest.fixture(scope="module")
def new_key() -> RSAPrivateKey:
    return rsa.generate(2048)


def _as_signed_by(request: SealedRequest, secret: Any) -> SealedRequest:
    return SealedRequest(request.body, {"x-hub-signature-256": sign_body(request.body, secret)})


@pytest.mark.parametrize("signer", [OLD, NEW])
def test_both_keys_and_both_secrets_open_during_the_overlap(
    signer: Any, rsa_2048: RSAPrivateKey, new_key: RSAPrivateKey
) -> None:
    owner = credentials(new_key, rsa_2048, secrets=(NEW, OLD))
    for key, version in ((rsa_2048, 1), (new_key, 2)):
        request = _as_signed_by(sealed(key, {"n": version}), signer)
        opened = SCHEME.open_request(request, owner, OPTIONS, now=0)
        assert opened.payload == {"n": version}
        assert opened.opened_by == (signer, rsa_version(key, version))


def test_after_the_overlap_the_old_ones_do_not_open(
    rsa_2048: RSAPrivateKey, new_key: RSAPrivateKey
) -> None:
    owner = credentials(new_key, secrets=(NEW,))
    with pytest.raises(SignatureError):
        SCHEME.open_request(_as_signed_by(sealed(new_key, {}), OLD), owner, OPTIONS, now=0)
    with pytest.raises(OpenError):
        SCHEME.open_request(_as_signed_by(sealed(rsa_2048, {}), NEW), owner, OPTIONS, now=0)


def test_the_client_seals_with_the_newest(rsa_2048: RSAPrivateKey, new_key: RSAPrivateKey) -> None:
    both = credentials(new_key, rsa_2048, secrets=(NEW, OLD))
    sent = SCHEME.seal_request({}, both, OPTIONS, now=0)
    opened = SCHEME.open_request(sent, credentials(new_key, secrets=(NEW,)), OPTIONS, now=0)
    assert [version.version for version in opened.opened_by] == [2, 1]


def test_a_client_with_the_public_half_only(rsa_2048: RSAPrivateKey) -> None:
    partner = Credentials(
        versions={
            "whatsapp_rsa": (rsa_version(rsa_2048.public_key()),),  # type: ignore[arg-type]
            "app_secret": (app_secret(),),
        }
    )
    owner = credentials(rsa_2048)
    sent = SCHEME.seal_request({"action": "ping"}, partner, OPTIONS, now=0)
    opened = SCHEME.open_request(sent, owner, OPTIONS, now=0)
    reply = SCHEME.seal_reply({"data": {"status": "active"}}, opened, owner, OPTIONS, now=0)
    value = SCHEME.open_reply(reply, sent, partner, OPTIONS, now=0)
    assert value == {"data": {"status": "active"}}


def test_a_staged_key_does_not_seal(rsa_2048: RSAPrivateKey) -> None:
    staged = Credentials(versions=credentials(rsa_2048).versions, sealing=frozenset({"app_secret"}))
    with pytest.raises(KeyUnavailableError):
        SCHEME.seal_request({}, staged, OPTIONS, now=0)


TOKEN = "ft-0001"


@pytest.mark.parametrize("voucher", [OLD, NEW])
def test_a_flow_token_signed_by_either_secret_passes(voucher: Any, rsa_2048: RSAPrivateKey) -> None:
    owner = credentials(rsa_2048, secrets=(NEW, OLD))
    payload = {
        "version": "4.0",
        "action": "INIT",
        "flow_token": TOKEN,
        "flow_token_signature": sign_flow_token(TOKEN, voucher),
    }
    request = _as_signed_by(sealed(rsa_2048, payload), NEW)
    opened = SCHEME.open_request(request, owner, OPTIONS, now=0)
    named = [(version.purpose, version.version) for version in opened.opened_by]
    own = [("app_secret", 2), ("whatsapp_rsa", 1)]
    assert named == (own if voucher is NEW else [*own, ("app_secret", 1)])


@pytest.mark.parametrize(
    "changes",
    [
        {"flow_token": "ft-0002"},
        {"flow_token": None},
        {"flow_token": 1},
        {"flow_token_signature": sign_flow_token(TOKEN, app_secret("some-other-secret"))},
        {"flow_token_signature": ""},
        {"flow_token_signature": 1},
        {"flow_token_signature": {}},
        {"flow_token_signature": sign_flow_token(TOKEN, NEW) + "A"},
        {"action": "ping", "flow_token_signature": "a.b.c"},
    ],
)
def test_a_wrong_flow_token_signature_is_refused(
    changes: dict[str, Any], rsa_2048: RSAPrivateKey
) -> None:
    owner = credentials(rsa_2048, secrets=(NEW, OLD))
    payload = {
        "version": "4.0",
        "action": "INIT",
        "flow_token": TOKEN,
        "flow_token_signature": sign_flow_token(TOKEN, NEW),
    } | changes
    request = _as_signed_by(sealed(rsa_2048, payload), NEW)
    with pytest.raises(SignatureError) as caught:
        SCHEME.open_request(request, owner, OPTIONS, now=0)
    assert caught.value.code == "bad_token_signature"


REQUIRED = OPTIONS.model_copy(update={"require_token_signature": True})


@pytest.mark.parametrize(
    "payload",
    [
        {"version": "4.0", "action": "INIT", "flow_token": TOKEN},
        {"version": "3.0", "action": "data_exchange", "data": {"error": "a form's own field"}},
        {"action": "data_exchange", "flow_token_signature": None},
        [],
        None,
    ],
)
def test_a_missing_flow_token_signature_is_refused_where_required(
    payload: Any, rsa_2048: RSAPrivateKey
) -> None:
    owner = credentials(rsa_2048)
    request = sealed(rsa_2048, payload)
    assert SCHEME.open_request(request, owner, OPTIONS, now=0).payload == payload
    with pytest.raises(SignatureError) as caught:
        SCHEME.open_request(request, owner, REQUIRED, now=0)
    assert caught.value.code == "token_signature_missing"


@pytest.mark.parametrize(
    "payload",
    [
        {"version": "3.0", "action": "ping"},
        {"action": "data_exchange", "data": {"error": "x", "error_message": "y"}},
        {"action": "navigate", "data": {"error_key": "payload-schema-error"}},
    ],
)
def test_pings_and_error_notifications_never_need_one(
    payload: Any, rsa_2048: RSAPrivateKey
) -> None:
    opened = SCHEME.open_request(sealed(rsa_2048, payload), credentials(rsa_2048), REQUIRED, now=0)
    assert opened.payload == payload


@pytest.mark.parametrize("form", ["sealed", "plain"])
def test_the_invalid_token_message_travels_as_the_option_says(
    form: str, rsa_2048: RSAPrivateKey
) -> None:
    owner = credentials(rsa_2048)
    options = OPTIONS.model_copy(update={"error_427_body": form})
    sent = SCHEME.seal_request({}, owner, options, now=0)
    opened = SCHEME.open_request(sent, owner, options, now=0)
    reply = SCHEME.seal_token_error("This form is closed.", opened, owner, options, now=0)
    expected = {"error_msg": "This form is closed."}
    assert SCHEME.open_reply(reply, sent, owner, options, now=0) == expected
    if form == "plain":
        assert reply.body == b'{"error_msg":"This form is closed."}'
        assert reply.content_type == "application/json"
        # A client that expects sealed messages does not take a plain one.
        with pytest.raises(OpenError):
            SCHEME.open_reply(reply, sent, owner, OPTIONS, now=0)
    else:
        assert reply.content_type == "text/plain"


def test_a_plain_reply_is_nothing_but_an_error_message(rsa_2048: RSAPrivateKey) -> None:
    owner = credentials(rsa_2048)
    options = OPTIONS.model_copy(update={"error_427_body": "plain"})
    sent = SCHEME.seal_request({}, owner, options, now=0)
    for body in (b'{"screen":"A","data":{}}', b'{"error_msg":1}', b"[]", b"{"):
        with pytest.raises(OpenError):
            SCHEME.open_reply(SealedReply(body, "application/json"), sent, owner, options, now=0)
