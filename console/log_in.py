"""The form that asks for name and password."""

from __future__ import annotations

from typing import Any

from django.core.validators import MaxLengthValidator
from unfold.forms import AuthenticationForm


class LogInForm(AuthenticationForm):  # type: ignore[misc]  # the theme has no types
    """The theme's form, which refuses a name nobody can have before anything is done with it.

    Django tells only the browser how long a name may be; a longer one would not fit into the
    table of wrong passwords.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["username"]
        field.validators.append(MaxLengthValidator(field.max_length))
