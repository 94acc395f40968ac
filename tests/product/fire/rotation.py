"""The officer's rounds: every secret of a flow replaced, again and again, by the real verbs."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from tests.product.fire.fleet import Fleet
from tests.support.officer import Officer

#: Seconds between the beginnings of two rounds, and how long both versions are in use at least.
ROUND_SECONDS = 2.0
_BOTH_SECONDS = 0.7
#: Seconds until a use is counted at the latest.
_COUNTED_SECONDS = 3.0
#: Seconds a round waits for processes: one that was killed counts until its report is old.
_PATIENCE = 120.0


@dataclass
class Rounds:
    """Rotates one flow in a thread of its own.

    ``active`` has the id of each version in force, ``handed_over`` the member of what was generated
    that a partner gets, ``counted`` the purposes that requests come under.

    A round is: generate every secret, wait until each process has loaded them, hand them over,
    promote each with an overlap, wait until nobody seals under the old ones, have the partners
    give them up, retire them.
    """

    flow: str
    scheme: str
    active: dict[str, str]
    handed_over: Mapping[str, str]
    counted: Collection[str]
    officer: Officer
    fleet: Fleet
    rotations: Counter[str] = field(default_factory=Counter)
    #: Openings by a version not yet promoted, and by one that has a successor, by purpose.
    by_staged: Counter[str] = field(default_factory=Counter)
    by_outgoing: Counter[str] = field(default_factory=Counter)
    #: Seconds each first promotion of a round waited for the processes.
    waited: list[float] = field(default_factory=list)
    error: BaseException | None = None
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin."""
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        """End after the round that is under way; what went wrong in any is in ``error``."""
        self._stop.set()
        assert self._thread is not None
        self._thread.join(3 * _PATIENCE)

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                began = time.monotonic()
                self._round()
                self._stop.wait(began + ROUND_SECONDS - time.monotonic())
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            self.error = error

    def _round(self) -> None:
        staged = {purpose: self.officer.generate(self.flow, purpose) for purpose in self.active}
        self._loaded()
        for purpose, made in staged.items():
            text = made[self.handed_over[purpose]] if purpose in self.handed_over else ""
            if text:
                self.fleet.add(self.flow, purpose, made["id"], text)
        both_from = time.monotonic()
        used: dict[str, int] = {}
        for purpose, made in staged.items():
            self.by_staged[purpose] += self._uses(purpose, made["id"], beyond=0)
            self.officer.promote(made["id"], wait=_PATIENCE)
            used[purpose] = self.officer.use_count(self.active[purpose])
        self._loaded()
        self._stop.wait(both_from + _BOTH_SECONDS - time.monotonic())
        for purpose, made in staged.items():
            old = self.active[purpose]
            self.fleet.drop(self.flow, purpose, old)
            uses = self._uses(purpose, old, beyond=used[purpose])
            self.by_outgoing[purpose] += uses - used[purpose]
            self.officer.retire(old)
            self.active[purpose] = made["id"]
            self.rotations[purpose] += 1

    def _uses(self, purpose: str, key_id: str, beyond: int) -> int:
        """Return the count of uses. Every partner has just used this version."""
        seconds = _COUNTED_SECONDS if purpose in self.counted else 0.0
        return self.officer.use_count(key_id, beyond=beyond, seconds=seconds)

    def _loaded(self) -> None:
        seen = self.officer.wait_until_loaded(self.flow, _PATIENCE)
        assert seen["complete"], seen["summary"]
        self.waited.append(seen["waited"])
