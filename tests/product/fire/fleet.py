"""The client processes as the test sees them: hand over, take away, count."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tests.support.product import ROOT, Product

#: Seconds until every process must have done what it was told.
_PATIENCE = 180.0


class Fleet:
    """Some client processes with some connections each. Safe for many threads."""

    def __init__(
        self,
        copy: Product,
        flows: Sequence[Mapping[str, Any]],
        invoice: Mapping[str, Any],
        *,
        processes: int,
        threads: int,
        pause: float,
    ) -> None:
        # Each thread has one, and each rotation under way one to try versions out.
        self.connections = processes * (threads + len(flows))
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._done: dict[int, threading.Semaphore] = {}
        self._counts: dict[int, Mapping[str, Any]] = {}
        self._errors: list[str] = []
        setup = {
            "host": "127.0.0.1",
            "port": copy.port,
            "flows": list(flows),
            "invoice": dict(invoice),
            "threads": threads,
            "pause": pause,
        }
        self._processes = [_start(setup) for _ in range(processes)]
        self._readers = [
            threading.Thread(target=self._read, args=(number, process), daemon=True)
            for number, process in enumerate(self._processes)
        ]

    def go(self) -> None:
        """Have all of them begin, once each is ready."""
        for process in self._processes:
            assert process.stdout is not None
            assert json.loads(process.stdout.readline()) == {"ready": True}
        for reader in self._readers:
            reader.start()
        for process in self._processes:
            _write(process, {})

    def add(self, flow: str, purpose: str, key_id: str, text: str) -> None:
        """Hand a version over; returns when every partner of the flow uses it."""
        self._tell({"do": "add", "flow": flow, "purpose": purpose, "id": key_id, "text": text})

    def drop(self, flow: str, purpose: str, key_id: str) -> None:
        """Have a version used no more; returns when nothing under it is under way."""
        self._tell({"do": "drop", "flow": flow, "purpose": purpose, "id": key_id})

    def counts(self, kind: str) -> Counter[str]:
        """Return how many were ``served``, ``failed`` or ``broken``, by contract."""
        total: Counter[str] = Counter()
        with self._lock:
            for counts in self._counts.values():
                total.update(counts[kind])
        return total

    def told(self) -> list[str]:
        """Return the first failures in words."""
        with self._lock:
            return [line for counts in self._counts.values() for line in counts["told"]]

    def stop(self) -> None:
        """Have all of them end, each request with its answer."""
        for process in self._processes:
            _write(process, {"do": "stop"})
        for process, reader in zip(self._processes, self._readers, strict=True):
            assert process.wait(_PATIENCE) == 0
            reader.join(_PATIENCE)

    def kill(self) -> None:
        """End whatever still runs."""
        for process in self._processes:
            process.kill()
            process.wait()

    def _tell(self, order: dict[str, Any]) -> None:
        with self._lock:
            number = next(self._numbers)
            done = self._done[number] = threading.Semaphore(0)
            for process in self._processes:
                _write(process, order | {"number": number})
        for _ in self._processes:
            assert done.acquire(timeout=_PATIENCE), f"nobody answers to {order['do']}"
        assert self._errors == []

    def _read(self, number: int, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            said = json.loads(line)
            if "error" in said:
                self._errors.append(said["error"])
            if "done" in said:
                self._done[said["done"]].release()
            elif "counts" in said:
                with self._lock:
                    self._counts[number] = said["counts"]


def _start(setup: Mapping[str, Any]) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.product.fire.client"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    _write(process, setup)
    return process


def _write(process: subprocess.Popen[str], line: Mapping[str, Any]) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps(line) + "\n")
    process.stdin.flush()
