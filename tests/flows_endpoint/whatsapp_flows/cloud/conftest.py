"""The Cloud API's stand-in, and flows that speak to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from callbacks import transport
from callbacks.transport import Transport
from flows_endpoint.whatsapp_flows.cloud.accounts import Account, account_of
from tenants import lifecycle
from tenants.actors import Actor
from tenants.keyring import keyring
from tenants.models import Flow
from tests.cloud_api import CloudApi
from tests.flows_endpoint.whatsapp_flows.conftest import MakePhone
from tests.flows_endpoint.whatsapp_flows.platform import Phone

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
