"""Options of a scheme: typed, validated, each with the help text an administrator reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from crypto_schemes.errors import OptionsError


class Options(BaseModel):
    """Base of every scheme's options.

    Fields are declared with ``pydantic.Field(default, title=…, description=…)``; the
    description is the help text of the admin form and of the documentation.
    Unknown names are refused.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """Return validated options.

        Raises :class:`OptionsError` that names each bad field and what would do.
        """
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise OptionsError(_problems(error, cls)) from None

    @property
    def served_paths(self) -> Mapping[str, str]:
        """Return the options that are addresses of their own, by name; most have none."""
        return {}


def _problems(error: ValidationError, options: type[Options]) -> list[tuple[str, str]]:
    problems = []
    for item in error.errors(include_input=False, include_url=False, include_context=False):
        name, *inside = (str(part) for part in item["loc"]) if item["loc"] else ("",)
        what = item["msg"].removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            known = ", ".join(sorted(options.model_fields))
            what = f"there is no such option; known are {known}"
        elif inside:
            what = f"{'.'.join(inside)}: {what}"
        problems.append((name, what))
    return problems
