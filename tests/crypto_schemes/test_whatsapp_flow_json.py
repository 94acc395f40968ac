"""The stored Flow JSON, and replies checked against it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto_schemes.json_text import JSONValue
from crypto_schemes.whatsapp_flows import flow_json
from crypto_schemes.whatsapp_flows.flow_json import FlowJSON, FlowJSONError, ReplyError, check_reply
from crypto_schemes.whatsapp_flows.payload import FlowRequest
from tests.crypto_schemes.strategies import json_values
from tests.crypto_schemes.whatsapp_partner import DEFINITION

FLOW = FlowJSON.parse(json.dumps(DEFINITION))
SECOND = {"when": "now", "price": 1.5, "open": False, "slots": [{"id": "a", "enabled": True}]}


def _request(screen: str = "FIRST", action: str = "data_exchange") -> FlowRequest:
    return FlowRequest("3.0", action, screen, "ft-1", {}, None)


def _reply(screen: Any, data: Any) -> dict[str, Any]:
    return {"screen": screen, "data": data}


END = _reply("SUCCESS", {"extension_message_response": {"params": {"flow_token": "ft-1"}}})


@pytest.mark.parametrize(
    ("request_", "reply"),
    [
        (_request("FIRST"), _reply("SECOND", SECOND)),
        (_request("FIRST"), _reply("SECOND", SECOND | {"not_declared": [1]})),
        (_request("FIRST"), _reply("FIRST", {"error_message": "Please choose."})),
        (_request("FIRST"), _reply("SECOND", {"error_message": "Come back later."})),
        (_request("SECOND"), _reply("SECOND", {"price": 2})),
        (_request("THIRD", "BACK"), _reply("SECOND", SECOND)),
        (_request("", "BACK"), _reply("FIRST", {})),
        (_request("", "INIT"), _reply("THIRD", {"count": 3})),
        (_request("UNKNOWN"), _reply("FIRST", {})),
        (_request("SECOND", "INIT"), _reply("FIRST", {})),
        (_request("SECOND"), END),
        (_request("", "INIT"), END | {"version": "3.0"}),
        (_request("FIRST"), _reply("SUCCESS", {"extension_message_response": {"params": {}}})),
    ],
)
def test_replies_a_phone_can_use(request_: FlowRequest, reply: Any) -> None:
    check_reply(reply, request_, FLOW)
    check_reply(reply, request_, None)


@pytest.mark.parametrize(
    "reply",
    [
        None,
        [],
        "FIRST",
        {},
        {"data": {}},
        {"screen": "FIRST"},
        _reply(1, {}),
        _reply("", {}),
        _reply(None, {}),
        _reply(["FIRST"], {}),
        _reply("FIRST", []),
        _reply("FIRST", None),
        _reply("FIRST", {"error_message": 1}),
        _reply("FIRST", {"error_message": None}),
        _reply("SUCCESS", {}),
        _reply("SUCCESS", {"extension_message_response": []}),
        _reply("SUCCESS", {"extension_message_response": {}}),
        _reply("SUCCESS", {"extension_message_response": {"params": []}}),
        _reply("SUCCESS", {"extension_message_response": {"params": {"flow_token": 1}}}),
    ],
)
def test_replies_no_phone_can_use(reply: Any) -> None:
    for flow in (None, FLOW):
        with pytest.raises(ReplyError) as caught:
            check_reply(reply, _request(), flow)
        assert caught.value.code == "bad_reply"


@pytest.mark.parametrize(
    ("request_", "reply", "what"),
    [
        (_request(), _reply("FOURTH", {}), "The screen is not one of the Flow JSON."),
        (_request(), _reply("THIRD", {"count": 1}), "The screen THIRD cannot follow FIRST."),
        (
            _request("SECOND"),
            _reply("FIRST", {}),
            "The screen FIRST cannot follow SECOND.",
        ),
        (
            _request(),
            _reply("SECOND", {"when": "now", "price": 1, "open": True}),
            "data.slots is missing; the screen SECOND declares it.",
        ),
        (_request(), _reply("SECOND", SECOND | {"when": 1}), "data.when must be of type string."),
        (
            _request(),
            _reply("SECOND", SECOND | {"price": "1"}),
            "data.price must be of type number.",
        ),
        (
            _request(),
            _reply("SECOND", SECOND | {"price": True}),
            "data.price must be of type number.",
        ),
        (_request(), _reply("SECOND", SECOND | {"open": 1}), "data.open must be of type boolean."),
        (_request(), _reply("SECOND", SECOND | {"slots": {}}), "data.slots must be of type array."),
        (
            _request(),
            _reply("SECOND", SECOND | {"slots": [{"id": "a"}, "b"]}),
            "data.slots[1] must be of type object.",
        ),
        (
            _request(),
            _reply("SECOND", SECOND | {"slots": [{"enabled": True}]}),
            "data.slots[0].id is missing.",
        ),
        (
            _request(),
            _reply("SECOND", SECOND | {"slots": [{"id": "a", "enabled": None}]}),
            "data.slots[0].enabled must be of type boolean.",
        ),
        (
            _request("SECOND"),
            _reply("SECOND", {"price": None}),
            "data.price must be of type number.",
        ),
        (
            _request("SECOND"),
            _reply("THIRD", {"count": 1.5}),
            "data.count must be of type integer.",
        ),
    ],
)
def test_replies_the_flow_json_forbids(request_: FlowRequest, reply: Any, what: str) -> None:
    check_reply(reply, request_, None)
    with pytest.raises(ReplyError) as caught:
        check_reply(reply, request_, FLOW)
    assert caught.value.what == what


def test_a_refusal_never_quotes_the_data() -> None:
    with pytest.raises(ReplyError) as caught:
        check_reply(_reply("SECOND", SECOND | {"price": "4111 1111"}), _request(), FLOW)
    assert "4111" not in str(caught.value)


@given(reply=json_values())
@settings(max_examples=60)
def test_no_reply_raises_anything_but_a_reply_error(reply: JSONValue) -> None:
    for flow in (None, FLOW):
        with pytest.raises(ReplyError):
            check_reply(reply, _request(), flow)


_NAMES = st.sampled_from(["id", "title", "on"])


def _schemas() -> st.SearchStrategy[dict[str, Any]]:
    scalars = st.sampled_from(["string", "number", "integer", "boolean", "object", "array"])
    return st.recursive(
        scalars.map(lambda kind: {"type": kind}),
        lambda inner: (
            st.fixed_dictionaries({"type": st.just("array"), "items": inner})
            | st.fixed_dictionaries(
                {"type": st.just("object")},
                optional={
                    "properties": st.dictionaries(_NAMES, inner),
                    "required": st.lists(_NAMES),
                },
            )
        ),
        max_leaves=6,
    )


def _fitting(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return values of which most fit, and of the others most in all but one place."""
    kind = schema["type"]
    made: dict[str, st.SearchStrategy[Any]] = {
        "string": st.text(max_size=3),
        "number": st.integers() | st.floats(allow_nan=False, allow_infinity=False),
        "integer": st.integers(),
        "boolean": st.booleans(),
    }
    if kind == "array":
        inner = _fitting(schema["items"]) if "items" in schema else json_values(4)
        value: st.SearchStrategy[Any] = st.lists(inner, max_size=4)
    elif kind == "object":
        properties = schema.get("properties", {})
        members = {name: _fitting(inner) for name, inner in properties.items()}
        needed = {name: members.pop(name, st.just(1)) for name in schema.get("required", [])}
        value = st.fixed_dictionaries(needed, optional=members)
    else:
        value = made[kind]
    other: st.SearchStrategy[Any] = st.sampled_from(
        [None, True, 0, 1.5, "", [], {}, [{}], {"id": 1}]
    )
    return st.integers(0, 9).flatmap(lambda chance: other if chance == 0 else value)


@given(data=st.data(), schema=_schemas())
def test_the_quick_check_says_what_the_walk_says(data: st.DataObject, schema: Any) -> None:
    definition = {"screens": [{"id": "A", "data": {"x": schema}}]}
    fits = FlowJSON.parse(json.dumps(definition)).checks["A"]["x"]
    value = data.draw(_fitting(schema))
    assert fits(value) is (flow_json._misfit(value, schema) is None)


def test_values_of_a_backend_that_are_more_than_their_type_still_fit() -> None:
    class Text(str):
        __slots__ = ()

    class Members(dict[str, Any]):
        pass

    slots = [Members(id=Text("a"), enabled=True)]
    check_reply(_reply("SECOND", SECOND | {"when": Text("now"), "slots": slots}), _request(), FLOW)


def test_without_a_routing_model_every_screen_follows() -> None:
    free = FlowJSON.parse(json.dumps(DEFINITION | {"routing_model": None}))
    check_reply(_reply("THIRD", {"count": 1}), _request(), free)


def _screens(*screens: Any) -> dict[str, Any]:
    return {"screens": list(screens)}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([], "an object"),
        ({}, "at least one screen"),
        (_screens(), "at least one screen"),
        ({"screens": {}}, "at least one screen"),
        (_screens(1), r"screens\[0\] needs an id"),
        (_screens({"id": ""}), "needs an id"),
        (_screens({"id": "SUCCESS"}), "reserved"),
        (_screens({"id": "A"}, {"id": "A"}), "twice"),
        (_screens({"id": "A", "data": []}), "must be an object"),
        (_screens({"id": "A", "data": {"x": "string"}}), "A.data.x must be an object"),
        (_screens({"id": "A", "data": {"x": {}}}), "A.data.x.type must be one of"),
        (_screens({"id": "A", "data": {"x": {"type": "text"}}}), "must be one of string"),
        (_screens({"id": "A", "data": {"x": {"type": ["string"]}}}), "must be one of string"),
        (
            _screens({"id": "A", "data": {"x": {"type": "object", "properties": []}}}),
            "properties must be an object",
        ),
        (
            _screens({"id": "A", "data": {"x": {"type": "object", "required": "y"}}}),
            "required must be a list",
        ),
        (
            _screens({"id": "A", "data": {"x": {"type": "array", "items": {"type": "no"}}}}),
            r"A.data.x\[\].type must be one of",
        ),
        (
            _screens({"id": "A", "data": {"x": {"type": "object", "properties": {"y": 1}}}}),
            "A.data.x.y must be an object",
        ),
        (_screens({"id": "A"}) | {"routing_model": []}, "routing_model must be an object"),
        (_screens({"id": "A"}) | {"routing_model": {"A": "A"}}, "must be a list of screen ids"),
        (_screens({"id": "A"}) | {"routing_model": {"A": [1]}}, "must be a list of screen ids"),
        (_screens({"id": "A"}) | {"routing_model": {"A": ["B"], "C": []}}, "exist: B"),
        (_screens({"id": "A"}) | {"routing_model": {"C": []}}, "exist: C"),
    ],
)
def test_what_is_not_a_flow_json_is_refused(value: Any, reason: str) -> None:
    with pytest.raises(FlowJSONError, match=reason):
        FlowJSON.parse(json.dumps(value))


@pytest.mark.parametrize("text", ["", "{", '{"a":1,"a":1}', "[" * 65 + "]" * 65, "\ud800"])
def test_text_that_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(FlowJSONError, match="not JSON"):
        FlowJSON.parse(text)


@given(value=json_values())
@settings(max_examples=40)
def test_no_value_raises_anything_but_a_flow_json_error(value: JSONValue) -> None:
    with pytest.raises(FlowJSONError):
        FlowJSON.parse(json.dumps(value))
