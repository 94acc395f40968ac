"""How many examples the property tests try: a third every day.

All with ``SEALGATE_PROPERTIES=full``. Each run draws others: what one leaves out, another tries.
"""

from __future__ import annotations

import os

_PART = 3


def examples(full: int) -> int:
    """Return how many of ``full`` examples this run tries."""
    return full if os.environ.get("SEALGATE_PROPERTIES") == "full" else max(1, full // _PART)
