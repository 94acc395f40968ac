"""What came of it, as a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tests.product.fire.fleet import Fleet
from tests.product.fire.rotation import Rounds

_HEAD = (
    "protocol",
    "requests",
    "failed",
    "broken",
    "rotations",
    "versions",
    "opened by a staged",
    "by an outgoing",
)


def table(fleet: Fleet, all_rounds: Iterable[Rounds]) -> str:
    """Return a line for each contract and one for all.

    *broken* are connections that ended with a killed process; *versions* those that were in
    force at some time; the last two how many openings were counted for a version before it was
    promoted, and after its successor was.
    """
    served, failed, broken = (fleet.counts(kind) for kind in ("served", "failed", "broken"))
    lines: list[tuple[str, ...]] = []
    totals = [0] * (len(_HEAD) - 1)
    for rounds in all_rounds:
        name = rounds.scheme
        rotations = rounds.rotations.total()
        figures = [
            served[name] + failed[name],
            failed[name],
            broken[name],
            rotations,
            rotations + len(rounds.active),
            rounds.by_staged.total(),
            rounds.by_outgoing.total(),
        ]
        totals = [total + figure for total, figure in zip(totals, figures, strict=True)]
        lines.append((name, *(f"{figure:,}" for figure in figures)))
    lines.append(("all", *(f"{total:,}" for total in totals)))
    return _aligned([_HEAD, *lines])


def _aligned(lines: Sequence[Sequence[str]]) -> str:
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            text.ljust(width) if column == 0 else text.rjust(width)
            for column, (text, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )
