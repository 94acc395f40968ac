"""Bad requests: the exact status, an empty body, and nothing written."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from crypto_schemes import base64_text
from crypto_schemes.ciphers import aes, rsa
from crypto_schemes.whatsapp_flows.signatures import sign_body, sign_flow_token
from flows_endpoint.models import ExchangeRow
from tests.crypto_schemes.whatsapp_partner import IV, KEY, app_secret
from tests.flows_endpoint.whatsapp_flows.conftest import MakePhone
from tests.flows_endpoint.whatsapp_flows.platform import Phone, business_rows

pytestmark = pytest.mark.django_db
STEP = {
    "version": "3.0",
    "action": "data_exchange",
    "screen": "DETAILS",
    "data": {"name": "a"},
    "flow_token": "ft-1",
}
RAW = json.dumps(STEP).encode()
OAEP = rsa.RSAPadding.OAEP_SHA256


@pytest.fixture(scope="module")
def stranger() -> RSAPrivateKey:
    """A key of nobody here."""
    return rsa.generate(2048)


class Maker:
    """Makes bodies for the phone's flow, wrong in one way."""

    def __init__(self, phone: Phone, stranger: RSAPrivateKey) -> None:
        self.public: Any = rsa.load_public_pem(phone.public_key)
        self.stranger = stranger.public_key()
        self.block = self.wrap(KEY)
        self.data = self.gcm(RAW)

    def wrap(self, key: bytes, to: Any = None, padding: rsa.RSAPadding = OAEP) -> str:
        return base64_text.encode(rsa.encrypt(to or self.public, key, padding))

    def gcm(self, raw: bytes, key: bytes = KEY, iv: bytes = IV, aad: bytes | None = None) -> str:
        return base64_text.encode(aes.gcm_encrypt(key, iv, raw, aad))

    def body(self, **changes: Any) -> bytes:
        outer: dict[str, Any] = {
            "encrypted_flow_data": self.data,
            "encrypted_aes_key": self.block,
            "initial_vector": base64_text.encode(IV),
        }
        outer = {name: value for name, value in (outer | changes).items() if value is not ...}
        return json.dumps(outer).encode()

    def inside(self, raw: bytes | Any) -> bytes:
        raw = raw if isinstance(raw, bytes) else json.dumps(raw).encode()
        return self.body(encrypted_flow_data=self.gcm(raw))


Make = Callable[[Maker], bytes]
#: What cannot be opened: name, step in the log, how to make it.
UNOPENABLE: list[tuple[str, str, Make]] = [
    ("empty", "envelope", lambda m: b""),
    ("one brace", "envelope", lambda m: b"{"),
    ("a list", "envelope", lambda m: b"[]"),
    ("null", "envelope", lambda m: b"null"),
    ("a number", "envelope", lambda m: b"1"),
    ("bad UTF-8", "envelope", lambda m: m.body().replace(b"{", b"{\xff", 1)),
    ("UTF-16", "envelope", lambda m: m.body().decode().encode("utf-16")),
    ("byte order mark", "envelope", lambda m: b"\xef\xbb\xbf" + m.body()),
    ("NUL at the end", "envelope", lambda m: m.body() + b"\x00"),
    ("two values", "envelope", lambda m: m.body() * 2),
    ("cut", "envelope", lambda m: m.body()[:-5]),
    ("deep nesting", "envelope", lambda m: b"[" * 200_000),
    ("a member twice", "envelope", lambda m: m.body()[:-1] + b',"initial_vector":"AA=="}'),
    ("NaN beside", "envelope", lambda m: m.body()[:-1] + b',"x":NaN}'),
    ("half a surrogate beside", "envelope", lambda m: m.body()[:-1] + b',"x":"\\udc00"}'),
    ("form data", "envelope", lambda m: b"encrypted_flow_data=a&initial_vector=b"),
    ("no data", "envelope", lambda m: m.body(encrypted_flow_data=...)),
    ("no key", "envelope", lambda m: m.body(encrypted_aes_key=...)),
    ("no IV", "envelope", lambda m: m.body(initial_vector=...)),
    ("data a number", "envelope", lambda m: m.body(encrypted_flow_data=1)),
    ("key an object", "envelope", lambda m: m.body(encrypted_aes_key={})),
    ("IV null", "envelope", lambda m: m.body(initial_vector=None)),
    ("IV true", "envelope", lambda m: m.body(initial_vector=True)),
    ("data not base64", "base64", lambda m: m.body(encrypted_flow_data="not base64!")),
    ("data with a line break", "base64", lambda m: m.body(encrypted_flow_data=f"{m.data[:4]}\n")),
    ("data unpadded", "base64", lambda m: m.body(encrypted_flow_data="QUE")),
    ("key URL base64", "base64", lambda m: m.body(encrypted_aes_key="_-" * 172)),
    ("key with NUL", "base64", lambda m: m.body(encrypted_aes_key="\x00" * 344)),
    ("IV hex", "iv", lambda m: m.body(initial_vector=IV.hex())),
    ("IV of 12 bytes", "iv", lambda m: m.body(initial_vector=base64_text.encode(IV[:12]))),
    ("IV of 32 bytes", "iv", lambda m: m.body(initial_vector=base64_text.encode(IV * 2))),
    ("IV empty", "iv", lambda m: m.body(initial_vector="")),
    ("key for a stranger", "rsa", lambda m: m.body(encrypted_aes_key=m.wrap(KEY, m.stranger))),
    ("key truncated", "rsa", lambda m: m.body(encrypted_aes_key=m.block[:-4])),
    ("key extended", "rsa", lambda m: m.body(encrypted_aes_key="AAAA" + m.block)),
    ("key empty", "rsa", lambda m: m.body(encrypted_aes_key="")),
    ("key of ones", "rsa", lambda m: m.body(encrypted_aes_key=base64_text.encode(b"\xff" * 256))),
    (
        "key in PKCS#1 v1.5",
        "rsa",
        lambda m: m.body(encrypted_aes_key=m.wrap(KEY, padding=rsa.RSAPadding.PKCS1V15)),
    ),
    (
        "key in OAEP SHA-1",
        "rsa",
        lambda m: m.body(encrypted_aes_key=m.wrap(KEY, padding=rsa.RSAPadding.OAEP_SHA1)),
    ),
    ("AES-256 key", "rsa", lambda m: m.body(encrypted_aes_key=m.wrap(KEY * 2))),
    ("another AES key", "gcm", lambda m: m.body(encrypted_flow_data=m.gcm(RAW, key=IV))),
    ("another IV", "gcm", lambda m: m.body(encrypted_flow_data=m.gcm(RAW, iv=KEY))),
    ("associated data", "gcm", lambda m: m.body(encrypted_flow_data=m.gcm(RAW, aad=b"x"))),
    ("data truncated", "gcm", lambda m: m.body(encrypted_flow_data=m.data[4:])),
    ("data extended", "gcm", lambda m: m.body(encrypted_flow_data="AAAA" + m.data)),
    ("data empty", "gcm", lambda m: m.body(encrypted_flow_data="")),
    ("data of a tag's length", "gcm", lambda m: m.body(encrypted_flow_data="A" * 20 + "AA==")),
    ("nothing inside", "json", lambda m: m.inside(b"")),
    ("text inside", "json", lambda m: m.inside(b"hello")),
    ("bad UTF-8 inside", "json", lambda m: m.inside(b'{"a":"\xff"}')),
    ("Infinity inside", "json", lambda m: m.inside(b'{"a":Infinity}')),
    ("1e400 inside", "json", lambda m: m.inside(b'{"a":1e400}')),
    ("10,000 digits inside", "json", lambda m: m.inside(b'{"a":' + b"9" * 10_000 + b"}")),
    ("deep nesting inside", "json", lambda m: m.inside(b'{"data":' * 70 + b"1" + b"}" * 70)),
    ("a member twice inside", "json", lambda m: m.inside(RAW[:-1] + b',"action":"ping"}')),
    ("half a surrogate inside", "json", lambda m: m.inside(b'{"a":"\\ud83d"}')),
    ("null inside", "payload", lambda m: m.inside(None)),
    ("a list inside", "payload", lambda m: m.inside([STEP])),
    ("an empty object inside", "payload", lambda m: m.inside({})),
    ("no version", "payload", lambda m: m.inside(STEP | {"version": None})),
    ("version a number", "payload", lambda m: m.inside(STEP | {"version": 3.0})),
    ("version 2.0", "payload", lambda m: m.inside(STEP | {"version": "2.0"})),
    ("no action", "payload", lambda m: m.inside(STEP | {"action": None})),
    ("unknown action", "payload", lambda m: m.inside(STEP | {"action": "delete"})),
    ("action a list", "payload", lambda m: m.inside(STEP | {"action": ["INIT"]})),
    ("action in another case", "payload", lambda m: m.inside(STEP | {"action": "init"})),
    ("screen a number", "payload", lambda m: m.inside(STEP | {"screen": 1})),
    ("data a list", "payload", lambda m: m.inside(STEP | {"data": []})),
    ("data a text", "payload", lambda m: m.inside(STEP | {"data": "x"})),
    ("token a number", "payload", lambda m: m.inside(STEP | {"flow_token": 1})),
    ("token an object", "payload", lambda m: m.inside(STEP | {"flow_token": {}})),
]


def _seen(response: Any) -> tuple[int, bytes, str]:
    """Return status, body and the operator's step of the request just answered."""
    row = ExchangeRow.objects.order_by("-id")[0]
    assert row.outcome == "refused"
    return response.status_code, response.content, f"{row.reason} {row.step}"


def test_what_cannot_be_opened_is_421_and_nothing_else(
    phone: Phone, stranger: RSAPrivateKey
) -> None:
    maker, before = Maker(phone, stranger), business_rows()
    seen, replies = {}, set()
    for name, _, make in UNOPENABLE:
        response = phone.post(make(maker))
        seen[name] = _seen(response)
        headers = {name: value for name, value in response.items() if name != "X-Request-Id"}
        replies.add((response.status_code, response.content, json.dumps(headers, sort_keys=True)))
    assert seen == {name: (421, b"", f"cannot_open {step}") for name, step, _ in UNOPENABLE}
    assert len(replies) == 1
    assert business_rows() == before


def _sign(phone: Phone, body: bytes) -> str:
    return sign_body(body, phone.app_secret)


SIGNATURES: list[tuple[str, Callable[[Phone, bytes], str | None]]] = [
    ("missing", lambda p, b: None),
    ("empty", lambda p, b: ""),
    ("no digits", lambda p, b: "sha256="),
    ("without its name", lambda p, b: _sign(p, b)[7:]),
    ("one digit short", lambda p, b: _sign(p, b)[:-1]),
    ("one digit long", lambda p, b: _sign(p, b) + "0"),
    ("upper case", lambda p, b: _sign(p, b).upper()),
    ("sha1", lambda p, b: _sign(p, b).replace("sha256", "sha1")),
    ("twice", lambda p, b: f"{_sign(p, b)},{_sign(p, b)}"),
    ("not hex", lambda p, b: "sha256=" + "z" * 64),
    ("not ASCII", lambda p, b: "sha256=" + "\xe9" * 64),
    ("very long", lambda p, b: "sha256=" + "0" * 100_000),
    ("by another secret", lambda p, b: sign_body(b, app_secret("someone-elses"))),
    ("of another body", lambda p, b: _sign(p, b + b" ")),
    ("of the parsed body", lambda p, b: _sign(p, json.dumps(json.loads(b)).encode())),
]


def test_a_bad_signature_is_432_and_nothing_else(phone: Phone) -> None:
    before, body = business_rows(), phone.seal(STEP).body
    seen = {}
    for name, make in SIGNATURES:
        signature = make(phone, body)
        headers = {} if signature is None else {"X-Hub-Signature-256": signature}
        response = phone.http.post(
            phone.path, data=body, content_type="application/json", headers=headers
        )
        seen[name] = _seen(response)
    expected = {name: (432, b"", "not_authentic bad_signature") for name, _ in SIGNATURES}
    for name in ("missing", "empty"):
        expected[name] = (432, b"", "not_authentic signature_missing")
    assert seen == expected
    assert business_rows() == before


@pytest.mark.parametrize("name", ["X-Hub-Signature", "X_Hub_Signature_256", "X-Signature"])
def test_a_signature_under_another_name_does_not_count(phone: Phone, name: str) -> None:
    body = phone.seal(STEP).body
    meta: Any = {f"HTTP_{name.upper().replace('-', '_')}": _sign(phone, body)}
    response = phone.http.post(phone.path, data=body, content_type="application/json", **meta)
    # WSGI cannot tell the two spellings of the right name apart; the web server drops the wrong.
    assert response.status_code == (200 if name == "X_Hub_Signature_256" else 432)


def test_a_body_changed_on_the_way_is_432(phone: Phone) -> None:
    body = phone.seal(STEP).body
    signature = _sign(phone, body)
    for changed in (body[:-1], body + b"\n", body.replace(b"\\/", b"/", 1), b""):
        if changed != body:
            assert phone.post(changed, signature).status_code == 432


TOKENS: list[tuple[str, dict[str, Any]]] = [
    ("of another token", {"flow_token_signature": sign_flow_token("ft-2", app_secret())}),
    ("not a JWT", {"flow_token_signature": "abc"}),
    ("a number", {"flow_token_signature": 1}),
    ("an object", {"flow_token_signature": {}}),
    ("unsigned", {"flow_token_signature": "eyJhbGciOiJub25lIn0.eyJmbG93X3Rva2VuIjoiZnQtMSJ9."}),
]


@pytest.mark.parametrize("changes", [case[1] for case in TOKENS], ids=[c[0] for c in TOKENS])
def test_a_bad_flow_token_signature_is_432(phone: Phone, changes: dict[str, Any]) -> None:
    before = business_rows()
    reply = phone.send(STEP | {"version": "4.0"} | changes)
    assert (reply.status, reply.body) == (432, b"")
    assert business_rows() == before
    assert ExchangeRow.objects.get().step == "bad_token_signature"


def test_a_missing_flow_token_signature_is_432_where_required(make_phone: MakePhone) -> None:
    phone = make_phone(options={"require_token_signature": True})
    before = business_rows()
    reply = phone.send(STEP | {"version": "4.0"})
    assert (reply.status, reply.body) == (432, b"")
    assert business_rows() == before
    signed = {"flow_token_signature": sign_flow_token("ft-1", phone.app_secret)}
    assert phone.send(STEP | {"version": "4.0"} | signed).status == 200


STRANGE: list[tuple[str, dict[str, Any]]] = [
    ("huge number", {"data": {"name": 10**4000}}),
    ("negative zero", {"data": {"name": -0.0}}),
    ("NUL in the token", {"flow_token": "a\x00b"}),
    ("NUL in the data", {"data": {"na\x00me": "\x00"}}),
    ("long token", {"flow_token": "x" * 100_000}),
    ("long screen", {"screen": "x" * 100_000}),
    ("NUL in the screen", {"screen": "\x00"}),
    ("every member an object", {"data": {n: {} for n in ("service", "branch", "date", "time")}}),
    ("emoji", {"flow_token": "\U0001f600", "screen": "\U0001f600"}),
    ("unknown members", {"more": [1, 2, {"x": None}]}),
    (
        "deep data",
        {"data": json.loads("[" * 60 + "]" * 60) and {"x": json.loads("[" * 60 + "]" * 60)}},
    ),
]


@pytest.mark.parametrize("screen", ["APPOINTMENT", "DETAILS", "SUMMARY"])
def test_a_strange_step_gets_a_screen(phone: Phone, screen: str) -> None:
    seen = {}
    for name, changes in STRANGE:
        reply = phone.send(STEP | {"screen": screen} | changes)
        message = reply.value["data"]["error_message"] if reply.status == 200 else None
        seen[name] = (reply.status, type(message))
    assert seen == {name: (200, str) for name, _ in STRANGE}


def test_a_replayed_request_gets_the_first_reply_byte_for_byte(phone: Phone) -> None:
    sent = phone.seal(STEP)
    first, again = phone.post(sent.body), phone.post(sent.body)
    assert (first.status_code, again.status_code) == (200, 200)
    # The same key and IV never seal two different texts.
    assert first.content == again.content
