"""How the lists of the admin behave when they are long.

``script/measure_lists`` fills databases of its own with a million rows, opens every page and prints
how long it took (:mod:`tests.scale.measure`). The same pages are opened over fewer rows in the test
suite, which counts statements and the rows they touch.
"""

from __future__ import annotations

from typing import Final

#: Pages that look through more than they show. No index knows when a key was used, for every use
#: would have to write it. What arrived of a flow most of which did not is looked for among all that
#: the flow has: every delivery would pay for an index of those that arrived.
LOOK_THROUGH: Final = frozenset({"keys: used never", "deliveries: delivered of a failing flow"})
