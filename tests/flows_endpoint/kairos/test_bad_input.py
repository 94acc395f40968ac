"""Bad requests: the exact error, nothing changed, and one reply for all that does not open."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from crypto_schemes.ciphers import aes, rsa
from crypto_schemes.kairos import encrypt_value
from crypto_schemes.kairos.envelope import STEPS, aes_key
from flows_endpoint.kairos.errors import Code
from flows_endpoint.models import ExchangeRow, Outcome
from tests.flows_endpoint.kairos.partner import (
    DIALER_PLAIN,
    DIALER_SEALED,
    HELPER,
    PLAIN,
    PULL,
    SEALED,
    Partner,
    counts,
    error,
)
from tests.support.test_keys import committed_rsa_key

pytestmark = pytest.mark.django_db
STRING = "pq12rs34"
K = base64.b64encode(STRING.encode())


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def unb64(text: str) -> bytes:
    return base64.b64decode(text)


class Parts:
    """A good request of ``partner``, in parts that can be spoilt one at a time."""

    def __init__(self, partner: Partner) -> None:
        self.raw = json.dumps(partner.request()).encode()
        sealed = json.loads(partner.seal_text(self.raw, STRING))
        self.value: str = sealed["requestEncryptedValue"]
        self.key: str = sealed["requestDigitalSignatureValue"]
        self.public = committed_rsa_key(2048).public_key()

    def wrap(self, text: bytes, padding: str = "pkcs1v15") -> str:
        return b64(rsa.encrypt(self.public, text, padding))

    def of(self, text: bytes) -> str:
        """Return any text under AES, without the base64 step."""
        return b64(aes.ecb_encrypt(aes_key(K), text))

    def json(self, text: bytes) -> str:
        return encrypt_value(text, STRING)


Spoil = Callable[[Parts], tuple[str, str]]

DOES_NOT_OPEN: dict[str, Spoil] = {
    "value: not base64": lambda p: ("!" + p.value[1:], p.key),
    "value: base64 cut": lambda p: (p.value[:-1], p.key),
    "value: URL alphabet": lambda p: ("-_" * 32, p.key),
    "value: empty": lambda p: ("", p.key),
    "value: NUL": lambda p: (p.value[:-1] + "\0", p.key),
    "value: not ASCII": lambda p: ("é" + p.value[1:], p.key),
    "value: a byte short": lambda p: (b64(unb64(p.value)[:-1]), p.key),
    "value: a block short": lambda p: (b64(unb64(p.value)[:-16]), p.key),
    "value: a byte more": lambda p: (b64(unb64(p.value) + b"\0"), p.key),
    "value: a block more": lambda p: (b64(unb64(p.value) + bytes(16)), p.key),
    "value: last byte flipped": lambda p: (
        b64(unb64(p.value)[:-1] + bytes([unb64(p.value)[-1] ^ 1])),
        p.key,
    ),
    "value: first byte flipped": lambda p: (
        b64(bytes([unb64(p.value)[0] ^ 128]) + unb64(p.value)[1:]),
        p.key,
    ),
    "value: of zeros": lambda p: (b64(bytes(64)), p.key),
    "key: not base64": lambda p: (p.value, "%%%"),
    "key: empty": lambda p: (p.value, ""),
    "key: a byte short": lambda p: (p.value, b64(unb64(p.key)[:-1])),
    "key: a byte more": lambda p: (p.value, b64(b"\0" + unb64(p.key))),
    "key: above the modulus": lambda p: (p.value, b64(b"\xff" * 256)),
    "key: zero": lambda p: (p.value, b64(bytes(256))),
    "key: one": lambda p: (p.value, b64(bytes(255) + b"\1")),
    "key: flipped": lambda p: (p.value, b64(unb64(p.key)[:-1] + bytes([unb64(p.key)[-1] ^ 1]))),
    "key: for another pair": lambda p: (
        p.value,
        b64(rsa.encrypt(committed_rsa_key(4096).public_key(), K, "pkcs1v15")),
    ),
    "key: another padding": lambda p: (p.value, p.wrap(K, "oaep_sha1")),
    "key: another string": lambda p: (p.value, p.wrap(base64.b64encode(b"another1"))),
    "key: string not encoded": lambda p: (p.value, p.wrap(STRING.encode())),
    "key: empty string": lambda p: (p.value, p.wrap(b"")),
    "padding: missing": lambda p: (
        b64(unb64(p.of(base64.b64encode(p.raw).ljust(1600)))[:1600]),
        p.key,
    ),
    "padding: of zeros": lambda p: (b64(unb64(p.of(b"e30=" + bytes(12)))[:16]), p.key),
    "padding: 17": lambda p: (b64(unb64(p.of(b"e30=" + bytes([17]) * 12))[:16]), p.key),
    "inside: no base64": lambda p: (p.of(p.raw), p.key),
    "inside: nothing": lambda p: (p.of(b""), p.key),
    "inside: not UTF-8": lambda p: (p.json(b'{"a":"\xff"}'), p.key),
    "inside: UTF-16": lambda p: (p.json('{"a":1}'.encode("utf-16")), p.key),
    "inside: a byte order mark": lambda p: (p.json(b"\xef\xbb\xbf" + p.raw), p.key),
    "inside: not JSON": lambda p: (p.json(b"hello"), p.key),
    "inside: a trailing comma": lambda p: (p.json(p.raw[:-1] + b",}"), p.key),
    "inside: cut": lambda p: (p.json(p.raw[:-1]), p.key),
    "inside: more": lambda p: (p.json(p.raw + b"x"), p.key),
    "inside: a member twice": lambda p: (p.json(b'{"a":1,' + p.raw[1:-1] + b',"a":2}'), p.key),
    "inside: too deep": lambda p: (p.json(b"[" * 5000 + b"]" * 5000), p.key),
    "inside: NaN": lambda p: (p.json(b'{"a":NaN}'), p.key),
    "inside: a huge number": lambda p: (p.json(b'{"a":1e400}'), p.key),
    "inside: too many digits": lambda p: (p.json(b"9" * 5000), p.key),
    "inside: half a surrogate": lambda p: (p.json(b'{"a":"\\ud800"}'), p.key),
    "inside: an array": lambda p: (p.json(b"[]"), p.key),
    "inside: a text": lambda p: (p.json(b'"x"'), p.key),
    "inside: null": lambda p: (p.json(b"null"), p.key),
}


@pytest.mark.parametrize("path", [SEALED, DIALER_SEALED])
def test_what_does_not_open_gets_one_reply(partner: Partner, path: str) -> None:
    parts = Parts(partner)
    before = counts()
    replies = set()
    for name, spoil in DOES_NOT_OPEN.items():
        value, key = spoil(parts)
        reply = partner.post(
            path,
            {
                "requestEncryptedValue": value,
                "requestDigitalSignatureValue": key,
                "flow-id": partner.flow_id,
            },
        )
        del reply["X-Request-Id"]
        replies.add((reply.status_code, reply.content, tuple(sorted(reply.items()))))
        assert reply.content == error(Code.INVALID_FORMAT), name
    assert len(replies) == 1
    assert counts() == before
    rows = ExchangeRow.objects.all()
    assert len(rows) == len(DOES_NOT_OPEN)
    assert {row.outcome for row in rows} == {Outcome.REFUSED}
    assert {row.reason for row in rows} == {"cannot_open"}
    # The operator sees the step that the partner is not told.
    assert {*STEPS, "shape"} == {row.step for row in rows}
    assert partner.post(path, _good(partner, parts)).content != error(Code.INVALID_FORMAT)


def _good(partner: Partner, parts: Parts) -> dict[str, Any]:
    return {
        "requestEncryptedValue": parts.value,
        "requestDigitalSignatureValue": parts.key,
        "flow-id": partner.flow_id,
    }


def _outer(**changes: Any) -> Callable[[dict[str, Any]], bytes]:
    def spoil(envelope: dict[str, Any]) -> bytes:
        made = {**envelope, **{name.replace("_", "-"): v for name, v in changes.items()}}
        return json.dumps({name: v for name, v in made.items() if v is not ...}).encode()

    return spoil


def _text(change: Callable[[bytes], bytes]) -> Callable[[dict[str, Any]], bytes]:
    return lambda envelope: change(json.dumps(envelope).encode())


OUTER: dict[str, tuple[Callable[[dict[str, Any]], bytes], Code]] = {
    "empty": (_text(lambda _: b""), Code.INVALID_FORMAT),
    "not JSON": (_text(lambda _: b"flow-id=Kx92LmQ7"), Code.INVALID_FORMAT),
    "XML": (_text(lambda _: b"<a/>"), Code.INVALID_FORMAT),
    "not UTF-8": (_text(lambda t: t.replace(b"{", b'{"x":"\xff",', 1)), Code.INVALID_FORMAT),
    "UTF-16": (_text(lambda t: t.decode().encode("utf-16")), Code.INVALID_FORMAT),
    "a byte order mark": (_text(lambda t: b"\xef\xbb\xbf" + t), Code.INVALID_FORMAT),
    "a trailing comma": (_text(lambda t: t[:-1] + b",}"), Code.INVALID_FORMAT),
    "cut": (_text(lambda t: t[:-1]), Code.INVALID_FORMAT),
    "two values": (_text(lambda t: t + t), Code.INVALID_FORMAT),
    "NUL after it": (_text(lambda t: t + b"\0"), Code.INVALID_FORMAT),
    "a member twice": (
        _text(lambda t: b'{"flow-id":"Zz000000",' + t[1:]),
        Code.INVALID_FORMAT,
    ),
    "too deep": (
        _text(lambda t: b'{"x":' + b"[" * 100 + b"]" * 100 + b"," + t[1:]),
        Code.INVALID_FORMAT,
    ),
    "an array": (_text(lambda t: b"[" + t + b"]"), Code.INVALID_FORMAT),
    "null": (_text(lambda _: b"null"), Code.INVALID_FORMAT),
    "a number": (_text(lambda _: b"1e999"), Code.INVALID_FORMAT),
    "no value": (_outer(requestEncryptedValue=...), Code.INVALID_FORMAT),
    "value null": (_outer(requestEncryptedValue=None), Code.INVALID_FORMAT),
    "value a number": (_outer(requestEncryptedValue=10**400), Code.INVALID_FORMAT),
    "value a list": (_outer(requestEncryptedValue=["x"]), Code.INVALID_FORMAT),
    "no key": (_outer(requestDigitalSignatureValue=...), Code.INVALID_FORMAT),
    "key an object": (_outer(requestDigitalSignatureValue={}), Code.INVALID_FORMAT),
    "no flow-id": (_outer(flow_id=...), Code.INVALID_FLOW_ID),
    "flow-id null": (_outer(flow_id=None), Code.INVALID_FLOW_ID),
    "flow-id a number": (_outer(flow_id=12345678), Code.INVALID_FLOW_ID),
    "flow-id a list": (_outer(flow_id=["Kx92LmQ7"]), Code.INVALID_FLOW_ID),
    "flow-id short": (_outer(flow_id="Kx92LmQ"), Code.INVALID_FLOW_ID),
    "flow-id long": (_outer(flow_id="K" * 100_000), Code.INVALID_FLOW_ID),
    "flow-id with NUL": (_outer(flow_id="Kx92Lm\0Q"), Code.INVALID_FLOW_ID),
    "flow-id unknown": (_outer(flow_id="Zz000000"), Code.INVALID_FLOW_ID),
    "flow-id and SQL": (_outer(flow_id="' OR 1=1"), Code.INVALID_FLOW_ID),
}


@pytest.mark.parametrize("path", [SEALED, DIALER_SEALED])
def test_bad_envelopes(partner: Partner, path: str) -> None:
    envelope = json.loads(partner.seal(partner.request()))
    before = counts()
    for case, (spoil, code) in OUTER.items():
        reply = partner.post(path, spoil(envelope))
        assert (reply.status_code, reply.content) == (200, error(code)), case
    assert counts() == before


@pytest.mark.parametrize("path", [PLAIN, DIALER_PLAIN, PULL, HELPER])
def test_bad_plain_bodies(partner: Partner, path: str) -> None:
    before = counts()
    for case, (spoil, code) in OUTER.items():
        if case.startswith(("value", "no value", "key", "no key")):
            continue
        reply = partner.post(path, spoil(partner.request()))
        assert (reply.status_code, reply.content) == (200, error(code)), case
    assert counts() == before


OTHER_TYPES = [
    "text/html",
    "application/xml",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/jsonp",
    "json",
    "application/json, text/html",
    "\x00",
]


def test_bodies_declared_as_something_else(partner: Partner) -> None:
    before = counts()
    for content_type in OTHER_TYPES:
        for path, body in ((PLAIN, partner.request()), (SEALED, partner.seal(partner.request()))):
            reply = partner.post(path, body, content_type=content_type)
            assert reply.content == error(Code.INVALID_FORMAT), content_type
    assert counts() == before


@pytest.mark.parametrize(
    "headers",
    [
        {"HTTP_CONTENT_ENCODING": "gzip"},
        {"HTTP_SECURITY_ID": "x", "HTTP_FLOW_ID": "Zz000000"},
        {"HTTP_AUTHORIZATION": "Basic eDp5,Basic eDp5"},
        {"HTTP_X_FORWARDED_FOR": "1.1.1.1, , nonsense"},
        {"HTTP_X_REQUEST_ID": "a,b"},
        {"HTTP_HOST": "localhost", "HTTP_X_FORWARDED_HOST": "evil.example"},
        {"HTTP_COOKIE": "csrftoken=1; sessionid=2"},
    ],
    ids=repr,
)
def test_headers_decide_nothing(partner: Partner, headers: dict[str, str]) -> None:
    answer = partner.sealed(partner.request(), **headers)
    assert answer["api-response-code"] == 200


@pytest.mark.parametrize(
    ("declared", "code", "status"),
    [
        ("99999999999999999999", Code.INVALID_FORMAT, 413),
        ("262145", Code.INVALID_FORMAT, 413),
        ("10", Code.INVALID_FORMAT, 200),
        ("-5", Code.INVALID_FORMAT, 200),
        ("abc", Code.INVALID_FORMAT, 200),
    ],
)
def test_lengths_that_lie(partner: Partner, declared: str, code: Code, status: int) -> None:
    before = counts()
    reply = partner.post(PLAIN, partner.request(), CONTENT_LENGTH=declared)
    assert (reply.status_code, reply.content) == (status, error(code))
    assert counts() == before


def test_replays_of_a_sealed_request(partner: Partner) -> None:
    body = partner.seal(partner.request())
    assert json.loads(partner.post(SEALED, body).content)["api-response-code"] == 200
    before = counts()
    for path in (SEALED, DIALER_SEALED):
        assert partner.post(path, body).content == error(Code.CHECKSUM_REPEATED)
    assert counts() == before


def test_blocks_swapped_inside_are_not_believed(partner: Partner) -> None:
    """ECB lets anybody reorder blocks: what comes out must still carry the security-id."""
    parts = Parts(partner)
    blocks = [unb64(parts.value)[at : at + 16] for at in range(0, len(unb64(parts.value)), 16)]
    before = counts()
    for first in range(9):
        swapped = list(blocks)
        swapped[first], swapped[first + 1] = swapped[first + 1], swapped[first]
        body = {**_good(partner, parts), "requestEncryptedValue": b64(b"".join(swapped))}
        answer = json.loads(partner.post(SEALED, body).content)
        assert answer["api-response-code"] in (400, 202, 301)
    assert counts() == before
