"""The envelopes of replies: v1, v2 and v3."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from crypto_schemes.json_text import JSONValue
from crypto_schemes.scheme import write_json


class Version(StrEnum):
    """Which envelope an address answers in."""

    V1 = "v1"  # e-invoices and e-way bills of the first generation
    V2 = "v2"  # log-in and authentication; formed as v1
    V3 = "v3"


def success(version: Version, data: JSONValue, *, data_as_string: bool) -> dict[str, JSONValue]:
    """Return the reply that carries ``data``.

    In v1 ``data_as_string`` makes it JSON text within JSON. Raises SealError for what JSON
    cannot say.
    """
    if version is Version.V3:
        return _v3("1", data, None)
    if version is Version.V1 and data_as_string:
        return {"data": write_json(data).decode("utf-8")}
    return {"data": data}


def failure(version: Version, error: Mapping[str, JSONValue]) -> dict[str, JSONValue]:
    """Return the reply that carries ``error``; always an object, in v1 too."""
    return _v3("0", None, dict(error)) if version is Version.V3 else {"error": dict(error)}


def _v3(status: str, data: JSONValue, error: JSONValue) -> dict[str, JSONValue]:
    return {
        "status": status,
        "data": data,
        "error": error,
        "info": None,
        "additionalInfo": None,
        "alert": None,
    }
