"""A form field for every kind of option a contract may have; none is stored that was not said."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from django import forms
from pydantic import Field, StringConstraints, model_validator

from crypto_schemes import registry
from crypto_schemes.options import Options
from tenants.admin.option_fields import LinesField, clean_options, initial_options, option_fields

pytestmark = pytest.mark.once


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


class AllKinds(Options):
    """One option of each kind."""

    switch: bool = Field(True, title="Switch", description="On or off.")
    maybe: bool | None = Field(None, title="Maybe")
    number: int = Field(5, ge=1, le=9, title="Number")
    rate: float = Field(0.5, ge=0, le=1, title="Rate")
    limit: int | None = Field(None, ge=0, title="Limit")
    choice: Literal["one", "two"] = Field("one", title="Choice")
    size: Literal[128, 256] = Field(256, title="Size")
    colour: Colour = Field(Colour.RED, title="Colour")
    name: str = Field("", max_length=10, title="Name")
    needed: str = Field("x", title="Needed")
    text: str = Field("", max_length=5000, title="Text")
    day: datetime.date | None = Field(None, title="Day")
    names: tuple[str, ...] = Field((), title="Names")
    codes: tuple[Annotated[str, StringConstraints(pattern=r"^[0-9]+$")], ...] = Field(
        ("1",), title="Codes"
    )
    table: dict[str, int] = Field(default_factory=dict, title="Table")

    @model_validator(mode="after")
    def _together(self) -> AllKinds:
        if self.number == 9 and not self.switch:
            raise ValueError("nine needs the switch")
        return self


class Form(forms.Form):
    """A form of options alone."""


def filled(stored: Mapping[str, Any], **changes: Any) -> forms.Form:
    """Return the form as a browser sends it back untouched, but for ``changes``."""
    form_type = type("OptionsForm", (Form,), dict(option_fields(AllKinds)))
    empty = form_type(initial=initial_options(AllKinds, stored))
    data: dict[str, Any] = {}
    for name in empty.fields:
        value = empty[name].value()
        if value is True:
            data[name] = "on"
        elif value is not None and value is not False:
            data[name] = str(value)
    data["option_table"] = json.dumps(stored.get("table", {}))
    data |= {f"option_{name}": value for name, value in changes.items()}
    sent = {name: value for name, value in data.items() if value is not None}
    form: forms.Form = form_type(sent, initial=initial_options(AllKinds, stored))
    return form


def said(stored: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """Return what the form says; it must be without errors."""
    form = filled(stored, **changes)
    assert form.is_valid(), form.errors
    options = clean_options(form, AllKinds, stored)
    assert not form.errors
    return options


def test_the_kind_of_each_field() -> None:
    fields = option_fields(AllKinds)
    kinds = {name.removeprefix("option_"): type(field) for name, field in fields.items()}
    assert kinds["switch"] is forms.BooleanField
    assert kinds["number"] is forms.IntegerField
    assert kinds["rate"] is forms.FloatField
    assert kinds["limit"] is forms.IntegerField
    assert kinds["name"] is kinds["needed"] is kinds["text"] is forms.CharField
    assert issubclass(kinds["day"], forms.DateField)
    assert kinds["names"] is kinds["codes"] is LinesField
    assert kinds["table"] is forms.JSONField
    for name in ("maybe", "choice", "size", "colour"):
        assert issubclass(kinds[name], forms.TypedChoiceField)
    assert isinstance(fields["option_text"].widget, forms.Textarea)
    assert (fields["option_switch"].label, fields["option_switch"].help_text) == (
        "Switch",
        "On or off.",
    )
    required = {name.removeprefix("option_") for name, field in fields.items() if field.required}
    assert required == {"number", "rate", "choice", "size", "colour", "needed", "codes"}


def test_the_form_as_it_stands_says_nothing() -> None:
    assert said({}) == {}
    assert not filled({}).changed_data


def test_what_was_stored_stays_stored() -> None:
    stored = {"number": 5, "codes": ["7", "8"], "size": 128, "day": "2031-01-01", "maybe": False}
    assert said(stored) == stored
    assert not filled(stored).changed_data


@pytest.mark.parametrize(
    ("changes", "stored"),
    [
        ({"switch": None}, {"switch": False}),
        ({"maybe": "true"}, {"maybe": True}),
        ({"maybe": "false"}, {"maybe": False}),
        ({"number": "9"}, {"number": 9}),
        ({"rate": "0.25"}, {"rate": 0.25}),
        ({"limit": "0"}, {"limit": 0}),
        ({"choice": '"two"'}, {"choice": "two"}),
        ({"size": "128"}, {"size": 128}),
        ({"colour": '"green"'}, {"colour": "green"}),
        ({"name": " a "}, {"name": " a "}),
        ({"text": "a\r\nb"}, {"text": "a\r\nb"}),
        ({"day": "2031-12-31"}, {"day": "2031-12-31"}),
        ({"names": "a\r\n\r\n b \r\n"}, {"names": ["a", "b"]}),
        ({"codes": "1\n2"}, {"codes": ["1", "2"]}),
        ({"table": '{"a": 1}'}, {"table": {"a": 1}}),
        ({"table": ""}, {}),
    ],
)
def test_what_is_said_is_stored_as_json(changes: dict[str, Any], stored: dict[str, Any]) -> None:
    assert said({}, **changes) == stored


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"number": "10"}, "option_number"),
        ({"number": "x"}, "option_number"),
        ({"rate": "nan"}, "option_rate"),
        ({"limit": "-1"}, "option_limit"),
        ({"choice": "two"}, "option_choice"),
        ({"size": '"128"'}, "option_size"),
        ({"colour": '"blue"'}, "option_colour"),
        ({"name": "x" * 11}, "option_name"),
        ({"needed": ""}, "option_needed"),
        ({"name": "\x00"}, "option_name"),
        ({"day": "31.12.2031"}, "option_day"),
        ({"codes": "1\nx"}, "option_codes"),
        ({"codes": ""}, "option_codes"),
        ({"table": '{"a": "b"}'}, "option_table"),
        ({"table": "{"}, "option_table"),
        ({"number": "9", "switch": None}, "__all__"),
    ],
)
def test_what_is_wrong_stands_at_its_field(changes: dict[str, Any], where: str) -> None:
    form = filled({}, **changes)
    form.is_valid()
    assert clean_options(form, AllKinds, {}) == {}
    assert list(form.errors) == [where]


@pytest.mark.parametrize("scheme", registry.NAMES)
def test_defaults_survive_the_way_through_json(scheme: str) -> None:
    options = registry.get(scheme).options_type
    as_json = options().model_dump(mode="json")
    assert options.from_mapping(as_json) == options()
    assert set(initial_options(options, {})) == set(option_fields(options))
