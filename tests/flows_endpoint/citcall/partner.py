"""One partner: seals with the scheme's client side, posts, and opens what comes back."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

from django.test import Client as Http

from callbacks.models import Delivery
from crypto_schemes import citcall
from crypto_schemes.envelope import SealedReply
from crypto_schemes.json_text import JSONValue
from crypto_schemes.keys import Credentials, KeyVersion
from flows_endpoint.citcall.models import CalledNumber, FirstReply, MissedCall
from flows_endpoint.models import ReplayMark, Timer
from tenants import at_rest
from tenants.lifecycle import IssuedFlow

PATH = "/v2/asynccall"
ORDER: dict[str, Any] = {"msisdn": "081200000001", "gateway": 1, "clientUniqueId": "A-1"}
NOT_AUTHORIZED = b'{"rc":"98","info":"Authorization failed"}'


class Partner:
    """Holds the credentials that were issued with the flow."""

    def __init__(self, issued: IssuedFlow, http: Http) -> None:
        self.flow = issued.flow
        self.userid = issued.credentials["userid"]
        self.key = issued.credentials["api_key"]
        self.options = citcall.CitCallOptions.from_mapping(issued.flow.options)
        self.http = http

    @property
    def credentials(self) -> Credentials:
        version = KeyVersion("mine", "api_key", 1, self.key)
        return Credentials({"userid": self.userid}, {"api_key": (version,)})

    def header(self, form: citcall.AuthorizationForm = citcall.AuthorizationForm.BARE) -> str:
        return citcall.format_authorization(self.userid, self.key, form)

    def data(self, payload: JSONValue = ORDER, *, now: float | None = None) -> str:
        """Return ``payload`` sealed as the member ``data``."""
        return self.data_of(json.dumps(payload), now=now)

    def data_of(self, text: str, *, now: float | None = None) -> str:
        """Return any ASCII text sealed as the member ``data``."""
        moment = time.time() if now is None else now
        return citcall.seal_text(text.encode(), self.userid, self.key, now=moment)

    def post(
        self,
        data: Any = None,
        *,
        body: bytes | None = None,
        header: str | None = "",
        method: str = "POST",
        content_type: str = "application/json",
        **environ: Any,
    ) -> Any:
        """Send ``data`` or a whole ``body``; an empty ``header`` is replaced by the right one."""
        if body is None:
            body = json.dumps({"data": self.data() if data is None else data}).encode()
        if header is not None:
            environ["HTTP_AUTHORIZATION"] = header or self.header()
        return self.http.generic(method, PATH, body, content_type=content_type, **environ)

    def call(self, payload: JSONValue = ORDER, **how: Any) -> JSONValue:
        """Send ``payload`` and return the opened reply."""
        response = self.post(self.data(payload, now=how.pop("now", None)), **how)
        assert response.status_code == 200
        assert response["Content-Type"] == "application/json"
        sent = citcall.SCHEME.seal_request({}, self.credentials, self.options, now=time.time())
        reply = SealedReply(response.content)
        return citcall.SCHEME.open_reply(
            reply, sent, self.credentials, self.options, now=time.time()
        )


def rows() -> tuple[int, ...]:
    """Return how many rows each business table has."""
    models: tuple[Any, ...] = (
        MissedCall,
        CalledNumber,
        FirstReply,
        ReplayMark,
        Timer,
        Delivery,
    )
    return tuple(model.objects.count() for model in models)


def callbacks() -> list[JSONValue]:
    """Return the bodies in the outbox, before sealing, oldest first."""
    return [
        json.loads(at_rest.open_sealed(row.body, row.at_rest_context))
        for row in Delivery.objects.order_by("created_at")
    ]


def encoded(text: str) -> str:
    """Return base64 of ``text``."""
    return base64.b64encode(text.encode()).decode()
