"""Requests, replies and callbacks between a flow and its partner."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto_schemes import citcall, registry
from crypto_schemes.envelope import OpenedRequest, SealedReply, SealedRequest
from crypto_schemes.errors import FreshnessError, KeyUnavailableError, OpenError, SealError
from crypto_schemes.json_text import JSONValue
from crypto_schemes.keys import Credentials
from tests.crypto_schemes.citcall_partner import (
    CREDENTIALS,
    KEY,
    NOW,
    OLDER_KEY,
    OPTIONS,
    PAYLOAD,
    ROTATING,
    USERID,
    credentials,
    data_of,
    request,
    sealed,
)
from tests.crypto_schemes.strategies import json_values

SCHEME = citcall.SCHEME
PLAIN = citcall.CitCallOptions(callback_body="plain")
SENT_WITH_OLDER_KEY = request(data_of('{"n":1}', key=OLDER_KEY), key=OLDER_KEY)


def test_the_registry_knows_it() -> None:
    assert registry.get("citcall") is SCHEME
    assert (SCHEME.name, SCHEME.located_by, SCHEME.bundle) == (
        "citcall",
        "userid",
        ("userid", "api_key"),
    )
    assert "not encryption" in SCHEME.promise
    assert "without authentication" in SCHEME.promise


@settings(max_examples=60)
@given(json_values())
def test_any_json_comes_through_in_all_three_messages(payload: JSONValue) -> None:
    sent = SCHEME.seal_request(payload, CREDENTIALS, OPTIONS, now=NOW)
    opened = SCHEME.open_request(sent, CREDENTIALS, OPTIONS, now=NOW)
    reply = SCHEME.seal_reply(payload, opened, CREDENTIALS, OPTIONS, now=NOW)
    callback = SCHEME.seal_callback(payload, CREDENTIALS, OPTIONS, now=NOW)
    plain = SCHEME.seal_callback(payload, CREDENTIALS, PLAIN, now=NOW)
    assert opened.payload == payload
    assert SCHEME.open_reply(reply, sent, CREDENTIALS, OPTIONS, now=NOW) == payload
    assert SCHEME.open_callback(callback.body, {}, CREDENTIALS, OPTIONS, now=NOW) == payload
    assert SCHEME.open_callback(plain.body, {}, CREDENTIALS, PLAIN, now=NOW) == payload
    assert plain.body.isascii()


def test_the_deepest_nesting_the_reader_takes() -> None:
    payload: JSONValue = "bottom"
    for _ in range(64):
        payload = [payload]
    assert SCHEME.open_request(sealed(payload), CREDENTIALS, OPTIONS, now=NOW).payload == payload


def test_a_request_is_what_version_2_sends() -> None:
    sent = sealed()
    assert sent.headers == {
        "authorization": base64.b64encode(f"{USERID}:{KEY}".encode()).decode(),
        "content-type": "application/json",
    }
    assert list(json.loads(sent.body)) == ["data"]
    assert "=" not in json.loads(sent.body)["data"]


def test_an_opened_request_says_when_and_by_what() -> None:
    opened = SCHEME.open_request(sealed(now=NOW - 7.5), CREDENTIALS, OPTIONS, now=NOW)
    assert opened.payload == PAYLOAD
    assert opened.raw == b'{"msisdn":"081200000001","gateway":1,"clientUniqueId":"A-1"}'
    assert opened.issued_at == 1_699_999_992.0
    assert opened.opened_by == CREDENTIALS.accepted("api_key")


def test_other_members_of_the_body_are_ignored() -> None:
    data = data_of('{"n":1}')
    body = json.dumps({"note": [1], "data": data}).encode()
    sent = replace(request(data), body=body)
    assert SCHEME.open_request(sent, CREDENTIALS, OPTIONS, now=NOW).payload == {"n": 1}


@pytest.mark.parametrize("length", range(1, 9))
def test_one_cipher_text_in_any_base64_form_is_one_message(length: int) -> None:
    data = data_of(json.dumps("?" * length + ">~" * 20))
    url = base64.urlsafe_b64decode(data + "=" * (-len(data) % 4))
    forms = {
        data,
        base64.urlsafe_b64encode(url).decode(),
        base64.b64encode(url).decode(),
        base64.b64encode(url).decode().rstrip("="),
    }
    opened = [
        SCHEME.open_request(request(form), CREDENTIALS, OPTIONS, now=NOW) for form in sorted(forms)
    ]
    assert len({(message.once, message.raw) for message in opened}) == 1
    assert opened[0].once is not None
    assert len(opened[0].once) == 32


def test_messages_that_differ_have_different_once_bytes() -> None:
    texts = ('{"n":1}', '{"n":2}', '{"n": 1}')
    data = [data_of(text) for text in texts] + [data_of('{"n":1}', now=NOW + 1)]
    opened = [SCHEME.open_request(request(d), CREDENTIALS, OPTIONS, now=NOW) for d in data]
    assert len({message.once for message in opened}) == 4


@pytest.mark.parametrize(
    ("offset", "code"), [(-480, None), (480, None), (-481, "too_old"), (481, "too_new")]
)
def test_the_window_is_480_seconds_both_ways(offset: int, code: str | None) -> None:
    sent = sealed(now=NOW + offset)
    if code is None:
        opened = SCHEME.open_request(sent, CREDENTIALS, OPTIONS, now=NOW)
        assert opened.issued_at == NOW + offset
        return
    with pytest.raises(FreshnessError) as caught:
        SCHEME.open_request(sent, CREDENTIALS, OPTIONS, now=NOW)
    assert caught.value.code == code


def test_the_window_is_an_option_and_holds_for_replies_and_callbacks() -> None:
    narrow = citcall.CitCallOptions(max_skew=5)
    sent = sealed()
    opened = SCHEME.open_request(sent, CREDENTIALS, narrow, now=NOW + 5)
    reply = SCHEME.seal_reply({}, opened, CREDENTIALS, narrow, now=NOW)
    callback = SCHEME.seal_callback({}, CREDENTIALS, narrow, now=NOW)
    with pytest.raises(FreshnessError):
        SCHEME.open_request(sent, CREDENTIALS, narrow, now=NOW + 5.5)
    with pytest.raises(FreshnessError):
        SCHEME.open_reply(reply, sent, CREDENTIALS, narrow, now=NOW + 6)
    with pytest.raises(FreshnessError):
        SCHEME.open_callback(callback.body, {}, CREDENTIALS, narrow, now=NOW - 6)


@pytest.mark.parametrize("key", [KEY, OLDER_KEY])
def test_the_header_names_the_version_that_opens_and_seals(key: str) -> None:
    partner = credentials(key)
    sent = SCHEME.seal_request(PAYLOAD, partner, OPTIONS, now=NOW)
    opened = SCHEME.open_request(sent, ROTATING, OPTIONS, now=NOW)
    assert [version.version for version in opened.opened_by] == [2 if key == KEY else 1]
    reply = SCHEME.seal_reply({"rc": "00"}, opened, ROTATING, OPTIONS, now=NOW)
    assert SCHEME.open_reply(reply, sent, partner, OPTIONS, now=NOW) == {"rc": "00"}


def test_a_body_sealed_under_another_version_than_the_header_names_is_refused() -> None:
    with pytest.raises(OpenError):
        SCHEME.open_request(
            request(data_of("{}", key=OLDER_KEY), key=KEY), ROTATING, OPTIONS, now=NOW
        )


def test_the_client_opens_a_reply_by_the_key_it_sent_with() -> None:
    before, after = credentials(OLDER_KEY), credentials(KEY)
    sent = SCHEME.seal_request(PAYLOAD, before, OPTIONS, now=NOW)
    opened = SCHEME.open_request(sent, ROTATING, OPTIONS, now=NOW)
    reply = SCHEME.seal_reply({"rc": "00"}, opened, ROTATING, OPTIONS, now=NOW)
    assert SCHEME.open_reply(reply, sent, after, OPTIONS, now=NOW) == {"rc": "00"}
    with pytest.raises(OpenError):
        SCHEME.open_reply(reply, SealedRequest(sent.body), after, OPTIONS, now=NOW)


def test_a_callback_is_sealed_by_the_active_key_and_opened_by_any_accepted() -> None:
    ours = SCHEME.seal_callback({"rc": 0}, ROTATING, OPTIONS, now=NOW)
    older = SCHEME.seal_callback({"rc": 1}, credentials(OLDER_KEY), OPTIONS, now=NOW)
    assert SCHEME.open_callback(ours.body, {}, CREDENTIALS, OPTIONS, now=NOW) == {"rc": 0}
    assert SCHEME.open_callback(older.body, {}, ROTATING, OPTIONS, now=NOW) == {"rc": 1}
    with pytest.raises(OpenError):
        SCHEME.open_callback(older.body, {}, CREDENTIALS, OPTIONS, now=NOW)


def test_without_an_active_key_nothing_new_is_sealed() -> None:
    retiring = replace(CREDENTIALS, sealing=frozenset[str]())
    with pytest.raises(KeyUnavailableError):
        SCHEME.seal_request({}, retiring, OPTIONS, now=NOW)
    with pytest.raises(KeyUnavailableError):
        SCHEME.seal_callback({}, retiring, OPTIONS, now=NOW)
    opened = SCHEME.open_request(sealed(), retiring, OPTIONS, now=NOW)
    assert SCHEME.seal_reply({}, opened, retiring, OPTIONS, now=NOW).body.startswith(b'{"data":"')


@pytest.mark.parametrize("payload", ["\ud800", {"a": float("nan")}, {"a": {1, 2}}, ["\udc00a"]])
def test_what_json_cannot_say_is_not_sealed(payload: JSONValue) -> None:
    with pytest.raises(SealError):
        SCHEME.seal_request(payload, CREDENTIALS, OPTIONS, now=NOW)
    with pytest.raises(SealError):
        SCHEME.seal_callback(payload, CREDENTIALS, PLAIN, now=NOW)


def test_a_reply_needs_a_request_this_scheme_opened() -> None:
    with pytest.raises(SealError):
        SCHEME.seal_reply({}, OpenedRequest({}, b"{}"), CREDENTIALS, OPTIONS, now=NOW)


@pytest.mark.parametrize("rc", ["06", "14", "34", "66", "77", "88", "96", "98", "99"])
def test_a_plain_failure_comes_back_as_it_is(rc: str) -> None:
    failure = {"rc": rc, "info": "Authorization failed"}
    reply = SealedReply(json.dumps(failure).encode())
    assert SCHEME.open_reply(reply, sealed(), CREDENTIALS, OPTIONS, now=NOW) == failure


@pytest.mark.parametrize(
    "body",
    [
        b'{"rc":"00","info":"success","token":"02150800042"}',
        b'{"rc":0}',
        b'{"rc":"0"}',
        b'{"rc":"998"}',
        b'{"rc":"98","data":"AAAA"}',
        b'{"rc":"98","data":null}',
        b"[]",
        b"{}",
        b"",
        b"null",
        b'"data"',
    ],
)
def test_a_reply_that_is_neither_sealed_nor_a_failure_is_refused(body: bytes) -> None:
    with pytest.raises(OpenError):
        SCHEME.open_reply(SealedReply(body), sealed(), CREDENTIALS, OPTIONS, now=NOW)


def test_a_plain_callback_is_refused_where_sealed_ones_are_agreed() -> None:
    with pytest.raises(OpenError) as caught:
        SCHEME.open_callback(b'{"rc":0,"result":"Success"}', {}, CREDENTIALS, OPTIONS, now=NOW)
    assert caught.value.code == "not_sealed"


def test_a_callback_without_any_key_is_refused() -> None:
    body = SCHEME.seal_callback({}, CREDENTIALS, OPTIONS, now=NOW).body
    with pytest.raises(OpenError) as caught:
        SCHEME.open_callback(body, {}, Credentials({"userid": USERID}), OPTIONS, now=NOW)
    assert caught.value.code == "no_key"


@given(st.binary(max_size=40))
def test_any_answer_acknowledges_a_callback(body: bytes) -> None:
    assert SCHEME.callback_acknowledged(body) is True
