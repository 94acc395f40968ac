"""Several versions of a secret at once: all listed open, the one that opened answers."""

from __future__ import annotations

import pytest

from crypto_schemes.envelope import SealedRequest
from crypto_schemes.errors import OpenError, SchemeError
from crypto_schemes.isu import SCHEME
from crypto_schemes.keys import Credentials, KeyVersion
from tests.crypto_schemes import isu_flow as flow

NEW_AES = flow.version("isu_aes", flow.OTHER_KEY, 2)
NEW_PASS = flow.version("pass_key", "demo-pass-key-2", 2)
NEW_SECRET = flow.version("client_secret", "demo-secret-2", 2)
NEW_PAYLOAD = flow.version("isu_payload_aes", bytes(range(96, 128)), 2)
ALL = frozenset({"pass_key", "client_secret", "isu_aes", "isu_payload_aes"})

BOTH = flow.credentials(
    pass_keys=(NEW_PASS, flow.PASS),
    client_secrets=(NEW_SECRET, flow.SECRET),
    aes_keys=(NEW_AES, flow.AES),
)
NEW = flow.credentials(pass_keys=(NEW_PASS,), client_secrets=(NEW_SECRET,), aes_keys=(NEW_AES,))


@pytest.mark.parametrize("pass_key", [flow.PASS, NEW_PASS])
@pytest.mark.parametrize("secret", [flow.SECRET, NEW_SECRET])
@pytest.mark.parametrize("key", [flow.AES, NEW_AES])
def test_each_accepted_version_opens_and_is_named(
    pass_key: KeyVersion, secret: KeyVersion, key: KeyVersion
) -> None:
    partner = flow.credentials(pass_keys=(pass_key,), client_secrets=(secret,), aes_keys=(key,))
    sent = SCHEME.seal_request({"n": 1}, partner, flow.OPTIONS, now=flow.NOW)
    opened = SCHEME.open_request(sent, BOTH, flow.OPTIONS, now=flow.NOW)
    assert opened.opened_by == (pass_key, key, secret)
    # A partner who still has the old key must be able to read the answer.
    reply = SCHEME.seal_reply({"n": 2}, opened, BOTH, flow.OPTIONS, now=flow.NOW)
    assert SCHEME.open_reply(reply, sent, partner, flow.OPTIONS, now=flow.NOW) == {"n": 2}


@pytest.mark.parametrize(
    "dropped",
    [
        flow.credentials(pass_keys=(NEW_PASS,)),
        flow.credentials(client_secrets=(NEW_SECRET,)),
        flow.credentials(aes_keys=(NEW_AES,)),
    ],
    ids=["pass_key", "client_secret", "isu_aes"],
)
def test_a_version_no_longer_accepted_opens_nothing(dropped: Credentials) -> None:
    sent = SCHEME.seal_request({}, flow.FLOW, flow.OPTIONS, now=flow.NOW)
    with pytest.raises(SchemeError):
        SCHEME.open_request(sent, dropped, flow.OPTIONS, now=flow.NOW)


def test_header_and_body_are_sealed_under_one_version_where_one_key_serves_both() -> None:
    old = SCHEME.seal_request({"n": 1}, flow.FLOW, flow.OPTIONS, now=flow.NOW)
    new = SCHEME.seal_request({"n": 1}, NEW, flow.OPTIONS, now=flow.NOW)
    with pytest.raises(OpenError) as caught:
        SCHEME.open_request(SealedRequest(new.body, old.headers), BOTH, flow.OPTIONS, now=flow.NOW)
    assert caught.value.code in ("data_padding", "data_json")


def test_a_callback_goes_out_under_the_active_versions() -> None:
    sent = SCHEME.seal_callback({"n": 1}, BOTH, flow.OPTIONS, now=flow.NOW)
    assert sent.headers["pass_key"] == "demo-pass-key-2"
    opened = SCHEME.open_callback(sent.body, sent.headers, NEW, flow.OPTIONS, now=flow.NOW)
    assert opened == {"n": 1}


def test_a_payload_key_serves_bodies_alone() -> None:
    keys = flow.credentials(payload_keys=(flow.PAYLOAD,), sealing=ALL)
    sent = SCHEME.seal_request({"n": 1}, keys, flow.OPTIONS, now=flow.NOW)
    opened = SCHEME.open_request(sent, keys, flow.OPTIONS, now=flow.NOW)
    assert opened.opened_by == (flow.PASS, flow.AES, flow.SECRET, flow.PAYLOAD)
    under_header_key = SCHEME.seal_request({"n": 1}, flow.FLOW, flow.OPTIONS, now=flow.NOW)
    with pytest.raises(OpenError):
        SCHEME.open_request(under_header_key, keys, flow.OPTIONS, now=flow.NOW)


def test_a_staged_payload_key_opens_beside_the_header_key_and_seals_nothing() -> None:
    staged = flow.credentials(
        payload_keys=(flow.PAYLOAD,), sealing=ALL - frozenset({"isu_payload_aes"})
    )
    partner_with = flow.credentials(payload_keys=(flow.PAYLOAD,), sealing=ALL)
    for partner, body_key in ((flow.FLOW, flow.AES), (partner_with, flow.PAYLOAD)):
        sent = SCHEME.seal_request({"n": 1}, partner, flow.OPTIONS, now=flow.NOW)
        opened = SCHEME.open_request(sent, staged, flow.OPTIONS, now=flow.NOW)
        assert opened.context == body_key
        reply = SCHEME.seal_reply({"n": 2}, opened, staged, flow.OPTIONS, now=flow.NOW)
        assert SCHEME.open_reply(reply, sent, partner, flow.OPTIONS, now=flow.NOW) == {"n": 2}
    sent = SCHEME.seal_request({"n": 1}, staged, flow.OPTIONS, now=flow.NOW)
    assert sent.context == flow.AES


def test_payload_keys_rotate_too() -> None:
    both = flow.credentials(payload_keys=(NEW_PAYLOAD, flow.PAYLOAD), sealing=ALL)
    for version in (NEW_PAYLOAD, flow.PAYLOAD):
        partner = flow.credentials(payload_keys=(version,))
        sent = SCHEME.seal_request({"n": 1}, partner, flow.OPTIONS, now=flow.NOW)
        opened = SCHEME.open_request(sent, both, flow.OPTIONS, now=flow.NOW)
        assert opened.opened_by[-1] == version
        reply = SCHEME.seal_reply({"n": 2}, opened, both, flow.OPTIONS, now=flow.NOW)
        assert SCHEME.open_reply(reply, sent, partner, flow.OPTIONS, now=flow.NOW) == {"n": 2}


def test_a_reply_opens_without_the_request_at_hand() -> None:
    sent = SCHEME.seal_request({}, flow.FLOW, flow.OPTIONS, now=flow.NOW)
    opened = SCHEME.open_request(sent, BOTH, flow.OPTIONS, now=flow.NOW)
    reply = SCHEME.seal_reply({"n": 2}, opened, BOTH, flow.OPTIONS, now=flow.NOW)
    forgotten = SealedRequest(sent.body, sent.headers)
    assert SCHEME.open_reply(reply, forgotten, BOTH, flow.OPTIONS, now=flow.NOW) == {"n": 2}
