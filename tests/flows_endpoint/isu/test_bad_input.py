"""What nobody should send: the exact error each time, no row changed, never a 500."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from crypto_schemes import json_text
from crypto_schemes.ciphers import aes
from crypto_schemes.envelope import SealedRequest
from crypto_schemes.isu.value import seal_value
from flows_endpoint.models import ExchangeRow, ReplayMark
from tests.flows_endpoint.isu.conftest import MakePartner
from tests.flows_endpoint.isu.partner import (
    INVALID_DATA,
    INVALID_HEADER,
    NOT_ALLOWED,
    Partner,
    business_rows,
    error,
    payout,
    plain,
)

pytestmark = pytest.mark.django_db

_Change = Callable[["Message"], object]
MISSING_KEY = error(401, "Pass_key header is missing")
INVALID_KEY = error(401, "Invalid pass_key", 0)
NO_HEADER = error(401, "Header Secrets is missing")
EMPTY_HEADER = error(401, "Header Secrets value is empty")
STALE = error(401, "Epoch Time Limit Exceeded")


@dataclass
class Message:
    """A request that would be served, taken apart so that one thing can be spoilt."""

    partner: Partner
    members: dict[str, Any]
    text: bytes
    header: str | None = None
    data: Any = None
    headers: dict[str, str | None] = field(default_factory=dict)
    body: bytes | None = None
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> bytes:
        return base64.b64decode(self.partner.given["aes_key_base64"])

    def seal(self, text: bytes, key: bytes | None = None) -> str:
        return seal_value(key or self.key, text, self.partner.options)

    def blocks(self, padded: bytes) -> str:
        """Return whole blocks encrypted without adding padding."""
        whole = base64.b64decode(self.seal(padded))
        return base64.b64encode(whole[:-16]).decode()

    @property
    def good_header(self) -> str:
        return self.seal(json_text.compact(self.members))

    @property
    def good_data(self) -> str:
        return self.seal(self.text)

    def send(self) -> tuple[int, str]:
        headers: dict[str, str | None] = {
            "pass-key": self.partner.given["pass_key"],
            "header-secrets": self.good_header if self.header is None else self.header,
            **self.headers,
        }
        data = self.good_data if self.data is None else self.data
        body = json_text.compact({"RequestData": data}) if self.body is None else self.body
        sent = SealedRequest(body, {k: v for k, v in headers.items() if v is not None})
        return plain(self.partner.send(sent, **self.more))


def message(partner: Partner) -> Message:
    members = {
        "client_id": partner.given["client_id"],
        "client_secret": partner.given["client_secret"],
        "epoch": str(int(time.time())),
    }
    return Message(partner, members, json_text.compact(payout()))


def head(name: str, value: str | None) -> _Change:
    return lambda sent: sent.headers.__setitem__(name, value)


def header(make: Callable[[Message], str]) -> _Change:
    return lambda sent: setattr(sent, "header", make(sent))


def member(name: str, value: object) -> _Change:
    return lambda sent: sent.members.__setitem__(name, value)


def members(make: Callable[[bytes], bytes]) -> _Change:
    return header(lambda sent: sent.seal(make(json_text.compact(sent.members))))


def data(make: Callable[[Message], Any]) -> _Change:
    return lambda sent: setattr(sent, "data", make(sent))


def body(content: bytes) -> _Change:
    return lambda sent: setattr(sent, "body", content)


def more(**details: Any) -> _Change:
    return lambda sent: sent.more.update(details)


def cut(value: str, at: int) -> str:
    return base64.b64encode(base64.b64decode(value)[:at]).decode()


def grown(value: str, tail: bytes) -> str:
    return base64.b64encode(base64.b64decode(value) + tail).decode()


def flipped(value: str, at: int) -> str:
    raw = bytearray(base64.b64decode(value))
    raw[at] ^= 0x80
    return base64.b64encode(raw).decode()


OUTER: dict[str, tuple[_Change, tuple[int, str]]] = {
    "no pass_key": (head("pass-key", None), MISSING_KEY),
    "no header at all": (
        lambda sent: sent.headers.update({"pass-key": None, "header-secrets": None}),
        MISSING_KEY,
    ),
    "empty pass_key": (head("pass-key", ""), INVALID_KEY),
    "unknown pass_key": (head("pass-key", "x" * 32), INVALID_KEY),
    "long pass_key": (head("pass-key", "x" * 9000), INVALID_KEY),
    "pass_key in other case": (
        lambda sent: head("pass-key", sent.partner.given["pass_key"].swapcase())(sent),
        INVALID_KEY,
    ),
    "pass_key twins": (
        lambda sent: head("pass-key", ",".join([sent.partner.given["pass_key"]] * 2))(sent),
        INVALID_KEY,
    ),
    "pass_key and a smuggled one": (
        lambda sent: head("pass-key", f"{sent.partner.given['pass_key']},other")(sent),
        INVALID_KEY,
    ),
    "pass_key not ASCII": (head("pass-key", "p\xe4ss"), INVALID_KEY),
    "the digest instead of the key": (head("pass-key", "0" * 64), INVALID_KEY),
    "no header_secrets": (head("header-secrets", None), NO_HEADER),
    "empty header_secrets": (head("header-secrets", ""), EMPTY_HEADER),
    "blank header_secrets": (head("header-secrets", "   "), EMPTY_HEADER),
    "stale": (member("epoch", str(int(time.time()) - 302)), STALE),
    "stale in milliseconds": (member("epoch", int((time.time() - 302) * 1000)), STALE),
    # Far ahead: the table is made when tests are collected, long before they run.
    "from the future": (member("epoch", str(int(time.time()) + 86_400)), STALE),
    "the year zero": (member("epoch", 0), STALE),
    "the far future": (member("epoch", "9" * 15), STALE),
    "GET": (more(method="GET"), NOT_ALLOWED),
    "PUT": (more(method="PUT"), NOT_ALLOWED),
    "DELETE": (more(method="DELETE"), NOT_ALLOWED),
    "PATCH": (more(method="PATCH"), NOT_ALLOWED),
    "OPTIONS": (more(method="OPTIONS"), NOT_ALLOWED),
    "another method": (more(method="BREW"), NOT_ALLOWED),
    "a path nobody serves": (
        more(path="/w1w2-payout/w1/other"),
        (404, '{"ResponseData":"Invalid Request"}'),
    ),
    "a path with a slash too much": (
        more(path="/w1w2-payout/w1/cashtransfer/"),
        (404, '{"ResponseData":"Invalid Request"}'),
    ),
}

HEADER: dict[str, _Change] = {
    "not base64": header(lambda sent: "&" * 64),
    "base64url": header(lambda sent: base64.urlsafe_b64encode(b"\xff\xfe" * 32).decode()),
    "base64 without padding": header(lambda sent: sent.seal(b"x" * 40).rstrip("=") + "a"),
    "base64 with a blank": header(lambda sent: sent.good_header[:40] + " " + sent.good_header[40:]),
    "not ASCII": header(lambda sent: "\xe9" * 64),
    "twins": header(lambda sent: f"{sent.good_header},{sent.good_header}"),
    "a twin that is empty": header(lambda sent: f"{sent.good_header},"),
    "IV alone": header(lambda sent: cut(sent.good_header, 16)),
    "half an IV": header(lambda sent: cut(sent.good_header, 8)),
    "truncated by a byte": header(lambda sent: cut(sent.good_header, -1)),
    "truncated by a block": header(lambda sent: cut(sent.good_header, -16)),
    "extended by a byte": header(lambda sent: grown(sent.good_header, b"\0")),
    "extended by a block": header(lambda sent: grown(sent.good_header, bytes(16))),
    "wrong key": header(lambda sent: sent.seal(json_text.compact(sent.members), bytes(32))),
    "wrong padding": header(
        lambda sent: sent.blocks(aes.pad(json_text.compact(sent.members))[:-1] + b"\x11")
    ),
    "no padding": header(lambda sent: sent.blocks(b"x" * 64)),
    "a flipped bit in the middle": header(lambda sent: flipped(sent.good_header, 40)),
    "a flipped bit at the end": header(lambda sent: flipped(sent.good_header, -1)),
    "a flipped bit in the IV": header(lambda sent: flipped(sent.good_header, 0)),
    "plain JSON": header(lambda sent: json_text.compact(sent.members).decode()),
    "base64 of plain JSON": header(
        lambda sent: base64.b64encode(json_text.compact(sent.members)).decode()
    ),
    "nothing inside": members(lambda text: b""),
    "bad UTF-8": members(lambda text: text.replace(b"epoch", b"ep\xffch")),
    "NUL after the end": members(lambda text: text + b"\0"),
    "NUL in a value": member("client_id", "a\0b"),
    "deep nesting": members(lambda text: b'{"a":' * 80 + text + b"}" * 80),
    "very deep nesting": members(lambda text: b"[" * 3000),
    "a huge number": members(lambda text: text[:-1] + b',"n":1e400}'),
    "a number of 5000 digits": members(lambda text: text[:-1] + b',"n":' + b"9" * 5000 + b"}"),
    "the same member twice": members(lambda text: text[:-1] + b',"epoch":"1"}'),
    "members that differ in case": members(lambda text: text[:-1] + b',"Epoch":"1"}'),
    "half a surrogate pair": members(lambda text: text[:-1] + b',"n":"\\ud800"}'),
    "an array": members(lambda text: b"[" + text + b"]"),
    "null": members(lambda text: b"null"),
    "no client_id": members(lambda text: text.replace(b"client_id", b"client")),
    "a client_id that is a number": member("client_id", 5),
    "another client_id": member("client_id", "somebody"),
    "a client_id in other case": lambda sent: member(
        "client_id", sent.members["client_id"].swapcase() + "x"
    )(sent),
    "a client_secret that is null": member("client_secret", None),
    "a wrong client_secret": member("client_secret", "wrong"),
    "an empty client_secret": member("client_secret", ""),
    "a client_secret that is a list": lambda sent: member(
        "client_secret", [sent.members["client_secret"]]
    )(sent),
    "an epoch that is no number": member("epoch", "now"),
    "an empty epoch": member("epoch", ""),
    "an epoch that is true": member("epoch", True),
    "a negative epoch": member("epoch", -5),
    "an epoch of 400 digits": member("epoch", 10**400),
    "an epoch in other digits": member("epoch", "١٧٠٤١١٠٤٠٠"),
    "an epoch that is an object": member("epoch", {"s": 1}),
}

DATA: dict[str, _Change] = {
    "no body": body(b""),
    "not JSON": body(b"RequestData=1"),
    "an array": body(b"[]"),
    "a text": body(b'"RequestData"'),
    "no RequestData": body(b"{}"),
    "another member": body(b'{"requestdata":"AAAA"}'),
    "bad UTF-8 outside": body(b'{"RequestData":"\xff"}'),
    "NUL outside": body(b'{"RequestData":"AAAA"}\0'),
    "twice outside": body(b'{"RequestData":"AAAA","RequestData":"AAAA"}'),
    "deep nesting outside": body(b"[" * 3000),
    "a huge number outside": body(b'{"RequestData":1e999}'),
    "oversize": body(b'{"RequestData":"' + b"A" * 262_144 + b'"}'),
    "null": data(lambda sent: [None]),
    "a number": data(lambda sent: 5),
    "the plain payload": data(lambda sent: json.loads(sent.text)),
    "not base64": data(lambda sent: "&&&&"),
    "base64 with a line break": data(lambda sent: sent.good_data + "\n"),
    "not ASCII": data(lambda sent: "é" * 40),
    "empty": data(lambda sent: ""),
    "IV alone": data(lambda sent: cut(sent.good_data, 16)),
    "truncated by a byte": data(lambda sent: cut(sent.good_data, -1)),
    "truncated by a block": data(lambda sent: cut(sent.good_data, -16)),
    "extended by a byte": data(lambda sent: grown(sent.good_data, b"\1")),
    "extended by a block": data(lambda sent: grown(sent.good_data, bytes(16))),
    "wrong key": data(lambda sent: sent.seal(sent.text, bytes(32))),
    "wrong padding": data(lambda sent: sent.blocks(aes.pad(sent.text)[:-1] + b"\0")),
    "a flipped bit in the middle": data(lambda sent: flipped(sent.good_data, 40)),
    "nothing inside": data(lambda sent: sent.seal(b"")),
    "no JSON inside": data(lambda sent: sent.seal(b"{'a':1}")),
    "bad UTF-8 inside": data(lambda sent: sent.seal(b'{"a":"\xff"}')),
    "NUL inside": data(lambda sent: sent.seal(sent.text + b"\0")),
    "a byte order mark inside": data(lambda sent: sent.seal(b"\xef\xbb\xbf" + sent.text)),
    "deep nesting inside": data(lambda sent: sent.seal(b"[" * 65 + b"]" * 65)),
    "a huge number inside": data(lambda sent: sent.seal(b'{"amount":1e400}')),
    "a number of 5000 digits inside": data(lambda sent: sent.seal(b"9" * 5000)),
    "NaN inside": data(lambda sent: sent.seal(b'{"amount":NaN}')),
    "twice inside": data(lambda sent: sent.seal(b'{"amount":1,"amount":2}')),
    "half a surrogate pair inside": data(lambda sent: sent.seal(b'"\\udfff"')),
    "text/plain": more(content_type="text/plain"),
    "a form": more(content_type="application/x-www-form-urlencoded"),
    "JSON by another name": more(content_type="application/json-patch+json"),
    "no content type": more(content_type=""),
}
CASES = (
    {f"outer: {name}": case for name, case in OUTER.items()}
    | {f"header: {name}": (change, INVALID_HEADER) for name, change in HEADER.items()}
    | {f"data: {name}": (change, INVALID_DATA) for name, change in DATA.items()}
)


@pytest.mark.parametrize(("change", "expected"), CASES.values(), ids=CASES)
def test_a_bad_request_is_answered_exactly_and_changes_nothing(
    partner: Partner, change: _Change, expected: tuple[int, str]
) -> None:
    spoilt = message(partner)
    change(spoilt)
    before = business_rows()
    assert spoilt.send() == expected
    assert business_rows() == before
    # A header that opened is used up, whatever the body; nothing else leaves a mark.
    assert ReplayMark.objects.count() <= (expected == INVALID_DATA)
    logged = ExchangeRow.objects.get()
    assert logged.outcome == "refused"
    assert logged.http_status == expected[0]


def test_what_is_spoilt_here_would_have_been_served(partner: Partner) -> None:
    assert message(partner).send()[0] == 200


@pytest.mark.parametrize("cases", [HEADER, DATA], ids=["header", "data"])
def test_all_that_does_not_open_gets_one_reply(partner: Partner, cases: dict[str, _Change]) -> None:
    replies = set()
    for change in cases.values():
        spoilt = message(partner)
        change(spoilt)
        replies.add(spoilt.send())
    assert len(replies) == 1


def test_a_header_serves_to_try_one_body(partner: Partner) -> None:
    sent = message(partner)
    sent.header = sent.good_header
    sent.data = sent.seal(b"no JSON")
    assert sent.send() == INVALID_DATA
    assert sent.send() == INVALID_HEADER
    sent.data = None
    assert sent.send() == INVALID_HEADER


def test_lenient_flows_have_the_same_errors(make_partner: MakePartner) -> None:
    lenient = make_partner(options={"unpad": "lenient"})
    for name in ("wrong key", "truncated by a byte", "extended by a block", "twins"):
        spoilt = message(lenient)
        HEADER[name](spoilt)
        assert spoilt.send() == INVALID_HEADER
    assert message(lenient).send()[0] == 200
