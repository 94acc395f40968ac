"""How many examples the property tests try: a third every day.

All of them with ``SEALGATE_TEST_PROPERTIES=full``. Each run draws others, so what one leaves out
another one tries.
"""

from __future__ import annotations

import os

_PART = 3


def examples(full: int) -> int:
    """Return how many of ``full`` examples this run tries."""
    return full if os.environ.get("SEALGATE_TEST_PROPERTIES") == "full" else max(1, full // _PART)
