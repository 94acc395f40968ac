"""What is sent: for each path of the product, sealed requests of which no two are the same.

Requests are sealed before the clock runs, by the client side of the contracts. A replay guard
lets each be used once.
"""

from __future__ import annotations

import itertools
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final

import urllib3
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from crypto_schemes import base64_text, flynn, registry
from crypto_schemes.ciphers import aes
from crypto_schemes.envelope import SealedReply, SealedRequest
from crypto_schemes.flynn import FlynnOptions, Mode, Session
from crypto_schemes.json_text import JSONValue
from crypto_schemes.keys import Credentials, KeyVersion
from crypto_schemes.scheme import Scheme, read_json, write_json
from script.benchmark import service
from script.benchmark.server import Installation
from script.partner_demo.partner import credentials_of

_numbers = itertools.count(1)
_ON_THE_WIRE: Final = {"pass-key": "pass_key", "header-secrets": "header_secrets"}
#: What is echoed, before a number.
_SHOP: Final = "Sealgate bench"


class WrongAnswerError(Exception):
    """An answer was not what the path must answer. The message says which."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One request: where it goes, and what opens its answer."""

    path: str
    sealed: SealedRequest = field(repr=False)
    method: str = "POST"
    #: Whose it is, where a kind speaks for several flows.
    partner: Partner | None = None

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers as they travel."""
        return {_ON_THE_WIRE.get(name, name): text for name, text in self.sealed.headers.items()}

    def as_http(self, host: str) -> bytes:
        """Return the bytes of the HTTP/1.1 request."""
        lines = [f"{self.method} {self.path} HTTP/1.1", f"Host: {host}"]
        lines += [f"{name}: {text}" for name, text in self.headers.items()]
        if self.sealed.body:
            lines.append(f"Content-Length: {len(self.sealed.body)}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + self.sealed.body


@dataclass(frozen=True, slots=True)
class Partner:
    """The partner's side of one flow."""

    scheme: Scheme[Any]
    credentials: Credentials = field(repr=False)

    def seal(self, payload: JSONValue) -> SealedRequest:
        """Return ``payload`` sealed now."""
        return self.scheme.seal_request(
            payload, self.credentials, self.scheme.options_type(), now=time.time()
        )

    def open(self, body: bytes, content_type: str, sealed: SealedRequest) -> Any:
        """Return the opened answer to ``sealed``."""
        return self.scheme.open_reply(
            SealedReply(body=body, content_type=content_type),
            sealed,
            self.credentials,
            self.scheme.options_type(),
            now=time.time(),
        )


class Traffic(ABC):
    """One path. ``make`` gives requests; ``check`` opens an answer and looks at what is in it."""

    name: ClassVar[str]
    title: ClassVar[str]
    #: The contract, as the exchange log calls it.
    scheme: ClassVar[str]

    #: What the flow is made with besides.
    settings: ClassVar[tuple[str, ...]] = ()

    def __init__(self, installation: Installation) -> None:
        said = [text.format(service=installation.service) for text in self.settings]
        self._provisioned = installation.provision(self.scheme, *said)
        self._path: str = self._provisioned["path"]
        self._bundle: Mapping[str, str] = self._provisioned["credentials"]
        contract = registry.get(self.scheme)
        self._partner = Partner(contract, credentials_of(contract, self._bundle))

    def begin(self, url: str) -> None:  # noqa: B027 - most have nothing to do
        """Do what comes before any request (a log-in)."""

    def make(self) -> Sent:
        """Return one more request, unlike all before."""
        return Sent(self._path, self._partner.seal(self.payload(next(_numbers))))

    def stream(self) -> Iterator[Sent]:
        """Yield requests for as long as they are asked for."""
        while True:
            yield self.make()

    def payload(self, number: int) -> JSONValue:
        """Return what the request says."""
        raise NotImplementedError

    def opened(self, sent: Sent, body: bytes, content_type: str) -> Any:
        """Return the opened answer."""
        return (sent.partner or self._partner).open(body, content_type, sent.sealed)

    @abstractmethod
    def is_right(self, answer: Any) -> bool:
        """Return whether the opened answer is a success of the path."""

    def check(self, url: str, count: int) -> None:
        """Send ``count`` requests and open the answers. Raises WrongAnswerError."""
        with urllib3.PoolManager(retries=False, timeout=30) as pool:
            for sent in itertools.islice(self.stream(), count):
                reply = pool.request(
                    sent.method,
                    url + sent.path,
                    body=sent.sealed.body or None,
                    headers=sent.headers,
                )
                answer = None
                if reply.status == 200:
                    answer = self.opened(sent, reply.data, reply.headers.get("Content-Type", ""))
                if reply.status != 200 or not self.is_right(answer):
                    raise WrongAnswerError(f"{self.title}: {reply.status} {answer or reply.data!r}")


class WhatsAppStep(Traffic):
    """A ``data_exchange`` of the sandbox's form: choose a day, get its free hours."""

    name = "whatsapp"
    title = "WhatsApp Flows data_exchange"
    scheme = "whatsapp_flows"

    def __init__(self, app_secrets: Mapping[str, str], public: RSAPublicKey) -> None:
        contract = registry.get(self.scheme)
        self._flows = [
            (f"/whatsapp/flows/{address}", _whatsapp(contract, public, secret))
            for address, secret in app_secrets.items()
        ]
        self._day = _open_day()

    def make(self) -> Sent:
        """Return a request of one flow after the other."""
        number = next(_numbers)
        path, partner = self._flows[number % len(self._flows)]
        return Sent(path, partner.seal(self.payload(number)), partner=partner)

    def payload(self, number: int) -> JSONValue:
        """Return a step of a user nobody else is."""
        return {
            "version": "3.0",
            "action": "data_exchange",
            "screen": "APPOINTMENT",
            "flow_token": f"bench-{secrets.token_hex(8)}-{number}",
            "data": {
                "trigger": "date",
                "service": "repair",
                "branch": "north",
                "date": self._day,
            },
        }

    def is_right(self, answer: Any) -> bool:
        """Return whether there are hours to choose from."""
        return bool(answer["screen"] == "APPOINTMENT" and answer["data"]["is_time_enabled"])


class WhatsAppPing(WhatsAppStep):
    """The platform's health check: cryptography and nothing else."""

    name = "whatsapp_ping"
    title = "WhatsApp Flows ping"

    def payload(self, number: int) -> JSONValue:
        """Return the health check."""
        return {"version": "3.0", "action": "ping"}

    def is_right(self, answer: Any) -> bool:
        """Return whether the endpoint says it is alive."""
        return bool(answer == {"data": {"status": "active"}})


class FlynnSecrets(Traffic):
    """``authenticate-with-secrets``: a token, a wrapped key, a sealed header; echoed sealed."""

    scheme = "flynn"
    mode: ClassVar[Mode] = Mode.ECB
    name = "flynn_ecb"
    title = "Flynn authenticate-with-secrets, ECB"

    def begin(self, url: str) -> None:
        """Log in."""
        body = {
            "handle": self._bundle["handle"],
            "handleType": "email",
            "password": self._bundle["password"],
            "tokenDurationInMins": 360,
        }
        reply = urllib3.request(
            "POST",
            f"{url}/theodore/apis/v1/authtokens",
            body=write_json(body),
            headers={"Content-Type": "application/json"},
        )
        if reply.status != 200:
            raise WrongAnswerError(f"{self.title}: the log-in was answered with {reply.status}")
        self._token: str = reply.json()["data"]["token"]

    def make(self) -> Sent:
        """Return a request under a fresh REK."""
        sealed = flynn.SCHEME.seal_request(
            {"sensitive": {"data": f"{_SHOP} {next(_numbers)}"}},
            self._partner.credentials,
            FlynnOptions(),
            now=time.time(),
            token=self._token,
            session=Session.fresh(self.mode),
        )
        return Sent("/authenticate-with-secrets", sealed, method="GET")

    def opened(self, sent: Sent, body: bytes, content_type: str) -> Any:
        """Return the echo, opened under the REK of the request."""
        session: Session = sent.sealed.context
        return session.open(read_json(body)["data"]["client-message"])

    def is_right(self, answer: Any) -> bool:
        """Return whether the value came back."""
        return str(answer).startswith(_SHOP)


class FlynnSecretsCbc(FlynnSecrets):
    """The same in CBC, where the IV is wrapped too: two RSA decryptions."""

    mode = Mode.CBC
    name = "flynn_cbc"
    title = "Flynn authenticate-with-secrets, CBC"


class KairosCreate(Traffic):
    """One call to place: RSA-4096, and rows that must outlive everything."""

    name = "kairos"
    title = "Kairos create, 1 call"
    scheme = "kairos"

    def payload(self, number: int) -> JSONValue:
        """Return a request for one call, a long time ahead."""
        return {
            "api-version": "1.0",
            "security-id": self._bundle["security_id"],
            "flow-id": self._bundle["flow_id"],
            "calls": [
                {
                    "client-identifier": f"bench-{number}",
                    "start-time": "2035-01-01T10:00:00+05:30",
                    "contact-numbers": ["910000000001"],
                    "keys": [{"name": "$flow.key.Name", "value": "Asha"}],
                }
            ],
        }

    def is_right(self, answer: Any) -> bool:
        """Return whether the call was accepted."""
        return bool(answer["api-response-code"] == 200)


class IsuBill(Traffic):
    """An electricity bill: read, nothing kept."""

    name = "isu_bill"
    title = "ISU electricity bill (keeps nothing)"
    scheme = "isu"

    def __init__(self, installation: Installation) -> None:
        super().__init__(installation)
        self._path = "/bbps/electricity/fetch-bill"

    def payload(self, number: int) -> JSONValue:
        """Return a consumer."""
        return {
            "mobile_no": "9000000004",
            "email": "demo@example.com",
            "biller_params": [{"name": "Consumer Number", "value": f"{number:09}1"}],
        }

    def is_right(self, answer: Any) -> bool:
        """Return whether there is a bill."""
        return bool(answer["status"] == "SUCCESS")


class IsuBillOfService(IsuBill):
    """The same, asked of the company's own service."""

    name = "upstream_isu"
    title = "ISU electricity bill, a service behind it"
    settings = ("--upstream-url", "{service}/isu")

    def is_right(self, answer: Any) -> bool:
        """Return whether it is what the service said."""
        return bool(answer == service.BILL)


class WhatsAppStepOfService(Traffic):
    """A ``data_exchange`` that the company's own service answers."""

    name = "upstream_whatsapp"
    title = "WhatsApp data_exchange, a service behind it"
    scheme = "whatsapp_flows"
    settings = ("--upstream-url", "{service}/whatsapp")

    def payload(self, number: int) -> JSONValue:
        """Return a step of a user nobody else is."""
        return {
            "version": "3.0",
            "action": "data_exchange",
            "screen": "DAY",
            "flow_token": f"bench-{secrets.token_hex(8)}-{number}",
            "data": {"service": "repair", "branch": "north", "date": "2026-11-26"},
        }

    def is_right(self, answer: Any) -> bool:
        """Return whether it is what the service said."""
        return bool(answer == service.SCREEN)


class IsuPayout(Traffic):
    """A payout: a row that must outlive everything."""

    name = "isu_payout"
    title = "ISU payout (durable)"
    scheme = "isu"

    def payload(self, number: int) -> JSONValue:
        """Return a payout with a reference of its own."""
        return {
            "beneName": "ASTER FERN",
            "beneAccountNo": "000111222333",
            "beneifsc": "DEMO0000001",
            "benePhoneNo": "9000000001",
            "beneBankName": "DEMO BANK",
            "clientReferenceNo": f"BENCH{number:010}",
            "amount": "100.04",
            "fundTransferType": "IMPS",
            "pincode": "560001",
            "custName": "BIRCH CEDAR",
            "custMobNo": "9000000002",
            "latlong": "12.9716,77.5946",
            "paramA": "",
            "paramB": "",
        }

    def is_right(self, answer: Any) -> bool:
        """Return whether the payout was taken."""
        return bool(answer["status"] in ("SUCCESS", "INPROGRESS", "REFUNDED", "FAILED"))


class CitCallOrder(Traffic):
    """A missed call: rows that must outlive everything."""

    name = "citcall"
    title = "CitCall asynccall (durable)"
    scheme = "citcall"

    def payload(self, number: int) -> JSONValue:
        """Return an order for a number of its own."""
        return {"msisdn": f"0812{number:08}", "gateway": 1 + number % 4}

    def is_right(self, answer: Any) -> bool:
        """Return whether the call is queued."""
        return bool(answer["rc"] == "00")


#: Every path that needs no more than an installation.
SIMPLE: Final[tuple[type[Traffic], ...]] = (
    FlynnSecrets,
    FlynnSecretsCbc,
    KairosCreate,
    IsuBill,
    IsuPayout,
    CitCallOrder,
    WhatsAppStepOfService,
    IsuBillOfService,
)


def bare_flow(public: RSAPublicKey, app_secret: str) -> Iterator[Sent]:
    """Yield requests for the bare view that does the same cryptography as WhatsApp Flows."""
    partner = _whatsapp(registry.get("whatsapp_flows"), public, app_secret)
    step = WhatsAppStep({}, public)
    while True:
        yield Sent("/flow", partner.seal(step.payload(next(_numbers))))


def bare_json() -> Iterator[Sent]:
    """Yield requests for the bare view that only parses JSON, as long as a sealed ISU body."""
    while True:
        text = base64_text.encode(aes.pad(f"{next(_numbers):0180}".encode()))
        body = write_json({"RequestData": text})
        yield Sent("/json", SealedRequest(body=body, headers={"content-type": "application/json"}))


def _whatsapp(contract: Scheme[Any], public: RSAPublicKey, app_secret: str) -> Partner:
    versions = {
        "whatsapp_rsa": (KeyVersion("rsa", "whatsapp_rsa", 1, public),),
        "app_secret": (KeyVersion("secret", "app_secret", 1, app_secret),),
    }
    return Partner(contract, Credentials({}, versions))


def _open_day() -> str:
    """Return a day of next week that is no Sunday."""
    days = (datetime.now(UTC).date() + timedelta(days=number) for number in (3, 4))
    return next(day.isoformat() for day in days if day.weekday() != 6)


#: Every path there is.
ALL: Final[tuple[type[Traffic], ...]] = (WhatsAppStep, WhatsAppPing, *SIMPLE)
