"""A partner: an HTTP client, the credentials it was handed, and a receiver for callbacks."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import urllib3

from crypto_schemes import json_text
from crypto_schemes.ciphers import rsa
from crypto_schemes.envelope import SealedReply, SealedRequest
from crypto_schemes.errors import SchemeError
from crypto_schemes.json_text import JSONTextError, JSONValue
from crypto_schemes.keys import Credentials, KeyVersion, Kind, Material, PurposeSpec, parse_material
from crypto_schemes.options import Options
from crypto_schemes.scheme import Scheme
from script.partner_demo import expectations as expect
from script.partner_demo.expectations import UnexpectedError
from script.partner_demo.receiver import Callback, Inbox
from script.partner_demo.screen import Scene

#: How long an answer may take, in seconds.
_ANSWER_SECONDS: Final = 30
#: Headers of an answer or callback that are worth a line.
_SHOWN_HEADERS: Final = frozenset(
    {"authorization", "pass_key", "header_secrets", "webhook-id", "webhook-signature"}
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. Header names are lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    milliseconds: float = 0.0

    @property
    def content_type(self) -> str:
        """Return the media type without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip()

    @property
    def as_reply(self) -> SealedReply:
        """Return the answer as the client side of a scheme takes it."""
        return SealedReply(body=self.body, content_type=self.content_type, headers=self.headers)

    def json(self) -> JSONValue:
        """Return the value of a JSON body. Raises UnexpectedError."""
        try:
            return json_text.parse(self.body)
        except JSONTextError:
            expect.fail("the answer's body", self.body.decode("utf-8", "replace"), "JSON")


@dataclass
class Partner:
    """One partner of one protocol, and the scene it plays in.

    ``credentials`` are its side of the contract, parsed; ``bundle`` the texts it was handed.
    Header names are lower case with ``-`` in a :class:`SealedRequest`; ``on_the_wire`` spells
    them as the contract does.
    """

    base_url: str
    path: str
    bundle: Mapping[str, str] = field(repr=False)
    scheme: Scheme[Any]
    credentials: Credentials = field(repr=False)
    inbox: Inbox
    scene: Scene
    callback_seconds: float
    on_the_wire: Callable[[str], str] = str
    requests: int = 0
    callbacks: int = 0
    _http: urllib3.PoolManager = field(
        default_factory=lambda: urllib3.PoolManager(retries=False, timeout=_ANSWER_SECONDS),
        repr=False,
    )

    @property
    def options(self) -> Options:
        """Return the options of the flow: the contract's defaults."""
        return self.scheme.options_type()

    def seal(self, payload: JSONValue, *, now: float | None = None) -> SealedRequest:
        """Return the sealed request of ``payload``, as the client side of the scheme makes it."""
        moment = time.time() if now is None else now
        return self.scheme.seal_request(payload, self.credentials, self.options, now=moment)

    def open(self, answer: Answer, sent: SealedRequest) -> JSONValue:
        """Return the opened answer to ``sent``. Raises UnexpectedError where it does not open."""
        try:
            return self.scheme.open_reply(
                answer.as_reply, sent, self.credentials, self.options, now=time.time()
            )
        except SchemeError as error:
            expect.fail("the answer", str(error), "one that opens")

    def send(
        self,
        sent: SealedRequest,
        *,
        path: str | None = None,
        method: str = "POST",
        expected_status: int = 200,
    ) -> Answer:
        """Send a request and show it with its answer. Raises UnexpectedError for another status."""
        target = self.path if path is None else path
        headers = self._wire_headers(sent)
        self.scene.sent(method, target, headers, sent.body)
        answer = self._exchange(method, target, headers, sent.body)
        shown = f"{answer.status} {answer.content_type}".strip()
        self.scene.came(f"{shown}  {answer.milliseconds:.0f} ms", {}, answer.body)
        expect.same(f"the HTTP status of {method} {target}", answer.status, expected_status)
        return answer

    def probe(
        self,
        label: str,
        sent: SealedRequest,
        *,
        expected_status: int,
        expected_body: bytes,
        path: str | None = None,
        method: str = "POST",
    ) -> None:
        """Send what must be refused, show it in a line, and check the very answer."""
        target = self.path if path is None else path
        answer = self._exchange(method, target, self._wire_headers(sent), sent.body)
        body = answer.body.decode("utf-8", "replace")
        self.scene.probe(label, f"{answer.status} {body or '(empty body)'}")
        expect.same(f"the HTTP status after {label}", answer.status, expected_status)
        expect.same(f"the answer after {label}", answer.body, expected_body)

    def ask_quietly(self, sent: SealedRequest, *, path: str, method: str = "POST") -> Answer:
        """Send a request without showing it, for asking again and again."""
        return self._exchange(method, path, self._wire_headers(sent), sent.body)

    def await_callback(self, what: str, fits: Callable[[JSONValue], bool]) -> JSONValue:
        """Wait for the callback whose opened value ``fits``; show it, and return that value.

        Its signature was checked on arrival. Raises UnexpectedError when none came in time.
        """
        opened: dict[str, JSONValue] = {}

        def is_it(callback: Callback) -> bool:
            opened[callback.id] = self._open_callback(callback)
            return fits(opened[callback.id])

        with self.scene.screen.waiting(f"Waiting for the callback: {what}"):
            callback = self.inbox.wait(self.callback_seconds, is_it)
        if callback is None:
            refused = self.inbox.refused[-1:]
            came = f"one whose signature is wrong ({refused[0]})" if refused else "nothing"
            raise UnexpectedError(
                f"Expected the callback ({what}) within {self.callback_seconds:g} s. "
                f"What came: {came}. Is the worker running?"
            )
        self.callbacks += 1
        headers = {n: v for n, v in callback.headers.items() if n in _SHOWN_HEADERS}
        self.scene.came(f"POST {callback.path}  at the partner's receiver", headers, callback.body)
        self.scene.ok("Signature verified: HMAC-SHA-256 over id.timestamp.body (Standard Webhooks)")
        return opened[callback.id]

    def _open_callback(self, callback: Callback) -> JSONValue:
        try:
            return self.scheme.open_callback(
                callback.body, callback.headers, self.credentials, self.options, now=time.time()
            )
        except SchemeError as error:
            raise UnexpectedError(f"The callback does not open: {error}") from None

    def _wire_headers(self, sent: SealedRequest) -> dict[str, str]:
        return {self.on_the_wire(name): value for name, value in sent.headers.items()}

    def _exchange(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        started = time.perf_counter()
        try:
            came = self._http.request(
                method, self.base_url + target, headers=headers, body=body or None
            )
        except urllib3.exceptions.HTTPError as error:
            expect.fail(f"{method} {target}", type(error).__name__, "an answer")
        self.requests += 1
        return Answer(
            status=came.status,
            headers={name.lower(): value for name, value in came.headers.items()},
            body=came.data,
            milliseconds=(time.perf_counter() - started) * 1000,
        )


def credentials_of(scheme: Scheme[Any], bundle: Mapping[str, str]) -> Credentials:
    """Return the partner's side of ``bundle``: names, and each secret or public key parsed.

    Raises KeyMaterialError for a text that is none.
    """

    def parsed(spec: PurposeSpec) -> Material:
        text = bundle[spec.credential_name]
        if spec.kind is Kind.RSA:
            return rsa.load_public_pem(text)
        stored = scheme.material_from_text(spec, text, scheme.options_type())
        return parse_material(spec, stored, trusted=True)

    return Credentials(
        identity={item.name: bundle[item.name] for item in scheme.identity if item.name in bundle},
        versions={
            spec.name: (KeyVersion("handed over", spec.name, 1, parsed(spec)),)
            for spec in scheme.purposes
            if spec.credential_name in bundle
        },
    )
