"""What a contract adds to the first page and to the side bar.

Registered in ``AppConfig.ready``, so that those know no contract.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from django.apps import apps
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


@dataclass(frozen=True, slots=True)
class Link:
    """A list in the side bar: an icon of Material Symbols, an admin model, who may open it."""

    title: str
    icon: str
    model: str
    permission: str


@dataclass(frozen=True, slots=True)
class Group:
    """The links of the contract ``scheme``."""

    scheme: str
    links: Sequence[Link]


_sources: dict[str, Callable[[HttpRequest], Attention]] = {}
_groups: dict[str, Group] = {}


def register(
    title: str,
    scheme: str,
    source: Callable[[HttpRequest], Attention],
    links: Sequence[Link] = (),
) -> None:
    """Ask ``source`` whenever the first page is shown; show ``links`` as the group ``title``.

    The lists they lead to are called as they are.
    """
    _sources[title], _groups[title] = source, Group(scheme, links)
    for link in links:
        app, _, model = link.model.rpartition("_")
        name = f"{link.title[0].lower()}{link.title[1:]}"
        apps.get_model(app, model)._meta.verbose_name_plural = name  # migrations look elsewhere


def groups() -> dict[str, Group]:
    """Return the links of the contracts, by the title of their group."""
    return {title: group for title, group in _groups.items() if group.links}


def gathered(request: HttpRequest) -> Attention:
    """Return what all contracts have to say to this person."""
    all_of_it = Attention()
    for source in tuple(_sources.values()):
        said = source(request)
        all_of_it.tiles.extend(said.tiles)
        all_of_it.notices.extend(said.notices)
    return all_of_it
