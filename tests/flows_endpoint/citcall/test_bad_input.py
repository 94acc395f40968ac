"""Bad requests: the contract's exact error, no row changed, and never a 500."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from crypto_schemes.ciphers import additive
from tests.flows_endpoint.citcall.partner import ORDER, Partner, encoded, rows

pytestmark = pytest.mark.django_db

UNKNOWN = b'{"rc":"06","info":"Unknown error"}'
NO_USERID = b'{"rc":"77","info":"Userid not found"}'
MISSING = b'{"rc":"88","info":"Missing parameter"}'
NO_KEY = b'{"rc":"96","info":"Apikey not found or non active"}'
FAILED = b'{"rc":"98","info":"Authorization failed"}'
METHOD = b'{"rc":"99","info":"Wrong method"}'

Make = Callable[[Partner], dict[str, Any]]


@dataclass(frozen=True)
class Bad:
    """One bad request: how to send it, and the reply."""

    name: str
    make: Make = field(repr=False)
    body: bytes


def enciphered(partner: Partner, text: bytes) -> str:
    """Return ``data`` of any ASCII text, with a time stamp or without."""
    half = additive.add(text, partner.userid.encode())
    raw = additive.add(half, partner.key.encode())
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def text(inner: str) -> Make:
    """Send ``inner`` as the JSON text, with a good time stamp."""
    return lambda partner: {"data": partner.data_of(inner)}


def order(**members: Any) -> Make:
    return lambda partner: {"data": partner.data(ORDER | members)}


def without(member: str) -> Make:
    left = {name: value for name, value in ORDER.items() if name != member}
    return lambda partner: {"data": partner.data(left)}


def data(change: Callable[[str], Any]) -> Make:
    """Send good data, changed."""
    return lambda partner: {"data": change(partner.data())}


def body(raw: bytes) -> Make:
    return lambda _: {"body": raw}


def header(value: str | None) -> Make:
    return lambda _: {"header": value}


def stamped(seconds: float) -> Make:
    return lambda partner: {"data": partner.data(now=time.time() + seconds)}


def plain(inner: bytes) -> Make:
    return lambda partner: {"data": enciphered(partner, inner)}


def high_bit(good: str) -> str:
    raw = bytearray(base64.urlsafe_b64decode(good + "=" * (-len(good) % 4)))
    raw[5] |= 0x80
    return base64.urlsafe_b64encode(raw).decode()


def method(name: str) -> Bad:
    return Bad(f"method {name}", lambda _: {"method": name}, METHOD)


def other_key(partner: Partner) -> dict[str, Any]:
    good, partner.key = partner.key, "0123456789abcdef" * 2
    sealed = partner.data()
    partner.key = good
    return {"data": sealed}


def other_userid(partner: Partner) -> dict[str, Any]:
    good, partner.userid = partner.userid, "partner02"
    sealed = partner.data()
    partner.userid = good
    return {"data": sealed}


def now_backwards() -> bytes:
    return str(int(time.time()))[::-1].encode()


#: Whatever cannot be opened, comes at the wrong time or names nobody readable: one reply.
ONE_REPLY = [
    Bad("base64 with a star", data(lambda good: good[:-1] + "*"), FAILED),
    Bad(
        "base64 of impossible length", data(lambda good: good + "A" * (1 + -len(good) % 4)), FAILED
    ),
    Bad("base64 with blanks", data(lambda good: good[:8] + " " + good[8:]), FAILED),
    Bad("base64 with a line break", data(lambda good: good + "\n"), FAILED),
    Bad("base64 with padding inside", data(lambda good: good[:8] + "==" + good[8:]), FAILED),
    Bad("base64 with too much padding", data(lambda good: good + "===="), FAILED),
    Bad("not ASCII at all", data(lambda _: "Zoë-données"), FAILED),
    Bad("NUL in data", data(lambda good: good + "\x00"), FAILED),
    Bad("bytes above 127", data(high_bit), FAILED),
    Bad("cut in the time stamp", data(lambda good: good[:8]), FAILED),
    Bad("cut in the JSON", data(lambda good: good[:-8]), FAILED),
    Bad("extended", data(lambda good: good[: len(good) // 4 * 4] + "AAAA" * 4), FAILED),
    Bad("first bytes missing", data(lambda good: good[4:]), FAILED),
    Bad("one character of the stamp changed", data(lambda good: "x" + good[1:]), FAILED),
    Bad("sealed under another key", other_key, FAILED),
    Bad("sealed under another userid", other_userid, FAILED),
    Bad("plain JSON as data", data(lambda _: json.dumps(ORDER)), FAILED),
    Bad("base64 of plain JSON", data(lambda _: encoded(json.dumps(ORDER))), FAILED),
    Bad("no dot", plain(b"0000000071" + b'{"msisdn":1}'.replace(b".", b"")), FAILED),
    Bad("no stamp", plain(b'.{"msisdn":"081200000001","gateway":1}'), FAILED),
    Bad("stamp not backwards", lambda p: {"data": enciphered(p, b"%d.{}" % time.time())}, FAILED),
    Bad("stamp with a sign", lambda p: {"data": enciphered(p, now_backwards() + b"+.{}")}, FAILED),
    Bad("stamp of letters", plain(b"yesterday.{}"), FAILED),
    Bad("stamp too long", plain(b"9" * 4000 + b".{}"), FAILED),
    Bad("too old", stamped(-482), FAILED),
    Bad("too far ahead", stamped(+483), FAILED),
    Bad("a day old", stamped(-86_400), FAILED),
    Bad("the year 1970", stamped(-time.time() + 1), FAILED),
    Bad("the far future", stamped(+1e10), FAILED),
    Bad("empty JSON", text(""), FAILED),
    Bad("two values", text("{}{}"), FAILED),
    Bad("a member twice", text('{"msisdn":"081200000001","msisdn":"0","gateway":1}'), FAILED),
    Bad("nested too deep", text("[" * 65 + "]" * 65), FAILED),
    Bad("nested far too deep", text("[" * 9_000), FAILED),
    Bad("half a surrogate", text('{"msisdn":"\\ud800","gateway":1}'), FAILED),
    Bad("a number out of range", text('{"msisdn":"081200000001","gateway":1e999}'), FAILED),
    Bad("a number of 5,000 digits", text('{"gateway":' + "1" * 5_000 + "}"), FAILED),
    Bad("NaN", text('{"msisdn":"081200000001","gateway":NaN}'), FAILED),
    Bad("a control character", text('{"msisdn":"0812\x000001","gateway":1}'), FAILED),
    Bad("single quotes", text("{'msisdn':'081200000001','gateway':1}"), FAILED),
    Bad("no header", header(None), FAILED),
    Bad("blank header", header(" "), FAILED),
    Bad("unknown scheme word", header("Bearer abc.def.ghi"), FAILED),
    Bad("userid in clear", header("partner01:0123456789abcdef"), FAILED),
    Bad("base64 of one word", header(encoded("partner01")), FAILED),
    Bad("base64 of nothing", header("Basic " + encoded(":")), FAILED),
    Bad("header not ASCII", header("Basic Zo\xeb"), FAILED),
    Bad("bad UTF-8 in the header", header(base64.b64encode(b"\xff\xfe:key").decode()), FAILED),
    Bad("header twins", lambda p: {"header": f"{p.header()},{p.header()}"}, FAILED),
    Bad("key twins", lambda p: {"header": f"Apikey {p.key},{p.key}"}, FAILED),
    Bad("endless header", header("Basic " + "A" * 8_000), FAILED),
    Bad("NUL in the userid", header(encoded("a\x00:" + "0" * 32)), FAILED),
]

OTHERS = [
    Bad("unknown userid", header(encoded("nobody:" + "0" * 32)), NO_USERID),
    Bad("userid in capitals", lambda p: {"header": encoded(f"PARTNER01:{p.key}")}, NO_USERID),
    Bad("longest userid", header(encoded("x" * 64 + ":" + "0" * 32)), NO_USERID),
    Bad("userid of SQL", header(encoded("'--;DROP/**/TABLE:" + "0" * 32)), NO_USERID),
    Bad("unknown key", header(encoded("partner01:" + "0" * 32)), NO_KEY),
    Bad("key in capitals", lambda p: {"header": encoded(f"partner01:{p.key.upper()}F")}, NO_KEY),
    Bad("short key", lambda p: {"header": encoded(f"partner01:{p.key[:-1]}")}, NO_KEY),
    Bad("unknown key alone", header("Apikey " + "f" * 32), NO_KEY),
    Bad("no body", body(b""), MISSING),
    Bad("bad UTF-8", body(b'{"data":"\xff\xfe"}'), MISSING),
    Bad("byte order mark", body(b'\xef\xbb\xbf{"data":"AAAA"}'), MISSING),
    Bad("UTF-16", body('{"data":"AAAA"}'.encode("utf-16")), MISSING),
    Bad("data twice", body(b'{"data":"AAAA","data":"BBBB"}'), MISSING),
    Bad("deep body", body(b"[" * 10_000), MISSING),
    Bad("form body", body(b"data=AAAA"), MISSING),
    Bad("XML body", body(b"<data>AAAA</data>"), MISSING),
    Bad("no data", body(b"{}"), MISSING),
    Bad("data in capitals", body(b'{"DATA":"AAAA"}'), MISSING),
    Bad("a list", body(b'["data"]'), MISSING),
    Bad("null", body(b"null"), MISSING),
    Bad("data null", body(b'{"data":null}'), MISSING),
    Bad("data a number", data(lambda _: 10**40), MISSING),
    Bad("data empty", data(lambda _: ""), MISSING),
    Bad("data a list", data(lambda good: [good]), MISSING),
    Bad("data an object", data(lambda good: {"data": good}), MISSING),
    Bad("plain JSON body", body(json.dumps(ORDER).encode()), MISSING),
    Bad("no content type", lambda _: {"content_type": ""}, MISSING),
    Bad("text/plain", lambda _: {"content_type": "text/plain"}, MISSING),
    Bad("form type", lambda _: {"content_type": "application/x-www-form-urlencoded"}, MISSING),
    Bad("a list inside", text("[]"), MISSING),
    Bad("null inside", text("null"), MISSING),
    Bad("nothing inside", text("{}"), MISSING),
    Bad("no msisdn", without("msisdn"), MISSING),
    Bad("no gateway", without("gateway"), MISSING),
    Bad("msisdn null", order(msisdn=None), MISSING),
    Bad("msisdn empty", order(msisdn=""), MISSING),
    Bad("gateway null", order(gateway=None), MISSING),
    Bad("msisdn a number", order(msisdn=81200000001), UNKNOWN),
    Bad("msisdn a list", order(msisdn=["081200000001"]), UNKNOWN),
    Bad("msisdn too short", order(msisdn="0812"), UNKNOWN),
    Bad("msisdn too long", order(msisdn="0" + "8" * 16), UNKNOWN),
    Bad("msisdn of letters", order(msisdn="nobody"), UNKNOWN),
    Bad("msisdn with NUL", order(msisdn="08\x0012"), UNKNOWN),
    Bad("gateway 0", order(gateway=0), UNKNOWN),
    Bad("gateway 5", order(gateway=5), UNKNOWN),
    Bad("gateway huge", order(gateway=10**100), UNKNOWN),
    Bad("gateway negative", order(gateway=-1), UNKNOWN),
    Bad("gateway a text", order(gateway="1"), UNKNOWN),
    Bad("gateway a fraction", order(gateway=1.0), UNKNOWN),
    Bad("gateway true", order(gateway=True), UNKNOWN),
    Bad("id a number", order(clientUniqueId=7), UNKNOWN),
    Bad("id true", order(clientUniqueId=True), UNKNOWN),
    Bad("id with NUL", order(clientUniqueId="a\x00b"), UNKNOWN),
    Bad("id too long", order(clientUniqueId="x" * 256), UNKNOWN),
    Bad("oversize", body(b'{"data":"' + b"A" * 17_000 + b'"}'), UNKNOWN),
    *map(method, ("GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW")),
]


def names(cases: list[Bad]) -> list[str]:
    return [case.name for case in cases]


@pytest.mark.parametrize("case", ONE_REPLY + OTHERS, ids=names(ONE_REPLY + OTHERS))
def test_a_bad_request_gets_its_error_and_changes_nothing(partner: Partner, case: Bad) -> None:
    before = rows()
    response = partner.post(**case.make(partner))
    assert (response.status_code, response.content) == (200, case.body)
    assert response["Content-Type"] == "application/json"
    assert rows() == before


def test_what_does_not_open_gets_one_and_the_same_reply(partner: Partner) -> None:
    replies = set()
    for case in ONE_REPLY:
        response = partner.post(**case.make(partner))
        headers = {k: v for k, v in response.headers.items() if k != "X-Request-Id"}
        replies.add((response.status_code, response.content, tuple(sorted(headers.items()))))
    used = partner.data({"msisdn": "081200000001", "gateway": 1})
    partner.post(used)
    response = partner.post(used)
    headers = {k: v for k, v in response.headers.items() if k != "X-Request-Id"}
    replies.add((response.status_code, response.content, tuple(sorted(headers.items()))))
    assert len(replies) == 1


def test_the_head_of_a_refusal_has_no_other_status(partner: Partner) -> None:
    before = rows()
    response = partner.post(method="HEAD")
    assert (response.status_code, response["Content-Type"]) == (200, "application/json")
    assert rows() == before


def test_there_are_enough_of_them() -> None:
    assert len(ONE_REPLY) >= 40
    assert len({case.name for case in ONE_REPLY + OTHERS}) == len(ONE_REPLY + OTHERS)
