"""What does not open: which error, after how much work, and never anything else."""

from __future__ import annotations

import base64
import json
import statistics
import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from crypto_schemes import citcall
from crypto_schemes.ciphers.additive import subtract as real_subtract
from crypto_schemes.ciphers.mac import equal as real_equal
from crypto_schemes.envelope import SealedReply, SealedRequest
from crypto_schemes.errors import (
    AuthenticationError,
    EnvelopeError,
    KeyMaterialError,
    OpenError,
    SchemeError,
)
from crypto_schemes.json_text import JSONValue
from crypto_schemes.json_text import parse as real_parse
from crypto_schemes.keys import Credentials, KeyVersion
from tests.crypto_schemes.citcall_partner import (
    CREDENTIALS,
    KEY,
    NOW,
    OLDER_KEY,
    OPTIONS,
    USERID,
    credentials,
    data_of,
    enciphered,
    request,
    sealed,
)
from tests.support.examples import examples

SCHEME = citcall.SCHEME
GOOD = data_of('{"msisdn":"081200000001","gateway":1}')
GOOD_BYTES = base64.urlsafe_b64decode(GOOD + "=" * (-len(GOOD) % 4))


def high_bit(position: int) -> str:
    """Return the good data with the eighth bit of one byte set."""
    changed = bytearray(GOOD_BYTES)
    changed[position] |= 0x80
    return base64.urlsafe_b64encode(changed).decode()


CANNOT_OPEN = [
    ("!", "base64"),
    ("A", "base64"),
    (GOOD[:-1] + "*", "base64"),
    (GOOD + "====", "base64"),
    ("AA=A", "base64"),
    (" " + GOOD, "base64"),
    (GOOD + "\n", "base64"),
    ("ZoëA", "base64"),
    (high_bit(0), "not_ascii"),
    (high_bit(11), "not_ascii"),
    (high_bit(-1), "not_ascii"),
    (enciphered("{}"), "no_stamp"),
    (enciphered("0000000071"), "no_stamp"),
    (enciphered("0000000071{}"), "no_stamp"),
    (enciphered(".{}"), "bad_stamp"),
    (enciphered("0000000070.{}"), "bad_stamp"),  # a leading zero, read backwards
    (enciphered("+000000071.{}"), "bad_stamp"),
    (enciphered(" 0000000071.{}"), "bad_stamp"),
    (enciphered("0000000071\n.{}"), "bad_stamp"),
    (enciphered("0000000000001.{}"), "bad_stamp"),
    (enciphered("0000000071,{}.{}"), "bad_stamp"),
    (enciphered("0000000071."), "json"),
    (enciphered("0000000071.{"), "json"),
    (enciphered("0000000071..{}"), "json"),
    (enciphered("0000000071.{}{}"), "json"),
    (enciphered("0000000071.{}\x00"), "json"),
    (enciphered('0000000071.{"a":1,"a":2}'), "json"),
    (enciphered('0000000071."\\ud800"'), "json"),
    (enciphered("0000000071.NaN"), "json"),
    (enciphered("0000000071.1e999"), "json"),
    (enciphered("0000000071." + "[" * 65 + "]" * 65), "json"),
    (enciphered('0000000071.{"n":1}', key=OLDER_KEY), "no_stamp"),
    (GOOD[:12], "no_stamp"),
    (GOOD[:-4], "json"),
    (GOOD + "AAAA", "json"),
    (GOOD[4:], "bad_stamp"),
]


@pytest.mark.parametrize(("data", "code"), CANNOT_OPEN)
def test_what_cannot_be_opened_names_the_step_for_the_log(data: str, code: str) -> None:
    with pytest.raises(OpenError) as caught:
        SCHEME.open_request(request(data), CREDENTIALS, OPTIONS, now=NOW)
    assert caught.value.code == code
    assert caught.value.what == "The data does not open under this userid and API key."


@pytest.mark.parametrize(("data", "code"), CANNOT_OPEN)
def test_each_step_is_made_whatever_failed_before(
    data: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    def subtract(text: bytes, key: bytes) -> bytes:
        done.append("subtract")
        return real_subtract(text, key)

    def parse(raw: bytes) -> JSONValue:
        done.append("parse")
        return real_parse(raw)

    monkeypatch.setattr("crypto_schemes.ciphers.additive.subtract", subtract)
    monkeypatch.setattr("crypto_schemes.citcall.sealed_text.parse", parse)
    with pytest.raises(OpenError):
        citcall.open_text(data, USERID, KEY)
    assert done == ["subtract", "subtract", "parse"]


def test_the_time_of_a_refusal_names_no_step() -> None:
    long = "x" * 20_000
    cases = {
        "base64": "!" + data_of(json.dumps(long)),
        "no_stamp": enciphered("0000000071" + json.dumps(long)),
        "bad_stamp": enciphered("x." + json.dumps(long)),
        "json": enciphered("0000000071." + json.dumps(long)[:-1]),
    }
    medians = {}
    for name, data in cases.items():
        times = []
        for _ in range(15):
            started = time.thread_time()
            with pytest.raises(OpenError):
                citcall.open_text(data, USERID, KEY)
            times.append(time.thread_time() - started)
        medians[name] = statistics.median(times)
    assert max(medians.values()) < 20 * min(medians.values())


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "no_authorization"),
        (" ", "no_authorization"),
        ("Bearer abc", "bad_authorization"),
        (basic(f"someone:{KEY}"), "unknown_userid"),
        (basic(f"{USERID.upper()}:{KEY}"), "unknown_userid"),
        (basic(f"{USERID}x:{KEY}"), "unknown_userid"),
        (basic(f"someone:{OLDER_KEY}"), "unknown_userid"),
        (basic(f"{USERID}:{OLDER_KEY}"), "unknown_api_key"),
        (basic(f"{USERID}:{KEY.upper()}"), "unknown_api_key"),
        (basic(f"{USERID}:{KEY[:-1]}"), "unknown_api_key"),
        (f"Apikey {OLDER_KEY}", "unknown_api_key"),
    ],
)
def test_who_is_not_known(header: str | None, code: str) -> None:
    with pytest.raises(AuthenticationError) as caught:
        SCHEME.open_request(request(GOOD, header), CREDENTIALS, OPTIONS, now=NOW)
    assert caught.value.code == code


def test_every_accepted_key_is_compared_whichever_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def equal(left: str, right: str) -> bool:
        seen.append(left)
        return real_equal(left, right)

    monkeypatch.setattr("crypto_schemes.ciphers.mac.equal", equal)
    owner = credentials("1" * 32, "2" * 32, "3" * 32)
    for key in ("1" * 32, "2" * 32, "3" * 32, "4" * 32):
        seen.clear()
        with pytest.raises(SchemeError):
            SCHEME.open_request(request("!", key=key), owner, OPTIONS, now=NOW)
        assert seen == ["1" * 32, "2" * 32, "3" * 32, USERID]


def test_the_sender_is_checked_before_the_body_is_read() -> None:
    sent = replace(request(GOOD, key=OLDER_KEY), body=b"\xff")
    with pytest.raises(AuthenticationError):
        SCHEME.open_request(sent, CREDENTIALS, OPTIONS, now=NOW)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "not_json"),
        (b"{", "not_json"),
        (b"\xef\xbb\xbf{}", "not_json"),
        (b'{"data":"\xff"}', "not_json"),
        (b'{"data":"a","data":"b"}', "not_json"),
        (b'{"data":"\\ud800"}', "not_json"),
        (b"data=abc", "not_json"),
        (b"{}", "missing_data"),
        (b"[]", "missing_data"),
        (b"null", "missing_data"),
        (b'"data"', "missing_data"),
        (b'{"data":null}', "missing_data"),
        (b'{"data":1}', "missing_data"),
        (b'{"data":""}', "missing_data"),
        (b'{"data":["a"]}', "missing_data"),
        (b'{"Data":"a"}', "missing_data"),
    ],
)
def test_a_body_that_is_no_envelope(body: bytes, code: str) -> None:
    with pytest.raises(EnvelopeError) as caught:
        SCHEME.open_request(replace(sealed(), body=body), CREDENTIALS, OPTIONS, now=NOW)
    assert caught.value.code == code


@pytest.mark.parametrize("userid", ["", "a b", "a:b", "a,b", "Zoë", "x" * 65])
def test_a_flow_without_a_usable_userid_opens_and_seals_nothing(userid: str) -> None:
    owner = credentials(KEY, userid=userid)
    with pytest.raises(KeyMaterialError):
        SCHEME.seal_request({}, owner, OPTIONS, now=NOW)
    with pytest.raises(KeyMaterialError):
        SCHEME.open_request(request(GOOD), owner, OPTIONS, now=NOW)


def test_material_of_another_kind_is_refused() -> None:
    version = KeyVersion("key-1", "api_key", 1, b"bytes")
    owner = Credentials({"userid": USERID}, {"api_key": (version,)})
    with pytest.raises(KeyMaterialError):
        SCHEME.open_request(request(GOOD), owner, OPTIONS, now=NOW)


def test_no_key_at_all_knows_nobody() -> None:
    with pytest.raises(AuthenticationError):
        SCHEME.open_request(request(GOOD), Credentials({"userid": USERID}), OPTIONS, now=NOW)


def test_errors_quote_neither_key_nor_text() -> None:
    for data, _ in CANNOT_OPEN:
        with pytest.raises(OpenError) as caught:
            SCHEME.open_request(request(data), CREDENTIALS, OPTIONS, now=NOW)
        shown = f"{caught.value} {caught.value!r} {caught.value.args}"
        assert KEY not in shown
        assert len(data) < 20 or data[:20] not in shown
        assert caught.value.__cause__ is None
    opened = SCHEME.open_request(request(GOOD), CREDENTIALS, OPTIONS, now=NOW)
    assert KEY not in repr(opened)
    assert "msisdn" not in repr(opened)
    assert "msisdn" not in repr(citcall.open_text(GOOD, USERID, KEY))


BASE64_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@given(st.integers(0, len(GOOD) - 1), st.sampled_from(BASE64_ALPHABET + "=*\x00é"))
def test_a_changed_character_is_refused_or_is_other_json(place: int, character: str) -> None:
    changed = GOOD[:place] + character + GOOD[place + 1 :]
    try:
        opened = SCHEME.open_request(request(changed), CREDENTIALS, OPTIONS, now=NOW)
    except SchemeError:
        return
    assert json.loads(opened.raw) == opened.payload


headers = st.one_of(
    st.none(),
    st.text(max_size=60),
    st.binary(max_size=90).map(lambda raw: base64.b64encode(raw).decode()),
    st.text(max_size=40).map(lambda text: f"Basic {text}"),
    st.text(max_size=40).map(lambda text: f"Apikey {text}"),
    st.just(sealed().headers["authorization"]),
)
members = st.one_of(st.text(max_size=80), st.binary(max_size=80).map(base64.b64encode))
bodies = st.one_of(
    st.binary(max_size=120),
    members.map(
        lambda data: json.dumps({"data": data if isinstance(data, str) else data.decode()}).encode()
    ),
    st.text(alphabet=st.characters(max_codepoint=127), max_size=60).map(
        lambda text: json.dumps({"data": enciphered("0000000071." + text)}).encode()
    ),
)


@settings(max_examples=examples(150))
@given(bodies, headers)
@example(b"[" * 100_000, sealed().headers["authorization"])
@example(b'{"data":' + b"9" * 5_000 + b"}", sealed().headers["authorization"])
def test_no_input_raises_anything_but_the_schemes_errors(body: bytes, header: str | None) -> None:
    given_headers: dict[str, Any] = {} if header is None else {"authorization": header}
    plain = citcall.CitCallOptions(callback_body="plain")
    for attempt in (
        lambda: SCHEME.open_request(
            SealedRequest(body, given_headers), CREDENTIALS, OPTIONS, now=NOW
        ),
        lambda: SCHEME.open_reply(SealedReply(body), sealed(), CREDENTIALS, OPTIONS, now=NOW),
        lambda: SCHEME.open_callback(body, given_headers, CREDENTIALS, OPTIONS, now=NOW),
        lambda: SCHEME.open_callback(body, given_headers, CREDENTIALS, plain, now=NOW),
    ):
        try:
            attempt()
        except SchemeError:
            continue
