"""What changes with a flow, in plain words, for whoever decides on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tenants.models import Backend, Flow

_LABELS: Final = {
    "backend": "Who does the business",
    "backend_class": "Python class",
    "upstream_url": "Upstream URL",
    "callback_url": "Callback URL",
    "allowed_networks": "Networks that may call",
    "is_enabled": "Switched on",
}
_EMPTY: Final = {"allowed_networks": "any address"}


@dataclass(frozen=True, slots=True)
class Change:
    """One setting as it was and as it would be; the same where it stays."""

    label: str
    was: str
    becomes: str

    @property
    def stays(self) -> bool:
        """Return whether nothing changes."""
        return self.was == self.becomes

    def __str__(self) -> str:
        return f"{self.label}: " + (
            f"{self.was} (stays)" if self.stays else f"{self.was} → {self.becomes}"
        )


def in_words(flow: Flow, was: Mapping[str, Any], becomes: Mapping[str, Any]) -> list[Change]:
    """Return each setting named by ``becomes``, what changes before what stays."""
    found = [
        Change(label, _said(name, was.get(name)), _said(name, becomes[name]))
        for name, label in _LABELS.items()
        if name in becomes
    ]
    if "options" in becomes:
        found += _options(flow, was["options"], becomes["options"])
    return sorted(found, key=lambda change: change.stays)


def _options(flow: Flow, was: Mapping[str, Any], becomes: Mapping[str, Any]) -> list[Change]:
    """Return the options that differ; one that is not set has the contract's default."""
    options = flow.contract.options_type
    fields, defaults = options.model_fields, options().model_dump(mode="json")
    old, new = defaults | dict(was), defaults | dict(becomes)
    return [
        Change(
            (fields[name].title if name in fields else None) or name,
            _said(name, old.get(name)),
            _said(name, new.get(name)),
        )
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    ]


def _said(name: str, value: Any) -> str:
    if name == "backend" and value in Backend.values:
        return str(Backend(value).label)
    return plain(value, empty=_EMPTY.get(name, "none"))


def plain(value: Any, *, empty: str = "none") -> str:
    """Return a setting's value as one says it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value in ("", []):
        return empty
    return ", ".join(str(item) for item in value) if isinstance(value, list) else str(value)
