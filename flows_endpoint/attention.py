"""What a contract adds to the first page: figures, and what needs somebody at once.

Registered in ``AppConfig.ready``, so that the first page knows no contract.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from django.http import HttpRequest


@dataclass(frozen=True, slots=True)
class Tile:
    """A number that links to the list of what it counts."""

    title: str
    value: str
    note: str
    url: str
    is_alarm: bool = False


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence on top of the first page, and where to see to it."""

    text: str
    url: str


@dataclass(frozen=True, slots=True)
class Attention:
    """What one contract has to say to one person."""

    tiles: list[Tile] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)


_sources: dict[str, Callable[[HttpRequest], Attention]] = {}


def register(name: str, source: Callable[[HttpRequest], Attention]) -> None:
    """Ask ``source`` whenever the first page is shown; ``name`` (``whatsapp_flows``) once."""
    _sources[name] = source


def gathered(request: HttpRequest) -> Attention:
    """Return what all contracts have to say to this person."""
    all_of_it = Attention()
    for source in tuple(_sources.values()):
        said = source(request)
        all_of_it.tiles.extend(said.tiles)
        all_of_it.notices.extend(said.notices)
    return all_of_it
