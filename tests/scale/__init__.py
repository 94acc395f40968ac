"""How the lists of the admin behave when they are long.

``script/measure_lists`` fills databases of its own with a million rows, opens every page and prints
how long it took (:mod:`tests.scale.measure`). The same pages are opened over fewer rows in the test
suite, which counts statements and the rows they touch.
"""

from __future__ import annotations

from typing import Final

#: Pages that look through all keys: no index knows when a key was used, for every use would have to
#: write it.
LOOK_THROUGH: Final = frozenset({"keys: used never"})
