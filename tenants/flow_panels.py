"""Panels that a contract adds to the pages of its flows. Registered in ``AppConfig.ready``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from tenants.models import Flow


@dataclass(frozen=True, slots=True)
class Panel:
    """Its template gets ``context`` as ``panel``; ``warnings`` stand on top of the page."""

    template: str
    context: Mapping[str, Any]
    warnings: Sequence[str] = ()


_makers: dict[str, Callable[[Flow, HttpRequest], Panel | None]] = {}


def register(scheme: str, maker: Callable[[Flow, HttpRequest], Panel | None]) -> None:
    """Have ``maker`` add its panel to the page of each flow of ``scheme``.

    It returns None for who may see nothing of it.
    """
    _makers[scheme] = maker


def panel_of(flow: Flow, request: HttpRequest) -> Panel | None:
    """Return the panel of the flow's contract, or None."""
    maker = _makers.get(flow.scheme)
    return None if maker is None else maker(flow, request)
