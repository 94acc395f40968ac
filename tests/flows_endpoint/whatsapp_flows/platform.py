"""The platform and a phone, for tests: seal, send, open."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db.models import Model
from django.test import Client as HttpClient

from callbacks.models import Delivery
from crypto_schemes.ciphers import rsa
from crypto_schemes.envelope import SealedReply, SealedRequest
from crypto_schemes.keys import Credentials, KeyVersion
from crypto_schemes.whatsapp_flows import SCHEME
from crypto_schemes.whatsapp_flows.signatures import sign_body
from flows_endpoint.models import ReplayMark, Timer
from tenants import at_rest
from tenants.lifecycle import IssuedFlow
from tenants.models import Flow

TOKEN = "ft-0001"


@dataclass(frozen=True)
class Reply:
    """What came back: ``value`` is the opened JSON, None where the body is empty."""

    status: int
    body: bytes
    content_type: str | None
    value: Any


class Phone:
    """Speaks for one flow. ``secret`` and ``public_key`` may be set to another version's."""

    def __init__(self, http: HttpClient, issued: IssuedFlow) -> None:
        self.http = http
        self.flow: Flow = issued.flow
        self.path = f"/whatsapp/flows/{issued.flow.address}"
        self.webhook_path = f"/whatsapp/webhook/{issued.flow.address}"
        self.secret: str = issued.credentials["app_secret"]
        self.public_key: str = issued.credentials["public_key_pem"]
        self.verify_token: str = issued.credentials["verify_token"]

    @property
    def credentials(self) -> Credentials:
        public_key: Any = rsa.load_public_pem(self.public_key)
        return Credentials(
            versions={
                "whatsapp_rsa": (KeyVersion("rsa", "whatsapp_rsa", 1, public_key),),
                "app_secret": (self.app_secret,),
            }
        )

    @property
    def app_secret(self) -> KeyVersion:
        return KeyVersion("secret", "app_secret", 1, self.secret)

    @property
    def options(self) -> Any:
        return SCHEME.options_type.from_mapping(self.flow.options)

    def seal(self, payload: Any) -> SealedRequest:
        return SCHEME.seal_request(payload, self.credentials, self.options, now=0)

    def post(self, body: bytes, signature: str | None = None, **more: Any) -> Any:
        """POST any body, signed unless ``signature`` says otherwise."""
        headers = {"X-Hub-Signature-256": signature or sign_body(body, self.app_secret)}
        return self.http.post(
            self.path, data=body, content_type="application/json", headers=headers, **more
        )

    def send(self, payload: Any) -> Reply:
        """Seal and send ``payload``; open what comes back."""
        sent = self.seal(payload)
        response = self.post(sent.body)
        value = None
        if response.content:
            content_type = response.headers["Content-Type"]
            reply = SealedReply(body=response.content, content_type=content_type)
            value = SCHEME.open_reply(reply, sent, self.credentials, self.options, now=0)
        return Reply(
            response.status_code, response.content, response.headers.get("Content-Type"), value
        )

    def step(
        self,
        screen: str,
        data: dict[str, Any],
        *,
        token: str | None = TOKEN,
        action: str = "data_exchange",
    ) -> Reply:
        """Send one step of a form."""
        payload = {"version": "3.0", "action": action, "screen": screen, "data": data}
        return self.send(payload if token is None else payload | {"flow_token": token})

    def deliver(self, value: Any, signature: str | None = None) -> Any:
        """POST an update (JSON value or raw bytes) to the webhook address."""
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        headers = {"X-Hub-Signature-256": signature or sign_body(body, self.app_secret)}
        return self.http.post(
            self.webhook_path, data=body, content_type="application/json", headers=headers
        )


def business_rows() -> dict[str, int]:
    """Return how many rows each table has that a served request could write."""
    models: list[type[Model]] = [
        *apps.get_app_config("whatsapp_flows").get_models(),
        ReplayMark,
        Delivery,
        Timer,
    ]
    return {model.__name__: model._default_manager.count() for model in models}


def opened_json(row: Any) -> Any:
    """Return the JSON sealed in ``row.body``."""
    return json.loads(at_rest.open_sealed(row.body, row.at_rest_context))
