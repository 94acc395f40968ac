"""Uploading and reading back the public key, and everything the platform can answer instead."""

from __future__ import annotations

from typing import Any

import pytest

from callbacks.transport import HttpAnswer
from crypto_schemes.ciphers import rsa
from flows_endpoint.whatsapp_flows.cloud import client
from flows_endpoint.whatsapp_flows.cloud.accounts import NotConfiguredError
from flows_endpoint.whatsapp_flows.cloud.client import CloudApiError, PublishedKey
from flows_endpoint.whatsapp_flows.cloud.dispositions import Disposition
from tenants import lifecycle
from tenants.actors import Actor
from tests.cloud_api import CloudApi
from tests.flows_endpoint.whatsapp_flows.cloud.conftest import (
    NUMBER_ID,
    TOKEN,
    MakeSender,
    account,
)
from tests.flows_endpoint.whatsapp_flows.platform import Phone
from tests.support.receiver import Receiver, Reply

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("nested", [False, True], ids=["flat", "in data[]"])
def test_the_key_is_uploaded_and_read_back(sender: Phone, cloud: CloudApi, nested: bool) -> None:
    cloud.nested = nested
    assert client.read_public_key(account(sender.flow)) == PublishedKey("", "")
    client.upload_public_key(account(sender.flow), sender.public_key)
    assert cloud.keys == {NUMBER_ID: sender.public_key}
    key = sender.flow.keys.get(purpose="whatsapp_rsa")
    assert client.read_public_key(account(sender.flow)) == PublishedKey(key.fingerprint, "VALID")
    cloud.signature_status[NUMBER_ID] = "MISMATCH"
    assert client.read_public_key(account(sender.flow)).signature_status == "MISMATCH"
    assert {(seen.path, seen.token) for seen in cloud.seen} == {
        (f"/v25.0/{NUMBER_ID}/whatsapp_business_encryption", TOKEN)
    }


def test_data_may_be_an_object_too(sender: Phone, settings: Any) -> None:
    text = b'{"data":{"business_public_key":"","business_public_key_signature_status":"VALID"}}'
    with Receiver() as receiver:
        receiver.default = Reply(body=text)
        settings.WHATSAPP_API_URL = receiver.url
        assert client.read_public_key(account(sender.flow)) == PublishedKey("", "")
        assert receiver.requests[0].method == "GET"


@pytest.mark.parametrize(
    ("code", "disposition"),
    [
        (131000, Disposition.BACK_OFF),
        (131056, Disposition.PAIR_LIMIT),
        (100, Disposition.NEVER),
        (190, Disposition.CREDENTIALS),
    ],
)
def test_a_refusal_is_told_by_its_code(
    sender: Phone, cloud: CloudApi, code: int, disposition: Disposition
) -> None:
    cloud.fail(code, times=None)
    for call in (
        lambda: client.upload_public_key(account(sender.flow), sender.public_key),
        lambda: client.read_public_key(account(sender.flow)),
    ):
        with pytest.raises(CloudApiError) as refused:
            call()
        assert (refused.value.code, refused.value.disposition) == (code, disposition)
        assert refused.value.error == f"cloud_{code}"
        assert "told to fail" not in str(refused.value)
    assert cloud.keys == {}


def test_a_wrong_token_and_another_s_number_are_credentials(
    make_sender: MakeSender, cloud: CloudApi
) -> None:
    stranger = make_sender(token="EAAG-another-token-altogether")
    with pytest.raises(CloudApiError) as refused:
        client.upload_public_key(account(stranger.flow), stranger.public_key)
    assert (refused.value.code, refused.value.status) == (190, 401)
    other = make_sender(options={"phone_number_id": "999"})
    with pytest.raises(CloudApiError) as refused:
        client.upload_public_key(account(other.flow), other.public_key)
    assert refused.value.code == 200
    assert refused.value.disposition is Disposition.CREDENTIALS


@pytest.mark.parametrize(
    "reply",
    [
        Reply(body=b""),
        Reply(body=b"<html>"),
        Reply(body=b"[]"),
        Reply(body=b'{"success":false}'),
        Reply(body=b'{"success":"true"}'),
        Reply(status=500, body=b"oops"),
        Reply(status=302, headers={"Location": "http://127.0.0.1:1/"}),
        Reply(hang_up=True),
        Reply(body=b" " * 300_000),
        Reply(body=b'{"error":{"code":2}}'),
        Reply(status=500, body=b'{"error":{"code":"190"}}'),
    ],
)
def test_anything_but_a_success_may_pass_by_itself(
    sender: Phone, settings: Any, reply: Reply
) -> None:
    with Receiver() as receiver:
        receiver.default = reply
        settings.WHATSAPP_API_URL = receiver.url
        with pytest.raises(CloudApiError) as refused:
            client.upload_public_key(account(sender.flow), sender.public_key)
    assert refused.value.disposition is Disposition.BACK_OFF


def test_a_key_that_cannot_be_read_is_an_error(sender: Phone, settings: Any) -> None:
    with Receiver() as receiver:
        receiver.default = Reply(body=b'{"business_public_key":"nonsense"}')
        settings.WHATSAPP_API_URL = receiver.url
        with pytest.raises(CloudApiError, match="unreadable_key"):
            client.read_public_key(account(sender.flow))


def test_only_what_may_be_dialled_is_dialled(sender: Phone, settings: Any) -> None:
    settings.OUTBOUND_ALLOW = []
    with pytest.raises(CloudApiError) as refused:
        client.read_public_key(account(sender.flow))
    assert refused.value.error == "refused_address"
    assert refused.value.disposition is Disposition.BACK_OFF


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"messages":[]}',
        b'{"messages":[{}]}',
        b'{"messages":[{"id":7}]}',
        b'{"messages":[{"id":""}]}',
        b'{"messages":{"id":"wamid.A"}}',
        b'{"messages":[{"id":"' + b"x" * 129 + b'"}]}',
    ],
)
def test_a_success_without_an_id_is_none(body: bytes) -> None:
    with pytest.raises(CloudApiError, match="not_acknowledged"):
        client.accepted_id(HttpAnswer(200, {}, body))


def test_without_number_or_token_nothing_is_asked(
    make_sender: MakeSender, cloud: CloudApi, actor: Actor
) -> None:
    with pytest.raises(NotConfiguredError, match="phone number id"):
        account(make_sender(options={"phone_number_id": ""}).flow)
    phone = make_sender(token="")
    with pytest.raises(NotConfiguredError, match="access token"):
        account(phone.flow)
    key = lifecycle.import_text(actor, phone.flow, "access_token", TOKEN)
    assert account(phone.flow).token.text == TOKEN
    lifecycle.revoke_key(actor, key, reason="leaked")
    staged = lifecycle.import_text(actor, phone.flow, "access_token", "EAAG-the-next-token")
    with_next = account(phone.flow)
    assert (staged.state, with_next.token.version) == ("active", 2)
    assert cloud.seen == []


def test_the_token_rotates_like_any_key(sender: Phone, actor: Actor) -> None:
    new = lifecycle.import_text(actor, sender.flow, "access_token", "EAAG-the-next-token")
    assert account(sender.flow).token.text == TOKEN
    lifecycle.promote_key(actor, new)
    assert account(sender.flow).token.text == "EAAG-the-next-token"
    assert "EAAG" not in repr(account(sender.flow))


def test_flows_of_the_sandbox_speak_to_the_stand_in_without_being_set_up(
    make_phone: MakeSender, settings: Any, cloud: CloudApi
) -> None:
    settings.WHATSAPP_API_URL = "https://graph.facebook.com"
    settings.WHATSAPP_SANDBOX_API_URL = cloud.url
    cloud.tokens = None
    phone = make_phone()
    client.upload_public_key(account(phone.flow), phone.public_key)
    (pem,) = cloud.keys.values()
    assert rsa.spki_fingerprint(rsa.load_public_pem(pem))
    assert account(phone.flow).key_ids == ()
    live = make_phone(
        backend="upstream",
        upstream_url="https://service.example/",
        options={"phone_number_id": NUMBER_ID},
    )
    with pytest.raises(NotConfiguredError):
        account(live.flow)
