"""The Cloud API's stand-in, and flows that speak to it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from callbacks import transport
from callbacks.transport import Transport
from crypto_schemes.whatsapp_flows.media import seal_media
from flows_endpoint.whatsapp_flows.cloud.accounts import Account, account_of
from tenants import lifecycle
from tenants.actors import Actor
from tenants.keyring import keyring
from tenants.models import Flow
from tests.cloud_api import CloudApi
from tests.flows_endpoint.whatsapp_flows.conftest import MakePhone
from tests.flows_endpoint.whatsapp_flows.platform import Phone
from tests.support.certificates import Authority
from tests.support.receiver import Receiver, Reply

NUMBER_ID = "106540352242922"
TOKEN = "EAAG-the-token-of-a-system-user"
SENDS = {
    "phone_number_id": NUMBER_ID,
    "meta_flow_id": "200000000000002",
    "flow_message": "Book your appointment.",
    "flow_cta": "Book",
}


@pytest.fixture
def cloud(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[CloudApi]:
    """The stand-in, which flows of the test speak to over a transport of their own."""
    made = Transport()
    monkeypatch.setattr(transport, "shared", made)
    with CloudApi(tokens={TOKEN: {NUMBER_ID}}) as server:
        settings.WHATSAPP_API_URL = server.url
        yield server
        made.forget_connections()


@pytest.fixture
def make_sender(cloud: CloudApi, make_phone: MakePhone, actor: Actor) -> MakePhone:
    """Make a flow with number and token, and its phone: ``make_sender(options={…}, …)``."""

    def make(*, token: str = TOKEN, options: dict[str, Any] | None = None, **details: Any) -> Phone:
        phone = make_phone(options={**SENDS, **(options or {})}, **details)
        if token:
            lifecycle.import_text(actor, phone.flow, "access_token", token)
        return phone

    return make


@pytest.fixture
def sender(make_sender: MakePhone) -> Phone:
    """A flow of the sandbox that can send, with a callback URL."""
    return make_sender(callback_url="https://partner.example/callback")


def account(flow: Flow) -> Account:
    """Return the account of ``flow`` as the keyring sees it now."""
    snapshot = keyring.by_flow_id(str(flow.pk))
    assert snapshot is not None
    return account_of(snapshot)


MakeSender = Callable[..., Phone]


# --- the platform's CDN

PICTURE = b"\x89PNG" + secrets.token_bytes(20_000)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def cdn(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """The platform's CDN, over TLS."""
    made = Transport(tls=authority.client_context())
    monkeypatch.setattr(transport, "shared", made)
    with Receiver(tls=authority.server_context("127.0.0.1")) as server:
        yield server
        made.forget_connections()


def entry(cdn: Receiver, content: bytes = PICTURE, name: str = "pass port é.png") -> Any:
    """Put a file on the CDN and return its entry in a request."""
    file, keys = seal_media(content)
    cdn.next(Reply(body=file))
    return {
        "media_id": "790aba14-5f4a-4dbd-b9eb-0d75401da14b",
        "cdn_url": f"{cdn.url}/v/t62.7119-24/file?ccb=11-4&oh=01_Q5",
        "file_name": name,
        "encryption_metadata": keys.as_json(),
    }
