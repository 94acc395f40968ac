"""How the tests are shared out among the processes of ``pytest --numprocesses``.

A file stays together, for what it sets up once; of the tests that start copies of the product, all
of one installation: ``[sqlite]`` and ``[postgresql]`` of a file may run side by side. The
browser's journeys that share a copy of the product and a browser stay together too. What takes
longest comes first: what is allowed most seconds, and of the rest files of many tests. The tests of
copies wait half of the time, so between any two of their groups there is one of the others, which
keeps a processor busy.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from itertools import chain, zip_longest

import pytest
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

_JOURNEYS = "tests/browser/"
_WITH_OWN_COPY = ("test_delivery_operations.py", "test_whatsapp.py")
_COPIES = re.compile(r"tests/(product|faults)/")
_INSTALLATION = re.compile(r"\[(sqlite|postgresql|files|redis|rabbitmq)\]$")


def group_of(nodeid: str) -> str:
    """Return the name of the group that a test runs with."""
    file = nodeid.split("::", 1)[0]
    if file.startswith(_JOURNEYS) and not file.endswith(_WITH_OWN_COPY):
        return _JOURNEYS
    installation = _INSTALLATION.search(nodeid)
    return f"{file}{installation[0]}" if installation and _COPIES.match(file) else file


def ordered(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """Return the tests by group, in the order in which the groups begin."""
    groups: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        groups[group_of(item.nodeid)].append(item)
    copies = [group for group in groups.values() if group[0].get_closest_marker("product")]
    others = [group for group in groups.values() if not group[0].get_closest_marker("product")]
    copies.sort(key=_allowed_seconds, reverse=True)
    others.sort(key=lambda group: (_allowed_seconds(group), len(group)), reverse=True)
    return list(chain.from_iterable(chain.from_iterable(zip_longest(copies, others, fillvalue=[]))))


class Distribution(LoadFileScheduling):  # type: ignore[misc]
    """Hands out the groups in the order in which they were collected."""

    def __init__(self, config: pytest.Config, log: object = None) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def _allowed_seconds(group: list[pytest.Item]) -> float:
    """Return how long a test of the group may take: those that take long say so."""
    markers = [marker for item in group if (marker := item.get_closest_marker("timeout"))]
    return max((float(marker.args[0]) for marker in markers), default=0.0)
