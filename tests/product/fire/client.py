"""A process full of partners: many connections, every contract, until it is told to stop.

Reads one JSON line that says whom to call and as whom, prints ``ready``, and goes on when it reads
``go``. Then each line is an order (``add`` or ``drop`` a version, ``stop``), answered with its
number once it is done; in between it prints its counts.
"""

from __future__ import annotations

import json
import random
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from tests.product.fire.partner import Flow, Partner, Way
from tests.product.fire.partners import PARTNERS, Flynn
from tests.product.fire.wire import BrokenError, Counts, FailedError, Wire

#: Seconds between two lines of counts.
_TELL_SECONDS = 0.5
#: How often a request is sent again because a process was killed under it.
_SENDS = 20

_printing = threading.Lock()


def say(**what: Any) -> None:
    """Print one line of JSON."""
    with _printing:
        print(json.dumps(what), flush=True)


class Client:
    """Partners, threads and their counts."""

    def __init__(self, setup: Mapping[str, Any]) -> None:
        self._host, self._port = setup["host"], setup["port"]
        self.counts = Counts()
        self.stopping = threading.Event()
        self._pause: float = setup["pause"]
        self.partners: dict[str, Partner] = {}
        for given in setup["flows"]:
            flow = Flow(**given["flow"])
            kind = PARTNERS[flow.scheme]
            partner = Flynn(flow, setup["invoice"]) if kind is Flynn else kind(flow)
            self.partners[flow.id] = partner
            for purpose, (key_id, text) in given["secrets"].items():
                partner.add(purpose, key_id, text)
        self._threads = [
            threading.Thread(target=self._go_on, args=(number,))
            for number in range(setup["threads"])
        ]

    def begin(self) -> None:
        """Have every partner do what comes first."""
        for partner in self.partners.values():
            persist(partner.begin, self.wire())

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End the threads, each after its request."""
        self.stopping.set()
        for thread in self._threads:
            thread.join()

    def wire(self) -> Wire:
        """Return a connection."""
        return Wire(self._host, self._port, self.counts)

    def obey(self, order: Mapping[str, Any]) -> None:
        """Take or give up a version, and say so, or what went wrong."""
        try:
            self._obey(order)
        except Exception as error:  # noqa: BLE001 - the test shall see it
            say(done=order["number"], error=f"{type(error).__name__}: {error}")
        else:
            say(done=order["number"])

    def _obey(self, order: Mapping[str, Any]) -> None:
        partner, purpose, key_id = self.partners[order["flow"]], order["purpose"], order["id"]
        wire = self.wire()
        if order["do"] == "add":
            partner.add(purpose, key_id, order["text"])
        # A failure is counted, and fails the test in the end.
        with suppress(FailedError):
            persist(lambda wire: partner.try_out(purpose, key_id, wire), wire)
        if order["do"] == "drop":
            with suppress(FailedError):
                persist(lambda wire: partner.drop(purpose, key_id, wire), wire)

    def _go_on(self, number: int) -> None:
        weighed: list[tuple[float, Way]] = []
        for partner in self.partners.values():
            weighed += partner.ways()
        weights = [weight for weight, _ in weighed]
        ways = [way for _, way in weighed]
        chance = random.Random(number)
        wire = self.wire()
        while not self.stopping.wait(self._pause):
            (way,) = chance.choices(ways, weights)
            with suppress(FailedError):
                persist(way, wire)


def persist(way: Way, wire: Wire) -> None:
    """Ask until there is an answer: whatever was under way in a killed process is asked anew.

    Raises FailedError.
    """
    for _ in range(_SENDS):
        try:
            return way(wire)
        except BrokenError:
            continue
    raise FailedError("the connection broke again and again")


def main() -> None:
    """Run the process."""
    client = Client(json.loads(sys.stdin.readline()))
    client.begin()
    say(ready=True)
    sys.stdin.readline()
    client.start()
    stopped = threading.Event()

    def tell() -> None:
        while not stopped.wait(_TELL_SECONDS):
            say(counts=client.counts.as_json())

    threading.Thread(target=tell, daemon=True).start()
    for line in sys.stdin:
        order = json.loads(line)
        if order["do"] == "stop":
            break
        threading.Thread(target=client.obey, args=(order,)).start()
    client.stop()
    stopped.set()
    say(counts=client.counts.as_json())


if __name__ == "__main__":
    main()
