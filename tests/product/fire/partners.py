"""How each contract is spoken under fire: every request under any of the versions held.

A partner has *ways*: what it can ask, how often (a weight; those of all contracts add up to 100,
and what costs much comes seldom), and under which secrets. Ids are fresh in each request, so one
that is sent again is a new one.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from crypto_schemes import flynn
from crypto_schemes.envelope import SealedRequest
from crypto_schemes.errors import SignatureError
from crypto_schemes.flynn import documents
from crypto_schemes.isu import IsuOptions
from crypto_schemes.keys import KeyVersion
from crypto_schemes.whatsapp_flows.signatures import sign_body, sign_flow_token
from tests.product.fire.partner import (
    Answer,
    Flow,
    Partner,
    Way,
    is_ok,
    opened,
    written,
)
from tests.product.fire.wire import Wire

_FAR_AWAY = "2031-01-01T10:00:00+05:30"


class Kairos(Partner):
    """Calls placed, encrypted under RSA-4096 or plain, and asked for."""

    secrets = ("kairos_rsa", "security_id")

    def __init__(self, flow: Flow) -> None:
        super().__init__(flow)
        self._placed = ""

    def way_under(self, purpose: str) -> Way:
        """Return what is asked under a secret of ``purpose``."""
        return self._create if purpose == "kairos_rsa" else self._pull

    def ways(self) -> list[tuple[float, Way]]:
        """Return what it asks, each with its weight."""
        return [(1.5, self._create), (1, self._create_plain), (5.5, self._pull)]

    def begin(self, wire: Wire) -> None:
        """Place the call that is asked for again and again."""
        self._create(wire)

    def _order(self, security_id: str) -> dict[str, Any]:
        call = {
            "client-identifier": uuid.uuid4().hex,
            "start-time": _FAR_AWAY,
            "contact-numbers": ["910000000016"],
            "keys": [],
        }
        return {**self._head(security_id), "api-version": "1.0", "calls": [call]}

    def _head(self, security_id: str) -> dict[str, Any]:
        return {"security-id": security_id, "flow-id": self.flow.identity["flow_id"]}

    def _create(self, wire: Wire) -> None:
        with self.held.using("kairos_rsa", "security_id") as versions:
            credentials = self._credentials(versions)
            order = self._order(versions["security_id"].text)
            sealed = self.scheme.seal_request(order, credentials, self.options, now=time.time())
            placed = self._post(wire, self.flow.path, sealed.body)
            self._placed = placed["call-details"][0]["phonon-uuid"]

    def _create_plain(self, wire: Wire) -> None:
        with self.held.using("security_id") as versions:
            order = self._order(versions["security_id"].text)
            self._post(wire, "/kairos-apis/outbound/create", json.dumps(order).encode())

    def _pull(self, wire: Wire) -> None:
        with self.held.using("security_id") as versions:
            ids = {"phonon-uuids": [self._placed], "fetch-attempt": "ALL"}
            order = {**self._head(versions["security_id"].text), **ids}
            self._post(wire, "/kairos-apis/outbound/pull", json.dumps(order).encode())

    def _post(self, wire: Wire, path: str, body: bytes) -> Any:
        def check(answer: Answer) -> Any:
            said = json.loads(answer.data)
            return said if (answer.status, said["api-response-code"]) == (200, 200) else None

        headers = {"Content-Type": "application/json"}
        return self._ask(wire, "POST", path, body=body, headers=headers, check=check)


class CitCall(Partner):
    """Missed calls, sealed both ways."""

    secrets = ("api_key",)

    def way_under(self, purpose: str) -> Way:
        """Return what is asked under a secret of ``purpose``."""
        return self._call

    def ways(self) -> list[tuple[float, Way]]:
        """Return what it asks, each with its weight."""
        return [(10, self._call)]

    def _call(self, wire: Wire) -> None:
        with self.held.using("api_key") as versions:
            credentials = self._credentials(versions)
            mark = uuid.uuid4()
            order = {
                "msisdn": f"08{mark.int % 10**10:010}",
                "gateway": 1,
                "clientUniqueId": mark.hex,
            }
            sent = self.scheme.seal_request(order, credentials, self.options, now=time.time())
            check = opened(self, sent, credentials, lambda said: said["rc"] == "00")
            self._ask(
                wire, "POST", self.flow.path, body=sent.body, headers=sent.headers, check=check
            )


class Isu(Partner):
    """Bills asked for: two headers and a body, sealed both ways."""

    secrets = ("pass_key", "client_secret", "isu_aes", "isu_payload_aes")

    def way_under(self, purpose: str) -> Way:
        """Return what is asked under a secret of ``purpose``."""
        return self._bill

    def ways(self) -> list[tuple[float, Way]]:
        """Return what it asks, each with its weight."""
        return [(30, self._bill)]

    def _bill(self, wire: Wire) -> None:
        with self.held.using(*self.secrets) as versions:
            credentials = self._credentials(versions)
            order = {
                "mobile_no": "9000000004",
                "email": "demo@example.com",
                "biller_params": [{"name": "Consumer Number", "value": uuid.uuid4().hex + "1"}],
            }
            sent = self.scheme.seal_request(order, credentials, self.options, now=time.time())
            headers = {written(name): text for name, text in sent.headers.items()}
            check = opened(self, sent, credentials, lambda said: said["status"] == "SUCCESS")
            path = IsuOptions().electricity_bill_path
            self._ask(wire, "POST", path, body=sent.body, headers=headers, check=check)


class WhatsApp(Partner):
    """Health checks of the data endpoint, updates and challenges at the webhook.

    The body is signed with either app secret, the flow token inside with either: during a rollover
    a token made before travels in a request signed after.
    """

    secrets = ("whatsapp_rsa", "app_secret", "verify_token")

    def way_under(self, purpose: str) -> Way:
        """Return what is asked under a secret of ``purpose``."""
        ways = {"whatsapp_rsa": self._ping, "app_secret": self._update, "verify_token": self._prove}
        return ways[purpose]

    def ways(self) -> list[tuple[float, Way]]:
        """Return what it asks, each with its weight."""
        return [(14, self._ping), (10, self._ping_with_token), (13, self._update), (3, self._prove)]

    def _ping(self, wire: Wire, token: KeyVersion | None = None) -> None:
        order: dict[str, Any] = {"version": "3.0", "action": "ping"}
        if token is not None:
            name = uuid.uuid4().hex
            order |= {"flow_token": name, "flow_token_signature": sign_flow_token(name, token)}
        with self.held.using("whatsapp_rsa", "app_secret") as versions:
            credentials = self._credentials(versions)
            sent = self.scheme.seal_request(order, credentials, self.options, now=time.time())
            pong = {"data": {"status": "active"}}
            check = opened(self, sent, credentials, lambda said: said == pong)
            self._ask(
                wire, "POST", self.flow.path, body=sent.body, headers=sent.headers, check=check
            )

    def _ping_with_token(self, wire: Wire) -> None:
        with self.held.using("app_secret") as versions:
            self._ping(wire, versions["app_secret"])

    def _update(self, wire: Wire) -> None:
        with self.held.using("app_secret") as versions:
            value = {"status": "read", "id": uuid.uuid4().hex}
            entry = {"id": "1", "changes": [{"field": "messages", "value": value}]}
            body = json.dumps({"entry": [entry]}).encode()
            signature = sign_body(body, versions["app_secret"])
            headers = {"Content-Type": "application/json", "X-Hub-Signature-256": signature}
            self._ask(wire, "POST", self._webhook, body=body, headers=headers, check=is_ok)

    def _prove(self, wire: Wire) -> None:
        with self.held.using("verify_token") as versions:
            challenge = uuid.uuid4().hex
            query = {
                "hub.mode": "subscribe",
                "hub.challenge": challenge,
                "hub.verify_token": versions["verify_token"].text,
            }
            pairs = "&".join(f"{name}={text}" for name, text in query.items())

            def check(answer: Answer) -> Any:
                return True if (answer.status, answer.data) == (200, challenge.encode()) else None

            self._ask(wire, "GET", f"{self._webhook}?{pairs}", check=check)

    @property
    def _webhook(self) -> str:
        return f"/whatsapp/webhook/{self.flow.address}"


class Flynn(Partner):
    """A tax partner: log-ins, tokens, encrypted headers, documents registered and fetched."""

    secrets = ("password", "portal_password", "flynn_rsa")
    kept = ("token_signing", "document_signing")

    def __init__(self, flow: Flow, invoice: Mapping[str, Any]) -> None:
        super().__init__(flow)
        self._invoice = dict(invoice)
        self._irn = ""
        self._renewing = threading.Lock()

    def way_under(self, purpose: str) -> Way:
        """Return what is asked under a secret of ``purpose``."""
        ways = {
            "password": self._log_in_and_out,
            "portal_password": self._fetch,
            "flynn_rsa": self._with_secrets,
            "token_signing": self._authenticate,
            "document_signing": self._register,
        }
        return ways[purpose]

    def ways(self) -> list[tuple[float, Way]]:
        """Return what it asks, each with its weight."""
        return [
            (5.5, self._authenticate),
            (3.5, self._with_secrets),
            (1.5, self._fetch),
            (0.5, self._register),
            (1, self._log_in_and_out),
        ]

    def begin(self, wire: Wire) -> None:
        """Log in, and register the document that is fetched again and again."""
        self._take_token(wire)
        self._register(wire)

    def drop(self, purpose: str, key_id: str, wire: Wire) -> None:
        """Use a version no more; what hangs on it, the token, is had anew first."""
        if purpose in self.secrets:
            super().drop(purpose, key_id, wire)
        if purpose in ("password", "token_signing"):
            self._take_token(wire)
        # Public keys of documents are kept: those signed before shall verify for ever.

    def _take_token(self, wire: Wire) -> None:
        """Log in, use that token from now on, and log the one before out when it is at rest."""
        with self._renewing:
            token = self._log_in(wire)
            old = self.held.all_of("token")
            self.held.add(KeyVersion(uuid.uuid4().hex, "token", 0, token))
            for version in old:
                self.held.drop("token", version.id)
                self._log_out(wire, version.text)

    def _log_in(self, wire: Wire) -> str:
        with self.held.using("password") as versions:
            handle = self.flow.identity["handle"]
            order = {
                "handle": handle,
                "handleType": "email",
                "password": versions["password"].text,
                "tokenDurationInMins": 360,
            }
            body = json.dumps(order).encode()
            headers = {"Content-Type": "application/json"}

            def check(answer: Answer) -> Any:
                return json.loads(answer.data)["data"]["token"] if answer.status == 200 else None

            path = "/theodore/apis/v1/authtokens"
            return str(self._ask(wire, "POST", path, body=body, headers=headers, check=check))

    def _log_out(self, wire: Wire, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        self._ask(wire, "POST", "/theodore/apis/v1/logout", headers=headers, check=is_ok)

    def _log_in_and_out(self, wire: Wire) -> None:
        with self._renewing:  # else its password could be retired in between, its session with it
            self._log_out(wire, self._log_in(wire))

    def _authenticate(self, wire: Wire) -> None:
        with self.held.using("token") as versions:
            sent = self._sealed(versions, {}, {}, None)
            self._ask(wire, "GET", "/authenticate", headers=sent.headers, check=is_ok)

    def _with_secrets(self, wire: Wire) -> None:
        mark = uuid.uuid4().hex
        with self.held.using("token", "flynn_rsa") as versions:
            sent = self._sealed(versions, {}, {"data": mark}, None)

            def check(answer: Answer) -> Any:
                value = json.loads(answer.data)["data"]["client-message"]
                echo = flynn.open_client_message(value, sent)
                return True if (answer.status, echo) == (200, mark) else None

            path = "/authenticate-with-secrets"
            self._ask(wire, "GET", path, headers=sent.headers, check=check)

    def _portal(
        self, wire: Wire, method: str, path: str, body: Any, check: Callable[[Any], Any]
    ) -> Any:
        """Call the portal of e-invoices; ``check`` gets the reply's data."""
        with self.held.using("token", "flynn_rsa", "portal_password") as versions:
            plain = {
                "irp-gstin": self.flow.identity["gstin"],
                "irp-username": self.flow.identity["portal_username"],
                "irp-gsp-code": "vay",
            }
            password = versions["portal_password"].text
            sent = self._sealed(versions, plain, {"irp-pwd": password}, body)

            def check_answer(answer: Answer) -> Any:
                return check(json.loads(answer.data)["data"]) if answer.status == 200 else None

            return self._ask(
                wire, method, path, body=sent.body, headers=sent.headers, check=check_answer
            )

    def _register(self, wire: Wire) -> None:
        head = {**self._invoice["DocDtls"], "No": f"A{uuid.uuid4().hex[:13].upper()}"}
        seller = {**self._invoice["SellerDtls"], "Gstin": self.flow.identity["gstin"]}
        body = {**self._invoice, "DocDtls": head, "SellerDtls": seller}

        def check(data: Any) -> Any:
            keys = self.held.all_of("document_signing")
            is_signed = any(_verifies(data["SignedQRCode"], key) for key in keys)
            return data["Irn"] if is_signed else None

        path = f"{_EINVOICE}/eicore/v1.03/Invoice"
        self._irn = str(self._portal(wire, "POST", path, body, check))

    def _fetch(self, wire: Wire) -> None:
        irn = self._irn
        path = f"{_EINVOICE}/eicore/v1.03/Invoice/irn/{irn}"
        self._portal(wire, "GET", path, None, lambda data: data["Irn"] == irn or None)

    def _sealed(
        self,
        versions: Mapping[str, KeyVersion],
        plain: Mapping[str, str],
        sensitive: Mapping[str, str],
        body: Any,
    ) -> SealedRequest:
        payload = {"plain": dict(plain), "sensitive": dict(sensitive), "body": body}
        return flynn.SCHEME.seal_request(
            payload,
            self._credentials(versions),
            self.options,
            now=time.time(),
            token=versions["token"].text,
        )


_EINVOICE = "/basic/einv/v3.0/ni1"


def _verifies(signed: str, key: KeyVersion) -> bool:
    try:
        documents.verify(signed, key.rsa_public)
    except SignatureError:  # another version's, then
        return False
    return True


PARTNERS: dict[str, type[Partner]] = {
    "kairos": Kairos,
    "citcall": CitCall,
    "isu": Isu,
    "whatsapp_flows": WhatsApp,
    "flynn": Flynn,
}
