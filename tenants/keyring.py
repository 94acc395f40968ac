"""What the hot path reads: immutable snapshots of flows with parsed keys.

A snapshot is loaded once per process and kept until the flow changes. Every change counts an
epoch up in the same transaction; a process looks at the epoch at most once every
``KEYRING_EPOCH_SECONDS`` (below a second), and drops what changed. So a request normally
issues no query to find its flow, and a revocation is in force everywhere within a second.

Parsed keys are remembered by key version apart from the snapshots: versions never change, so
a rotation parses the new version only.
"""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db.models import F
from django.utils import timezone

from crypto_schemes import registry
from crypto_schemes.keys import Credentials, KeyVersion, Material, parse_material
from crypto_schemes.options import Options
from crypto_schemes.scheme import Scheme
from tenants import at_rest, digests
from tenants.models import OPENING_STATES, Flow, Key, KeyringEpoch, KeyState

#: Longest name worth looking up, in characters.
_LONGEST_NAME = 128

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class HeldKey:
    """A key version in a snapshot; ``accept_until`` is Unix time, None for no end."""

    version: KeyVersion
    state: str
    accept_until: float | None


@dataclass(frozen=True, slots=True)
class FlowSnapshot:
    """All that serving a request needs to know of a flow. Immutable, shared by threads."""

    id: str
    client_id: str
    client_slug: str
    scheme_name: str
    address: str
    identity: Mapping[str, str]
    options: Any
    backend: str
    backend_class: str
    upstream_url: str
    callback_url: str
    networks: tuple[Network, ...]
    keys: Mapping[str, tuple[HeldKey, ...]] = field(repr=False)

    @property
    def scheme(self) -> Scheme[Any]:
        """Return the contract."""
        return registry.get(self.scheme_name)

    @property
    def is_sandbox(self) -> bool:
        """Return whether the sandbox serves it; anything else is a live flow."""
        return self.backend == "sandbox"

    def credentials(self, now: float | None = None) -> Credentials:
        """Return identities and the versions that open at Unix time ``now``."""
        moment = time.time() if now is None else now
        versions = {}
        sealing = set()
        for purpose, held in self.keys.items():
            usable = tuple(
                key.version for key in held if key.accept_until is None or moment < key.accept_until
            )
            if usable:
                versions[purpose] = usable
                if held[0].state == KeyState.ACTIVE:
                    sealing.add(purpose)
        return Credentials(identity=self.identity, versions=versions, sealing=frozenset(sealing))


class Keyring:
    """The snapshots of one process. Safe for use by many threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._snapshots: OrderedDict[str, FlowSnapshot] = OrderedDict()
        self._flow_by_name: OrderedDict[tuple[str, str, str], str | None] = OrderedDict()
        self._parsed: OrderedDict[str, Material] = OrderedDict()
        self._epoch = -1
        self._looked_at = float("-inf")

    def by_wire_id(self, scheme: str, wire_id: str) -> FlowSnapshot | None:
        """Return the enabled flow that requests name ``wire_id``, or None."""
        return self._find(scheme, "wire_id", wire_id, self._flow_with_wire_id)

    def by_secret(self, scheme: str, purpose: str, secret: str) -> FlowSnapshot | None:
        """Return the enabled flow that accepts ``secret`` for ``purpose`` now, or None."""
        digest = digests.lookup_digest(scheme, purpose, secret)
        snapshot = self._find(scheme, purpose, digest, self._flow_with_secret)
        if snapshot is None:
            return None
        for version in snapshot.credentials().accepted(purpose):
            if digests.lookup_digest(scheme, purpose, version.text) == digest:
                return snapshot
        return None

    def by_flow_id(self, flow_id: str) -> FlowSnapshot | None:
        """Return the enabled flow with this primary key, or None."""
        self._refresh()
        return self._snapshot(flow_id)

    def forget(self) -> None:
        """Drop everything (another database is in use)."""
        with self._lock:
            self._snapshots.clear()
            self._flow_by_name.clear()
            self._parsed.clear()
            self._epoch = -1
            self._looked_at = float("-inf")

    # -- how it works ----------------------------------------------------------------------

    def _find(
        self, scheme: str, kind: str, name: str, look_up: Callable[[str, str, str], str | None]
    ) -> FlowSnapshot | None:
        # What no flow can be called never reaches the database (NUL, half a surrogate pair…).
        if not name.isprintable() or len(name) > _LONGEST_NAME:
            return None
        self._refresh()
        known = (scheme, kind, name)
        with self._lock:
            hit = known in self._flow_by_name
            flow_id = self._flow_by_name.get(known)
            epoch = self._epoch
            if hit:
                self._flow_by_name.move_to_end(known)
        if not hit:
            flow_id = look_up(scheme, kind, name)
            with self._lock:
                if epoch == self._epoch:
                    self._keep(self._flow_by_name, known, flow_id, 4)
        return None if flow_id is None else self._snapshot(flow_id)

    @staticmethod
    def _flow_with_wire_id(scheme: str, _: str, wire_id: str) -> str | None:
        found = Flow.objects.filter(scheme=scheme, wire_id=wire_id).values_list("id", flat=True)
        return str(found[0]) if found else None

    @staticmethod
    def _flow_with_secret(scheme: str, purpose: str, digest: str) -> str | None:
        found = Key.objects.filter(
            lookup_digest=digest,
            purpose=purpose,
            flow__scheme=scheme,
            state__in=OPENING_STATES,
        ).values_list("flow_id", flat=True)
        return str(found[0]) if found else None

    def _snapshot(self, flow_id: str) -> FlowSnapshot | None:
        with self._lock:
            snapshot = self._snapshots.get(flow_id)
            epoch = self._epoch
            if snapshot is not None:
                self._snapshots.move_to_end(flow_id)
                return snapshot
        snapshot = self._load(flow_id)
        if snapshot is not None:
            with self._lock:
                # A change may have been noticed while the rows were read.
                if epoch == self._epoch:
                    self._keep(self._snapshots, flow_id, snapshot, 1)
        return snapshot

    @staticmethod
    def _keep(cache: OrderedDict[Any, Any], name: Any, value: Any, factor: int) -> None:
        cache[name] = value
        cache.move_to_end(name)
        while len(cache) > settings.KEYRING_CACHED_FLOWS * factor:
            cache.popitem(last=False)

    def _refresh(self) -> None:
        now = self._clock()
        with self._lock:
            if now - self._looked_at < settings.KEYRING_EPOCH_SECONDS:
                return
            known = self._epoch
        value = KeyringEpoch.objects.filter(pk=1).values_list("value", flat=True).first() or 0
        changed: list[str] | None = None
        if value != known and known >= 0:
            changed = [
                str(flow_id)
                for flow_id in Flow.objects.filter(changed_epoch__gt=known).values_list(
                    "id", flat=True
                )
            ]
        with self._lock:
            # The time before the query counts: what it read may be that old.
            self._looked_at = max(self._looked_at, now)
            if value == self._epoch:
                return
            self._epoch = value
            self._flow_by_name.clear()
            if changed is None:
                self._snapshots.clear()
            else:
                for flow_id in changed:
                    self._snapshots.pop(flow_id, None)

    def _load(self, flow_id: str) -> FlowSnapshot | None:
        flow = (
            Flow.objects.select_related("client")
            .filter(pk=flow_id, is_enabled=True, client__is_enabled=True)
            .first()
        )
        if flow is None:
            return None
        contract = flow.contract
        held: dict[str, list[HeldKey]] = {}
        rows = flow.keys.filter(state__in=OPENING_STATES).order_by(F("version").desc())
        for row in sorted(rows, key=lambda key: key.state != KeyState.ACTIVE):
            held.setdefault(row.purpose, []).append(
                HeldKey(
                    version=KeyVersion(
                        id=str(row.pk),
                        purpose=row.purpose,
                        version=row.version,
                        material=self._material(contract, row),
                    ),
                    state=row.state,
                    accept_until=row.accept_until.timestamp() if row.accept_until else None,
                )
            )
        options: Options = contract.options_type.from_mapping(flow.options)
        return FlowSnapshot(
            id=str(flow.pk),
            client_id=str(flow.client_id),
            client_slug=flow.client.slug,
            scheme_name=flow.scheme,
            address=flow.address,
            identity=dict(flow.identity),
            options=options,
            backend=flow.backend,
            backend_class=flow.backend_class,
            upstream_url=flow.upstream_url,
            callback_url=flow.callback_url,
            networks=tuple(ipaddress.ip_network(item) for item in flow.allowed_networks),
            keys={purpose: tuple(versions) for purpose, versions in held.items()},
        )

    def _material(self, contract: Scheme[Any], row: Key) -> Material:
        name = str(row.pk)
        with self._lock:
            if name in self._parsed:
                self._parsed.move_to_end(name)
                return self._parsed[name]
        stored = at_rest.open_sealed(row.material, row.at_rest_context)
        # Validated in full when it was stored; the associated data vouches for it since.
        material = parse_material(contract.purpose(row.purpose), stored, trusted=True)
        with self._lock:
            self._keep(self._parsed, name, material, 8)
        return material


#: The keyring of this process.
keyring = Keyring()


def note_use(key_ids: tuple[str, ...], at: datetime | None = None) -> None:
    """Count one use of each key version."""
    if key_ids:
        Key.objects.filter(pk__in=key_ids).update(
            use_count=F("use_count") + 1, last_used_at=at or timezone.now()
        )


def utc(moment: float) -> datetime:
    """Return Unix time as an aware datetime."""
    return datetime.fromtimestamp(moment, UTC)
