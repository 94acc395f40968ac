"""Reading opened requests, and filling the summary text."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from crypto_schemes.errors import OpenError
from crypto_schemes.json_text import JSONValue
from crypto_schemes.whatsapp_flows.payload import (
    ERROR_KEYS,
    ErrorNotification,
    FlowRequest,
    check_summary,
    fill_summary,
    needs_no_token,
    read_error,
    read_request,
)
from tests.crypto_schemes.strategies import json_values

BASE = {
    "version": "3.0",
    "action": "data_exchange",
    "screen": "DETAILS",
    "data": {"n": 1},
    "flow_token": "ft-1",
}


@pytest.mark.parametrize("version", ["3.0", "4.0"])
@pytest.mark.parametrize("action", ["INIT", "BACK", "data_exchange", "ping"])
def test_the_known_actions_are_read(version: str, action: str) -> None:
    request = read_request(BASE | {"version": version, "action": action})
    assert request == FlowRequest(version, action, "DETAILS", "ft-1", {"n": 1}, None)
    assert request.is_ping is (action == "ping")


def test_what_phones_leave_out_has_a_plain_value() -> None:
    expected = FlowRequest("3.0", "ping", "", None, {}, None)
    assert read_request({"version": "3.0", "action": "ping"}) == expected
    nulls = {"screen": None, "data": None, "flow_token": None}
    assert read_request({"version": "3.0", "action": "ping"} | nulls) == expected


def test_the_token_and_the_data_stay_out_of_repr() -> None:
    text = repr(read_request(BASE | {"data": {"name": "hidden-name"}}))
    assert "hidden-name" not in text
    assert "ft-1" not in text


@pytest.mark.parametrize(
    "payload",
    [
        None,
        [],
        "INIT",
        1,
        {},
        BASE | {"version": 3.0},
        BASE | {"version": "2.0"},
        BASE | {"version": None},
        BASE | {"version": ["3.0"]},
        BASE | {"action": "init"},
        BASE | {"action": "navigate"},
        BASE | {"action": None},
        BASE | {"action": []},
        BASE | {"screen": 1},
        BASE | {"screen": {}},
        BASE | {"data": []},
        BASE | {"data": "x"},
        BASE | {"data": False},
        BASE | {"flow_token": 1},
        BASE | {"flow_token": ["ft-1"]},
    ],
)
def test_what_is_not_a_request_is_refused(payload: Any) -> None:
    with pytest.raises(OpenError) as caught:
        read_request(payload)
    assert caught.value.code == "payload"


@given(payload=json_values())
@settings(max_examples=60)
def test_no_payload_raises_anything_but_an_open_error(payload: JSONValue) -> None:
    with pytest.raises(OpenError):
        read_request(payload)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"error": "x", "error_message": "y"}, ErrorNotification("x", "y")),
        ({"error_key": "x", "error_message": "y"}, ErrorNotification("x", "y")),
        ({"error": "INVALID", "error_message": ""}, ErrorNotification("INVALID", "")),
        *(({"error": key}, ErrorNotification(key, "")) for key in sorted(ERROR_KEYS)),
        *(({"error_key": key}, ErrorNotification(key, "")) for key in sorted(ERROR_KEYS)),
        ({"error": "own field"}, None),
        ({"error": "own field", "error_message": 1}, None),
        ({"error": True, "error_message": "y"}, None),
        ({"error": {}, "error_message": "y"}, None),
        ({"error_message": "y"}, None),
        ({}, None),
        ([], None),
        (None, None),
        ("error", None),
    ],
)
def test_error_notifications_are_told_from_forms(data: Any, expected: Any) -> None:
    payload = BASE | {"data": data}
    assert read_error(payload) == expected
    assert needs_no_token(payload) is (expected is not None)


def test_an_error_notification_may_name_any_action() -> None:
    data = {"error_key": "payload-schema-error", "error_message": "m"}
    for action in ("navigate", "data_exchange", "ping", "something new"):
        request = read_request(BASE | {"action": action, "data": data})
        assert request.error == ErrorNotification("payload-schema-error", "m")
        assert not request.is_ping


@pytest.mark.parametrize("payload", [None, [], "ping", {"action": ["ping"]}])
def test_only_objects_are_pings(payload: Any) -> None:
    assert needs_no_token(payload) is False


@pytest.mark.parametrize(
    ("template", "params", "text"),
    [
        ("", {}, ""),
        ("Thank you {name}!", {"name": "Zoë"}, "Thank you Zoë!"),
        ("{a}{a}-{b}", {"a": 1, "b": 2.5}, "11-2.5"),
        ("{yes} {no}", {"yes": True, "no": False}, "yes no"),
        ("{list}", {"list": ["a", 1, ["x"], {"y": 1}, None]}, "a, 1, "),
        ("[{gone}{null}{object}]", {"null": None, "object": {"a": 1}}, "[]"),
        ("{a}", {"a": "{b}", "b": "never"}, "{b}"),
        ("{a}", {"a": "x" * 5000}, "x" * 1000),
        ("{a}" * 5, {"a": "x" * 1000}, "x" * 4096),
        ("{a}", {"a": "%s {0} {a.__class__}"}, "%s {0} {a.__class__}"),
        ("{a}", {"a": "1\u202e\u0000\x1b[2J\r\t\u200b\u2066\n2"}, "1[2J\n2"),
        ("{a}", {"a": "\u0915\u094d\u200d\u0937 \U0001f469\u200d\U0001f4bb"}, "क्‍ष 👩‍💻"),
    ],
)
def test_a_summary_is_filled(template: str, params: Any, text: str) -> None:
    assert check_summary(template) == template
    assert fill_summary(template, params) == text


@pytest.mark.parametrize("template", ["{", "}", "{}", "{a.b}", "{a[0]}", "{a!r}", "{{a}}", "{a b}"])
def test_a_summary_with_other_braces_is_refused(template: str) -> None:
    with pytest.raises(ValueError, match="placeholders"):
        check_summary(template)
