"""The code that stands on a page of the documentation, to be run."""

from __future__ import annotations

import re
from pathlib import Path

_DOCS = Path(__file__).resolve().parent.parent.parent / "docs"


def code_on(page: str, name: str) -> str:
    """Return the code block after ``<!-- runs: name -->`` on docs/``page``."""
    text = (_DOCS / page).read_text(encoding="utf-8")
    found = re.findall(rf"<!-- runs: {re.escape(name)} -->\n```\w+\n(.*?)\n```", text, re.DOTALL)
    assert len(found) == 1, f"{len(found)} examples called {name!r} on {page}"
    code: str = found[0] + "\n"
    return code
