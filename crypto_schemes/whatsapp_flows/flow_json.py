"""A stored Flow JSON, and the check of a reply against it before it is sealed.

A reply the phone cannot use shows the user a generic error and counts against the
endpoint's error rate with Meta, so it is better refused here, where it can be
explained.

Source: Meta, "Flow JSON" (routing model, screen data) and "WhatsApp Flows:
implementing your endpoint" (data exchange response).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Self, TypeAlias

from crypto_schemes import json_text
from crypto_schemes.errors import SealError
from crypto_schemes.json_text import JSONTextError, JSONValue
from crypto_schemes.whatsapp_flows.payload import BACK, INIT, SUCCESS, FlowRequest

_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
}

_SCALARS: Mapping[str, type] = {"string": str, "integer": int, "boolean": bool}

#: Tells at once whether a value fits a schema. False is no more than a reason to look closely.
Check: TypeAlias = Callable[[JSONValue], bool]


class FlowJSONError(ValueError):
    """The text is not a Flow JSON this product can check replies against."""


class ReplyError(SealError):
    """A reply is not one the phone could use. Names the member, never its value."""

    code = "bad_reply"


@dataclass(frozen=True, slots=True)
class FlowJSON:
    """The parts of a Flow JSON that bind its endpoint.

    ``screens`` maps a screen id to its declared data (name to schema); ``routes`` a
    screen to those it may go on to, or None where the flow declares no routing model.
    ``checks`` maps a screen id to a check of each member of its data.
    """

    screens: Mapping[str, Mapping[str, Any]]
    routes: Mapping[str, frozenset[str]] | None
    checks: Mapping[str, Mapping[str, Check]] = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the parsed Flow JSON. Raises FlowJSONError with the reason in plain words."""
        try:
            value = json_text.parse(text.encode("utf-8"))
        except (JSONTextError, UnicodeEncodeError) as error:
            reason = error if isinstance(error, JSONTextError) else "the text is not Unicode"
            raise FlowJSONError(f"not JSON: {reason}") from None
        if not isinstance(value, dict):
            raise FlowJSONError("a Flow JSON is an object")
        screens = _read_screens(value.get("screens"))
        checks = {
            screen: {name: _check_of(schema) for name, schema in data.items()}
            for screen, data in screens.items()
        }
        routes = _read_routes(value.get("routing_model"), screens)
        return cls(MappingProxyType(screens), routes, MappingProxyType(checks))

    def reachable(self, request: FlowRequest) -> frozenset[str]:
        """Return the screens a reply to ``request`` may show.

        From a known screen: itself and those its route names; going back also those
        that lead to it. All where a form is opened, or the phone names no known screen.
        """
        everywhere = frozenset(self.screens)
        opens = request.action == INIT or request.screen not in self.screens
        if self.routes is None or opens:
            return everywhere
        allowed = self.routes.get(request.screen, frozenset()) | {request.screen}
        if request.action == BACK:
            allowed |= {name for name, nexts in self.routes.items() if request.screen in nexts}
        return allowed


def _read_screens(value: JSONValue) -> dict[str, Mapping[str, Any]]:
    if not isinstance(value, list) or not value:
        raise FlowJSONError("screens must be a list with at least one screen")
    screens: dict[str, Mapping[str, Any]] = {}
    for position, screen in enumerate(value):
        name = screen.get("id") if isinstance(screen, dict) else None
        if not isinstance(name, str) or not name:
            raise FlowJSONError(f"screens[{position}] needs an id")
        if name == SUCCESS:
            raise FlowJSONError(f"{SUCCESS} is reserved and cannot be the id of a screen")
        if name in screens:
            raise FlowJSONError(f"the screen {name} stands there twice")
        data = screen.get("data", {})
        if not isinstance(data, dict):
            raise FlowJSONError(f"data of the screen {name} must be an object")
        for member, schema in data.items():
            _check_schema(schema, f"{name}.data.{member}")
        screens[name] = data
    return screens


def _read_routes(
    value: JSONValue, screens: Mapping[str, Any]
) -> Mapping[str, frozenset[str]] | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise FlowJSONError("routing_model must be an object")
    routes: dict[str, frozenset[str]] = {}
    for name, nexts in value.items():
        if not isinstance(nexts, list) or not all(isinstance(item, str) for item in nexts):
            raise FlowJSONError(f"routing_model.{name} must be a list of screen ids")
        unknown = {name, *nexts} - screens.keys()
        if unknown:
            raise FlowJSONError(
                f"routing_model names screens that do not exist: {', '.join(sorted(unknown))}"
            )
        routes[name] = frozenset(nexts)
    return MappingProxyType(routes)


def _check_schema(schema: JSONValue, path: str) -> None:
    if not isinstance(schema, dict):
        raise FlowJSONError(f"{path} must be an object with a type")
    kind = schema.get("type")
    if not isinstance(kind, str) or kind not in _TYPES:
        raise FlowJSONError(f"{path}.type must be one of {', '.join(_TYPES)}")
    properties = schema.get("properties", {})
    if not isinstance(properties, dict):
        raise FlowJSONError(f"{path}.properties must be an object")
    required = schema.get("required", [])
    if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
        raise FlowJSONError(f"{path}.required must be a list of names")
    for name, inner in properties.items():
        _check_schema(inner, f"{path}.{name}")
    if "items" in schema:
        _check_schema(schema["items"], f"{path}[]")


def _check_of(schema: Mapping[str, Any]) -> Check:
    """Return the check of ``schema``: it says True of nothing that :func:`_misfit` objects to.

    Replies hold long lists of small objects; walking their schema for each takes twice as long.
    """
    kind: str = schema["type"]
    if kind == "object":
        return _check_of_object(schema)
    if kind == "array" and "items" in schema:
        item = _check_of(schema["items"])
        return lambda value: type(value) is list and all(map(item, value))
    types = _TYPES[kind]
    return lambda value: type(value) in types


def _check_of_object(schema: Mapping[str, Any]) -> Check:
    properties = schema.get("properties", {})
    required = frozenset(schema.get("required", ()))
    members = tuple(
        [
            (name, name in required, _SCALARS.get(inner["type"]), _check_of(inner))
            for name, inner in properties.items()
        ]
    )
    undescribed = required - properties.keys()

    def fits(value: JSONValue) -> bool:
        if type(value) is not dict or (undescribed and not undescribed <= value.keys()):
            return False
        for name, is_required, scalar, check in members:
            if name in value:
                member = value[name]
                if type(member) is not scalar and not check(member):
                    return False
            elif is_required:
                return False
        return True

    return fits


def _misfit(value: JSONValue, schema: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return where inside ``value`` it first breaks ``schema``, and how; None where it does not.

    The place is put together on the way back.
    """
    kind: str = schema["type"]
    if not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "boolean"):
        return "", f"must be of type {kind}."
    if isinstance(value, dict):
        for name in schema.get("required", ()):
            if name not in value:
                return f".{name}", "is missing."
        for name, inner in schema.get("properties", {}).items():
            if name in value and (found := _misfit(value[name], inner)):
                return f".{name}{found[0]}", found[1]
    elif isinstance(value, list) and "items" in schema:
        for position, item in enumerate(value):
            if found := _misfit(item, schema["items"]):
                return f"[{position}]{found[0]}", found[1]
    return None


def check_reply(reply: JSONValue, request: FlowRequest, flow: FlowJSON | None) -> None:
    """Check ``reply`` as a phone that sent ``request`` would.

    Without a Flow JSON only the form is checked: ``screen`` a text, ``data`` an object,
    ``error_message`` a text, and at the end ``extension_message_response.params`` an
    object. With one, the screen must be reachable and the data fit its schema; every
    declared member must be there when the screen is a new one, and may be left out
    when the user stays on the screen. Raises ReplyError.
    """
    if not isinstance(reply, dict):
        raise ReplyError("A reply must be an object.")
    screen, data = reply.get("screen"), reply.get("data")
    if not isinstance(screen, str) or not screen:
        raise ReplyError("screen must be a text.")
    if not isinstance(data, dict):
        raise ReplyError("data must be an object.")
    if "error_message" in data and not isinstance(data["error_message"], str):
        raise ReplyError("data.error_message must be a text.")
    if screen == SUCCESS:
        _check_end(data)
    elif flow is not None:
        _check_screen(screen, data, request, flow)


def _check_end(data: Mapping[str, Any]) -> None:
    response = data.get("extension_message_response")
    params = response.get("params") if isinstance(response, dict) else None
    if not isinstance(params, dict):
        raise ReplyError("data.extension_message_response.params must be an object.")
    if not isinstance(params.get("flow_token", ""), str):
        raise ReplyError("data.extension_message_response.params.flow_token must be a text.")


def _check_screen(
    screen: str, data: Mapping[str, Any], request: FlowRequest, flow: FlowJSON
) -> None:
    if screen not in flow.screens:
        raise ReplyError(
            "The screen is not one of the Flow JSON.",
            f"Use one of {', '.join(sorted(flow.screens))}.",
        )
    if screen not in flow.reachable(request):
        raise ReplyError(
            f"The screen {screen} cannot follow {request.screen}.",
            "Add the step to the routing_model of the flow, or choose another screen.",
        )
    stays = screen == request.screen or "error_message" in data
    for name, fits in flow.checks[screen].items():
        if name not in data:
            if stays:
                continue
            raise ReplyError(f"data.{name} is missing; the screen {screen} declares it.")
        if not fits(data[name]) and (found := _misfit(data[name], flow.screens[screen][name])):
            raise ReplyError(f"data.{name}{found[0]} {found[1]}")
