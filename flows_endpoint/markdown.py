"""The pieces of Markdown that the contracts' pages in docs/protocols are made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def fenced(language: str, text: str) -> str:
    """Return ``text`` as a block of code."""
    return f"```{language}\n{text}\n```"


def table(head: Sequence[str], rows: Iterable[Iterable[str]], *, code: int = 0) -> str:
    """Return a table whose first ``code`` columns are set as code, below their titles."""
    lines = [list(head), ["---"] * len(head)]
    lines += ([f"`{cell}`" if at < code else cell for at, cell in enumerate(row)] for row in rows)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
