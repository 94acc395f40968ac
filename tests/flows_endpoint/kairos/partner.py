"""A Kairos partner for the tests, over Django's test client."""

from __future__ import annotations

import json
import time
from typing import Any

from django.db.models import Model
from django.http import HttpResponse
from django.test import Client as HttpClient

from callbacks.models import Delivery
from crypto_schemes.ciphers import rsa
from crypto_schemes.kairos import RSA_KEY, SCHEME, KairosOptions
from crypto_schemes.keys import Credentials, KeyVersion
from flows_endpoint.kairos.errors import MEANINGS, Code
from flows_endpoint.kairos.models import CallAllowance, CallAttempt, CallRequest, OutboundCall
from flows_endpoint.models import AttemptCount, ReplayMark, Timer
from tenants.lifecycle import IssuedFlow
from tenants.models import AuditEntry, Key

PLAIN = "/kairos-apis/outbound/create"
SEALED = "/kairos-apis/enc/outbound/create"
DIALER_PLAIN = "/kairos-apis/outbounddialer/create"
DIALER_SEALED = "/kairos-apis/enc/outbounddialer/create"
HELPER = "/kairos-apis/enc/outbound/encryptdata"
KEY_PAIR = "/kairos-apis/enc/outbound/generateKeyPair"
PULL = "/kairos-apis/outbound/pull"

BUSINESS_TABLES: tuple[type[Model], ...] = (
    CallRequest,
    OutboundCall,
    CallAttempt,
    CallAllowance,
    ReplayMark,
    AttemptCount,
    Timer,
    Delivery,
    Key,
    AuditEntry,
)


def a_call(identifier: str = "order-1", *numbers: str, **changes: Any) -> dict[str, Any]:
    return {
        "client-identifier": identifier,
        "start-time": "2030-01-23T08:02:53.311+05:30",
        "contact-numbers": list(numbers) or ["910000000016"],
        "keys": [{"name": "$flow.key.Name", "value": "Zoë"}],
        **changes,
    }


def counts() -> dict[str, int]:
    """Return how many rows each table of business holds."""
    return {table.__name__: table._default_manager.count() for table in BUSINESS_TABLES}


def error(code: Code) -> bytes:
    """Return the exact body of an error."""
    return (
        f'{{"api-response-code":{int(code)},"api-response-message":"{MEANINGS[code].message}"}}'
    ).encode()


class Partner:
    """Holds what the bundle gave it, and sends; ``flow`` is the row, for the operator's part."""

    def __init__(self, http: HttpClient, issued: IssuedFlow, **options: Any) -> None:
        self.http = http
        self.flow = issued.flow
        self.flow_id = issued.credentials["flow_id"]
        self.security_id = issued.credentials["security_id"]
        self.options = KairosOptions(**options)
        self.use_key(issued.credentials["public_key_pem"])

    def use_key(self, public_pem: str) -> None:
        key = KeyVersion("public", RSA_KEY, 1, rsa.load_public_pem(public_pem))
        self.credentials = Credentials({"flow_id": self.flow_id}, {RSA_KEY: (key,)})

    def request(self, *calls: dict[str, Any], **changes: Any) -> dict[str, Any]:
        return {
            "api-version": "1.0",
            "security-id": self.security_id,
            "flow-id": self.flow_id,
            "calls": list(calls) or [a_call()],
            **changes,
        }

    def seal(self, payload: Any) -> bytes:
        return SCHEME.seal_request(payload, self.credentials, self.options, now=time.time()).body

    def seal_text(self, raw: bytes, key_string: str = "pq12rs34") -> bytes:
        return SCHEME.seal_text(raw, key_string, self.credentials, self.options).as_body()

    def post(
        self,
        path: str,
        body: bytes | dict[str, Any],
        content_type: str = "application/json",
        **extra: Any,
    ) -> HttpResponse:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        reply: Any = self.http.generic("POST", path, data, content_type=content_type, **extra)
        return reply  # type: ignore[no-any-return]

    def plain(self, payload: dict[str, Any], **extra: Any) -> Any:
        return json.loads(self.post(PLAIN, payload, **extra).content)

    def sealed(self, payload: Any, **extra: Any) -> Any:
        return json.loads(self.post(SEALED, self.seal(payload), **extra).content)

    def pull(self, ids: list[Any], attempts: Any = "ALL", **changes: Any) -> Any:
        body = {
            "security-id": self.security_id,
            "flow-id": self.flow_id,
            "phonon-uuids": ids,
            "fetch-attempt": attempts,
            **changes,
        }
        return json.loads(self.post(PULL, body).content)
