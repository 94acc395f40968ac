"""The waits of an endpoint as one types them: seconds with commas between."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import UnfoldAdminTextInputWidget

#: More digits than any wait has; int() would take as many as there are.
_LONGEST: Final = 9


class WaitsField(forms.CharField):
    """A list of whole seconds in one line; empty is an empty list."""

    def __init__(self, **given: Any) -> None:
        super().__init__(required=False, widget=UnfoldAdminTextInputWidget(), **given)

    def to_python(self, value: Any) -> Any:
        """Return the list. Raises ValidationError, which quotes what is no number."""
        waits: list[int] = []
        for part in str(value or "").split(","):
            text = part.strip()
            if not text and not waits and "," not in str(value):
                return []
            if not (text.isascii() and text.isdigit() and len(text) <= _LONGEST):
                said = f"“{text[:20]}” is no number of seconds." if text else "A number is missing."
                raise ValidationError(f"{said} Write whole seconds and commas: 5, 60, 3600.")
            waits.append(int(text))
        return waits

    def prepare_value(self, value: Any) -> Any:
        """Return the line for a list; what somebody typed stays as it is."""
        return ", ".join(map(str, value)) if isinstance(value, list) else value

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Return whether other seconds were typed; what is no list has changed, too."""
        before = self.to_python(initial) if isinstance(initial, str) else initial or []
        try:
            return bool(self.to_python(data) != before)
        except ValidationError:
            return True
