"""One partner: logs in, seals with the scheme's client side, calls, and keeps its REK."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from typing import Any

from django.test import Client as Http

from callbacks.models import Delivery
from crypto_schemes import flynn
from crypto_schemes.ciphers import rsa
from crypto_schemes.flynn import FlynnOptions, Session
from crypto_schemes.keys import Credentials, KeyVersion
from flows_endpoint.flynn import models
from flows_endpoint.flynn.examples import EWAY_BILL, INVOICE
from flows_endpoint.models import ReplayMark, Timer
from tenants.lifecycle import IssuedFlow

TOKENS = "/theodore/apis/v1/authtokens"
LOG_OUT = "/theodore/apis/v1/logout"
SECRETS = "/authenticate-with-secrets"
#: A response of Django's test client, which has more than its type says.
Reply = Any
EINV = "/basic/einv/v3.0/ni1/eicore/v1.03/Invoice"
EINV_V1 = "/basic/einv/v1.0/nic/eicore/v1.03/Invoice"
EINV_EWB = "/basic/einv/v3.0/ni1/eiewb/v1.03/ewaybill"
EWAY = "/basic/eway/v3.0/ew1/v1.03/ewayapi"
EWAY_V1 = "/basic/ewb/v1.0/v1.03"
BUYER = "27DEMCX5678B1ZK"


class Clock:
    """Time that can be moved forward."""

    def __init__(self, real: Callable[[], float]) -> None:
        self._real = real
        self._ahead = 0.0

    def __call__(self) -> float:
        return self._real() + self._ahead

    def forward(self, *, hours: float = 0, minutes: float = 0) -> None:
        self._ahead += hours * 3600 + minutes * 60


class Partner:
    """Holds the credentials that were issued with the flow."""

    def __init__(self, issued: IssuedFlow, http: Http) -> None:
        self.flow = issued.flow
        self.bundle = dict(issued.credentials)
        self.options = FlynnOptions.from_mapping(issued.flow.options)
        self.http = http
        self.rek = Session.fresh()
        self._token = ""

    @property
    def credentials(self) -> Credentials:
        key = rsa.load_public_pem(self.bundle["public_key_pem"])
        version = KeyVersion("mine", "flynn_rsa", 1, key)
        return Credentials({"org_id": self.bundle["org_id"]}, {"flynn_rsa": (version,)})

    @property
    def token(self) -> str:
        """The token of a log-in, made when it is first asked for."""
        if not self._token:
            reply = self.log_in(tokenDurationInMins=360)
            assert reply.status_code == 200, reply.content
            self._token = reply.json()["data"]["token"]
        return self._token

    def forget_token(self) -> None:
        self._token = ""

    def log_in(self, **changes: Any) -> Reply:
        """Log in; None drops a member."""
        members = {
            "handle": self.bundle["handle"],
            "handleType": "email",
            "password": self.bundle["password"],
            **changes,
        }
        body = {name: value for name, value in members.items() if value is not None}
        return self.http.generic("POST", TOKENS, json.dumps(body), "application/json")

    def headers(
        self,
        sensitive: Mapping[str, str] | None = None,
        plain: Mapping[str, str] | None = None,
        *,
        session: Session | None = None,
    ) -> dict[str, str]:
        """Return the headers of a call."""
        sealed = flynn.SCHEME.seal_request(
            {"plain": dict(plain or {}), "sensitive": dict(sensitive or {})},
            self.credentials,
            self.options,
            now=0,
            token=self.token,
            session=(session or self.rek) if sensitive else None,
        )
        return dict(sealed.headers)

    def portal_headers(self, module: str, **changes: str | None) -> dict[str, str]:
        """Return the headers of a call of a portal, the password encrypted.

        ``changes`` name headers with ``_`` for ``-``; None drops one.
        """
        headers = self.headers(
            {f"{module}-pwd": self.bundle["portal_password"]},
            {
                f"{module}-gstin": self.bundle["gstin"],
                f"{module}-username": self.bundle["portal_username"],
                f"{module}-gsp-code": "vay",
            },
        )
        for name, value in changes.items():
            headers[f"x-flynn-{name.replace('_', '-')}"] = value or ""
            if value is None:
                del headers[f"x-flynn-{name.replace('_', '-')}"]
        return headers

    def send(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Send a request; ``body`` is bytes, or a value to be written as JSON."""
        data = body if isinstance(body, bytes) else b"" if body is None else _json(body)
        return self.http.generic(
            method, path, data, "application/json", headers=dict(headers or {})
        )

    def call(
        self, path: str, body: Any = None, *, method: str = "POST", **changes: str | None
    ) -> Reply:
        """Call a portal as it should be; see :meth:`portal_headers`."""
        module = "irp" if "/einv/" in path else "ewb"
        return self.send(method, path, body, self.portal_headers(module, **changes))

    def invoice(self, number: str = "A/1", **changes: Any) -> dict[str, Any]:
        """Return an invoice of this partner; ``DocDtls__Dt="…"`` changes a member."""
        body = copy.deepcopy(INVOICE)
        body["SellerDtls"]["Gstin"] = self.bundle["gstin"]
        body["DocDtls"]["No"] = number
        return changed(body, changes)

    def eway_bill(self, number: str = "E/1", **changes: Any) -> dict[str, Any]:
        """Return the order of an e-way bill of this partner."""
        body = copy.deepcopy(EWAY_BILL)
        body |= {"fromGstin": self.bundle["gstin"], "docNo": number}
        return changed(body, changes)

    def register(self, number: str = "A/1", **changes: Any) -> dict[str, Any]:
        """Register an invoice and return the reply's data."""
        reply = self.call(EINV, self.invoice(number, **changes))
        assert reply.status_code == 200, reply.content
        data: dict[str, Any] = reply.json()["data"]
        return data

    def make_eway_bill(self, number: str = "E/1", **changes: Any) -> int:
        """Make an e-way bill and return its number."""
        reply = self.call(f"{EWAY}/gen-ewb", self.eway_bill(number, **changes))
        assert reply.status_code == 200, reply.content
        made: int = reply.json()["data"]["ewayBillNo"]
        return made


DROP: Any = object()


def changed(body: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Write ``changes`` into ``body``: ``a__b__0__c`` names a path, DROP takes a member out."""
    for name, value in changes.items():
        *way, last = name.split("__")
        target: Any = body
        for step in way:
            target = target[int(step)] if step.isdigit() else target[step]
        if value is DROP:
            del target[last]
        else:
            target[last] = value
    return body


def counts() -> dict[str, int]:
    """Return how many rows each business table has."""
    tables = (
        models.Account,
        models.UserSession,
        models.PortalSession,
        models.Invoice,
        models.EwayBill,
        ReplayMark,
        Timer,
        Delivery,
    )
    return {table.__name__: table.objects.count() for table in tables}


def error_of(reply: Reply) -> dict[str, Any]:
    """Return the error of a reply, whichever its envelope."""
    error: dict[str, Any] = reply.json()["error"]
    return error


def portal_code(reply: Reply) -> str:
    """Return the portal's own code; asserts that it is a portal's error."""
    assert reply.status_code == 502, reply.content
    (detail,) = error_of(reply)["args"]["details"]
    assert detail.keys() == {"ErrorCode", "ErrorMessage"}
    code: str = detail["ErrorCode"]
    return code


def _json(body: Any) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()
