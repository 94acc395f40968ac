"""Partners that call until they are acknowledged, whatever happens to who they call."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import urllib3

from crypto_schemes.errors import SchemeError
from tests.support.partner import Partner
from tests.support.product import Product

_PAUSE = 0.2


class Partners:
    """Places ``calls`` CitCall orders, spread over ``flows`` and ``seconds``, from some threads.

    Every call has a ``clientUniqueId`` and is repeated under it until it is answered with success:
    the contract promises one call for all of them.
    """

    def __init__(
        self,
        copy: Product,
        flows: Sequence[tuple[str, dict[str, Any]]],
        calls: int,
        seconds: float,
        threads: int = 6,
    ) -> None:
        self._copy, self._flows = copy, flows
        self._calls, self._seconds = calls, seconds
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        #: Acknowledged ids, and the flow of each.
        self.acknowledged: dict[str, str] = {}
        #: What came instead of a success, and how often.
        self.refused: Counter[str] = Counter()
        self.errors: list[BaseException] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(threads)]

    def start(self) -> None:
        """Begin."""
        self._began = time.monotonic()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Call no more."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def is_done(self) -> bool:
        """Return whether every call was acknowledged, or something went wrong."""
        return not any(thread.is_alive() for thread in self._threads)

    def _run(self) -> None:
        partners = {name: Partner(flow, self._copy.url) for name, flow in self._flows}
        names = list(partners)
        try:
            while (number := next(self._numbers)) < self._calls:
                due = self._began + number * self._seconds / self._calls
                if self._stop.wait(max(0.0, due - time.monotonic())):
                    return
                # Half of the calls go to the first flow, the rest to the others in turn.
                name = names[0] if number % 2 else names[1 + number // 2 % (len(names) - 1)]
                self._call(partners[name], name, number)
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            self.errors.append(error)

    def _call(self, partner: Partner, name: str, number: int) -> None:
        unique_id = f"{name}-{number}"
        order = {"msisdn": f"0812{number:08}", "gateway": 1, "clientUniqueId": unique_id}
        while not self._stop.is_set():
            try:
                said = str(partner.call(order)["rc"])
            except (urllib3.exceptions.HTTPError, SchemeError, ValueError, KeyError) as error:
                said = type(error).__name__
            with self._lock:
                if said == "00":
                    self.acknowledged[unique_id] = name
                    return
                self.refused[said] += 1
            self._stop.wait(_PAUSE)
