"""Form fields for a contract's options, made from its pydantic model.

The model stays the only place where options are described and checked: the fields carry its
titles, descriptions, bounds and choices, and what they do not catch the model refuses, on the
field that is wrong.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin

from django import forms
from django.contrib.admin import widgets
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from crypto_schemes.errors import OptionsError
from crypto_schemes.options import Options

#: In front of an option's name in a form, so that none can meet a field of the flow.
PREFIX: Final = "option_"
_LONG_TEXT: Final = 300


class LinesField(forms.CharField):
    """A list of texts, one a line."""

    widget = forms.Textarea(attrs={"rows": 4, "cols": 60})

    def prepare_value(self, value: Any) -> Any:
        """Return the text that shows ``value``."""
        return "\n".join(map(str, value)) if isinstance(value, list | tuple) else value

    def to_python(self, value: Any) -> Any:
        """Return the lines that are not blank."""
        return [
            line.strip() for line in (super().to_python(value) or "").splitlines() if line.strip()
        ]

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare as lists, whatever the line ends."""
        return bool(list(initial or []) != self.to_python(data))


def option_fields(options: type[Options]) -> dict[str, forms.Field]:
    """Return a form field for each option, named with :data:`PREFIX`."""
    return {PREFIX + name: _field(info) for name, info in options.model_fields.items()}


def initial_options(options: type[Options], stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return the initial values of the fields: what is stored, else the default."""
    shown = _as_json(options) | dict(stored)
    return {PREFIX + name: shown[name] for name in options.model_fields}


def clean_options(
    form: forms.Form | forms.ModelForm[Any], options: type[Options], stored: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the options a submitted form says, in JSON form.

    Those at their default are left out unless they were stored before. What the model
    refuses becomes an error of the form's field; then the result is of no use.
    """
    if any(name.startswith(PREFIX) for name in form.errors):
        return {}
    values = {name: form.cleaned_data[PREFIX + name] for name in options.model_fields}
    # Left empty, a JSON field says nothing, and the default holds.
    for name in options.model_fields:
        if values[name] is None and isinstance(form.fields[PREFIX + name], forms.JSONField):
            del values[name]
    try:
        said = options.from_mapping(values).model_dump(mode="json")
    except OptionsError as error:
        for name, what in error.problems:
            form.add_error(PREFIX + name if PREFIX + name in form.fields else None, what)
        return {}
    default = _as_json(options)
    return {name: said[name] for name in said if said[name] != default[name] or name in stored}


def _as_json(options: type[Options]) -> dict[str, Any]:
    return options().model_dump(mode="json")


def _field(info: FieldInfo) -> forms.Field:
    kind, is_optional = _unwrap(info.annotation)
    named: dict[str, Any] = {
        "label": info.title,
        "help_text": info.description or "",
        "required": False,
    }
    choices = _choices(kind)
    if kind is bool and not is_optional:
        return forms.BooleanField(**named)
    if kind is bool:
        return _choice(((True, "On"), (False, "Off")), named, is_optional=True)
    if choices:
        return _choice([(value, str(value)) for value in choices], named, is_optional=is_optional)
    named["required"] = not is_optional and info.default not in ("", (), [])
    if kind in {int, float}:
        number = forms.IntegerField if kind is int else forms.FloatField
        return number(**named, min_value=_bound(info, "ge"), max_value=_bound(info, "le"))
    if kind is datetime.date:
        return _ISODateField(**named, widget=widgets.AdminDateWidget)
    if kind is str:
        longest = _bound(info, "max_length")
        is_long = longest is not None and longest > _LONG_TEXT
        area = forms.Textarea(attrs={"rows": 6, "cols": 80}) if is_long else None
        return forms.CharField(
            **named, max_length=longest, strip=False, widget=area, empty_value=""
        )
    if get_origin(kind) in {list, tuple, set, frozenset, Sequence} and _holds_text(kind):
        return LinesField(**named)
    return forms.JSONField(**{**named, "required": False})


def _choice(
    pairs: Iterable[tuple[Any, str]], named: dict[str, Any], *, is_optional: bool
) -> forms.TypedChoiceField:
    """Return a choice among JSON values, which travel through the form as JSON text."""
    choices = [(json.dumps(value), label) for value, label in pairs]
    empty = [("", "Not set")] if is_optional else []
    return _JSONChoiceField(
        **{**named, "required": not is_optional},
        choices=empty + choices,
        coerce=json.loads,
        empty_value=None,
    )


class _ISODateField(forms.DateField):
    """A date that is stored as text."""

    def has_changed(self, initial: Any, data: Any) -> bool:
        return str(initial or "") != str(data or "")


class _JSONChoiceField(forms.TypedChoiceField):
    """A choice whose values are JSON: numbers stay numbers."""

    def prepare_value(self, value: Any) -> Any:
        if value is None or (isinstance(value, str) and self.valid_value(value)):
            return value
        return json.dumps(value)

    def has_changed(self, initial: Any, data: Any) -> bool:
        return (self.prepare_value(initial) or "") != (data or "")


def _unwrap(annotation: Any) -> tuple[Any, bool]:
    """Return the type of an option, and whether it may be None."""
    if get_origin(annotation) in {Union, UnionType}:
        members = [member for member in get_args(annotation) if member is not NoneType]
        if len(members) == 1:
            return members[0], True
    return annotation, False


def _choices(kind: Any) -> list[Any]:
    if get_origin(kind) is Literal:
        return list(get_args(kind))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return [to_jsonable_python(member.value) for member in kind]
    return []


def _holds_text(kind: Any) -> bool:
    members = [member for member in get_args(kind) if member is not Ellipsis]
    return bool(members) and all(
        member is str or (get_args(member) and get_args(member)[0] is str) for member in members
    )


def _bound(info: FieldInfo, name: str) -> Any:
    bounds = (getattr(item, name, None) for item in info.metadata)
    return next((bound for bound in bounds if bound is not None), None)
