"""What the hot path reads: immutable snapshots of flows with parsed keys.

A snapshot is loaded once per process and kept until the flow changes. Every change counts an
epoch up in the same transaction; a process looks at the epoch at most once every
``KEYRING_EPOCH_SECONDS`` (below a second), and drops what changed. So a request normally
issues no query to find its flow, and a revocation is in force everywhere within a second.

Parsed keys are kept apart from the snapshots, by flow: versions never change, so a rotation
parses the new version only, and a version that may no longer open is forgotten.

What is kept is bounded by what it weighs: flows not asked for longest go first. A flow that comes
back costs some milliseconds once.

Names that belong to no flow are remembered apart from those that do, so that a stranger who
tries many cannot push the others out.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, TypeVar

from django.conf import settings

from crypto_schemes.ciphers import mac
from crypto_schemes.keys import Material
from tenants import digests, flow_loading
from tenants.models import Flow, KeyringEpoch
from tenants.serving_threads import seats
from tenants.snapshot import FlowSnapshot, HeldKey
from tenants.source_address import Network

__all__ = ["FlowSnapshot", "HeldKey", "Keyring", "Network", "keyring", "utc"]

#: Longest name worth looking up, in characters.
_LONGEST_NAME: Final = 128
#: How many names are remembered for each flow that is: a flow has several locating secrets.
_NAMES_A_FLOW: Final = 4
_UNREAD: Final = -1

_Name = tuple[str, str, str]
_K = TypeVar("_K")
_V = TypeVar("_V")


class Keyring:
    """The snapshots of one process. Safe for use by many threads.

    ``clock`` counts seconds and never goes back; ``now`` is Unix time. Not to be asked inside
    a transaction that changed a flow: what is undone later would be remembered.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, now: Callable[[], float] = time.time
    ) -> None:
        self.clock = clock
        self._now = now
        self._lock = threading.Lock()
        self._refreshing = threading.Lock()
        # None for a flow that may not be served: disabled, or its client is.
        self._snapshots: OrderedDict[str, FlowSnapshot | None] = OrderedDict()
        self._weight = self._weight_of_thread = 0
        self._flow_by_name: OrderedDict[_Name, str] = OrderedDict()
        self._unknown_names: OrderedDict[_Name, None] = OrderedDict()
        self._parsed: OrderedDict[str, dict[str, Material]] = OrderedDict()
        self._epoch = _UNREAD
        self._looked_at = float("-inf")
        self._trusted_until = float("inf")

    def by_wire_id(self, scheme: str, wire_id: str) -> FlowSnapshot | None:
        """Return the enabled flow that requests name ``wire_id``, or None."""
        # What no flow can be called never reaches the database (NUL, half a surrogate pair…).
        if not wire_id or not wire_id.isprintable() or len(wire_id) > _LONGEST_NAME:
            return None
        return self._find(
            (scheme, "wire_id", wire_id),
            lambda: flow_loading.flow_with_wire_id(scheme, wire_id),
        )

    def by_secret(self, scheme: str, purpose: str, secret: str) -> FlowSnapshot | None:
        """Return the enabled flow that accepts ``secret`` for ``purpose`` now, or None."""
        digest = digests.lookup_digest(scheme, purpose, secret)
        snapshot = self._find(
            (scheme, purpose, digest),
            lambda: flow_loading.flow_with_secret(scheme, purpose, digest),
        )
        if snapshot is None:
            return None
        accepted = snapshot.credentials(self._now()).accepted(purpose)
        known = mac.equal_any([version.text for version in accepted], secret) is not None
        return snapshot if known else None

    def by_flow_id(self, flow_id: str) -> FlowSnapshot | None:
        """Return the enabled flow with this primary key, or None."""
        try:
            name = str(uuid.UUID(flow_id))
        except ValueError:
            return None
        self._refresh()
        return self._snapshot(name)

    def catch_up(self) -> int:
        """Look for changes now; returns the epoch up to which every one is taken in.

        What is asked for afterwards is read from the database as of then, or later.
        """
        with self._refreshing:
            self._look(self.clock())
            return self._epoch

    def trust_until(self, moment: float) -> None:
        """Serve from memory between two looks until ``moment`` of :attr:`clock`, and no longer.

        Afterwards every look-up looks for changes first. A process that reports what it has
        loaded trusts its memory as long as others count it (tenants.reporter); who counts for
        nobody must not lag behind anybody. Without a report it is trusted for ever.
        """
        self._trusted_until = moment

    @property
    def is_trusted(self) -> bool:
        """Return whether it serves from memory between two looks."""
        return self.clock() < self._trusted_until

    def forget(self) -> None:
        """Drop everything (another database is in use)."""
        with self._refreshing, self._lock:
            self._forget()
            self._parsed.clear()
            self._epoch = _UNREAD
            self._looked_at = float("-inf")

    # -- how it works ----------------------------------------------------------------------

    def _find(self, name: _Name, look_up: Callable[[], str | None]) -> FlowSnapshot | None:
        self._refresh()
        with self._lock:
            epoch = self._epoch
            flow_id = _recall(self._flow_by_name, name)
            if flow_id is None and name in self._unknown_names:
                return None
        if flow_id is None:
            flow_id = look_up()
            with self._lock:
                if epoch == self._epoch and flow_id is not None:
                    _keep(self._flow_by_name, name, flow_id, _NAMES_A_FLOW)
                elif epoch == self._epoch:
                    _keep(self._unknown_names, name, None)
        return None if flow_id is None else self._snapshot(flow_id)

    def _snapshot(self, flow_id: str) -> FlowSnapshot | None:
        with self._lock:
            epoch = self._epoch
            if flow_id in self._snapshots:
                return _recall(self._snapshots, flow_id)
        snapshot = self._load(flow_id)
        with self._lock:
            # A change may have been noticed while the rows were read.
            if epoch == self._epoch:
                self._remember(flow_id, snapshot)
        return snapshot

    def _remember(self, flow_id: str, snapshot: FlowSnapshot | None) -> None:
        """Keep ``snapshot``, and let go of others until all fit. The lock is held."""
        self._drop(flow_id)
        self._snapshots[flow_id] = snapshot
        if snapshot is not None:
            self._weight += snapshot.weight
            self._weight_of_thread += snapshot.weight_of_thread
        most = int(settings.KEYRING_MEGABYTES * 1e6)
        while len(self._snapshots) > settings.KEYRING_CACHED_FLOWS or (
            self._whole_weight > most and len(self._snapshots) > 1
        ):
            oldest = next(iter(self._snapshots))
            self._drop(oldest)
            self._parsed.pop(oldest, None)

    def _drop(self, flow_id: str) -> None:
        snapshot = self._snapshots.pop(flow_id, None)
        if snapshot is not None:
            self._weight -= snapshot.weight
            self._weight_of_thread -= snapshot.weight_of_thread

    @property
    def _whole_weight(self) -> int:
        """Return about how many bytes it takes with all the threads that have served so far."""
        return self._weight + self._weight_of_thread * max(seats.threads, settings.WEB_THREADS)

    def _refresh(self) -> None:
        """Drop what changed, if the last look is long enough ago. One thread at a time looks."""
        asked = self.clock()
        if not self._is_due(asked):
            return
        with self._refreshing:
            # Whoever waited here may find that another has looked since it asked.
            if self._looked_at < asked:
                self._look(self.clock())

    def _look(self, now: float) -> None:
        """Drop what changed. ``now`` is before the query: what it reads may be that old."""
        known = self._epoch
        value = KeyringEpoch.objects.filter(pk=1).values_list("value", flat=True).first() or 0
        changed = Flow.objects.none().values_list("id", flat=True)
        if value > known != _UNREAD:
            changed = Flow.objects.filter(changed_epoch__gt=known).values_list("id", flat=True)
        gone = {str(flow_id) for flow_id in changed}
        with self._lock:
            self._looked_at = now
            if value == known:
                return
            self._epoch = value
            if known == _UNREAD or value < known:  # a restored database counts from before
                self._forget()
                return
            self._unknown_names.clear()
            changed_names = [n for n, flow_id in self._flow_by_name.items() if flow_id in gone]
            for name in changed_names:
                del self._flow_by_name[name]
            for flow_id in gone:
                self._drop(flow_id)

    def _is_due(self, now: float) -> bool:
        age = now - self._looked_at
        return age >= float(settings.KEYRING_EPOCH_SECONDS) or now >= self._trusted_until

    def _forget(self) -> None:
        self._snapshots.clear()
        self._weight = self._weight_of_thread = 0
        self._flow_by_name.clear()
        self._unknown_names.clear()

    def _load(self, flow_id: str) -> FlowSnapshot | None:
        with self._lock:
            known = self._parsed.get(flow_id, {})
        snapshot = flow_loading.load(flow_id, known)
        with self._lock:
            if snapshot is None:
                self._parsed.pop(flow_id, None)
            else:
                _keep(self._parsed, flow_id, snapshot.materials)
        return snapshot


def _recall(cache: OrderedDict[_K, _V], name: _K) -> _V | None:
    if name in cache:
        cache.move_to_end(name)
    return cache.get(name)


def _keep(cache: OrderedDict[_K, _V], name: _K, value: _V, factor: int = 1) -> None:
    cache[name] = value
    cache.move_to_end(name)
    while len(cache) > settings.KEYRING_CACHED_FLOWS * factor:
        cache.popitem(last=False)


#: The keyring of this process.
keyring = Keyring()


def utc(moment: float) -> datetime:
    """Return Unix time as an aware datetime."""
    return datetime.fromtimestamp(moment, UTC)
