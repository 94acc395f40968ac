"""Find every audit entry that is not what was written, where it was written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from django.db import connection
from django.db.models import Max

from crypto_schemes.ciphers import mac
from tenants import append_only, digests
from tenants.audit_chain import SECRET, START, digest_of
from tenants.models import AuditEntry, AuditHead

_BATCH: Final = 2000
#: How many places a moved entry is looked for at.
_PLACES: Final = 1000


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong.

    ``kind`` is ``edited``, ``missing``, ``moved``, ``replaced``, ``added``, ``head`` or
    ``unguarded``; ``entry`` is the number of the entry it is about, where it is about one.
    """

    kind: str
    entry: int | None
    what: str


@dataclass(frozen=True, slots=True)
class Verification:
    """How many entries were looked at, the digest of the last, and what is wrong."""

    length: int
    digest: str
    faults: tuple[Fault, ...]


def verify() -> Verification:
    """Look at the whole trail. Entries appended meanwhile are left to the next time.

    Raises AtRestError when the trail's secret cannot be read.
    """
    secret = digests.internal_secret(SECRET)
    head = AuditHead.objects.filter(pk=1).first() or AuditHead(pk=1)
    faults: list[Fault] = []
    not_genuine: list[AuditEntry] = []
    gaps: list[int] = []
    number, genuine = 0, True
    digest = START
    for entry in _entries(head.length):
        gap = range(number + 1, entry.pk)
        if gap:
            faults.append(_missing(gap))
            gaps += gap[:_PLACES]
        number, before = entry.pk, digest
        follows = genuine and not gap
        digest, genuine = entry.digest, mac.equal(entry.digest, digest_of(entry, secret))
        if not genuine:
            not_genuine.append(entry)
        elif follows and entry.previous_digest != before:
            faults.append(
                Fault("replaced", entry.pk, f"{_name(entry)} was written after another entry.")
            )
    tail = range(number + 1, head.length + 1)
    if tail:
        faults.append(_missing(tail))
        gaps += tail[:_PLACES]
    elif genuine and digest != head.digest:
        faults.append(Fault("head", None, "The head of the trail is not its last entry."))
    places = [*(entry.pk for entry in not_genuine[:_PLACES]), *gaps[:_PLACES]]
    faults += [_judge(entry, secret, places) for entry in not_genuine]
    faults += _added()
    faults += [
        Fault("unguarded", None, f"The database's trigger {name} is not there.")
        for name in append_only.missing(connection)
    ]
    # By number, what is about no single entry at the end.
    faults.sort(key=lambda fault: (fault.entry is None, fault.entry or 0))
    return Verification(length=head.length, digest=head.digest, faults=tuple(faults))


def _entries(length: int) -> Iterator[AuditEntry]:
    """Return the entries up to number ``length``, in order, in batches of their own."""
    last = None
    while True:
        rest = AuditEntry.objects.filter(pk__lte=length).order_by("pk")
        batch = list((rest if last is None else rest.filter(pk__gt=last))[:_BATCH])
        yield from batch
        if len(batch) < _BATCH:
            return
        last = batch[-1].pk


def _judge(entry: AuditEntry, secret: bytes, places: Iterable[int]) -> Fault:
    """Say what became of an entry that is not genuine where it stands."""
    near = range(entry.pk - 3, entry.pk + 4)
    for place in dict.fromkeys([*near, *places]):
        if place != entry.pk and mac.equal(entry.digest, digest_of(entry, secret, number=place)):
            return Fault("moved", entry.pk, f"{_name(entry)} was written as number {place}.")
    return Fault("edited", entry.pk, f"{_name(entry)} is not what was written.")


def _missing(numbers: range) -> Fault:
    first, last = numbers[0], numbers[-1]
    what = f"Entry {first} is" if first == last else f"Entries {first} to {last} are"
    return Fault("missing", first, f"{what} missing.")


def _added() -> list[Fault]:
    """Return what stands beyond the head: written by nobody who takes its lock."""
    # The head is read last: whoever appended meanwhile wrote both.
    highest = AuditEntry.objects.aggregate(Max("pk"))["pk__max"] or 0
    head = AuditHead.objects.filter(pk=1).first()
    length = head.length if head else 0
    if highest <= length:
        return []
    beyond = AuditEntry.objects.filter(pk__gt=length).order_by("pk")[:_PLACES]
    return [
        Fault("added", entry.pk, f"{_name(entry)} is beyond the head of the trail.")
        for entry in beyond
    ]


def _name(entry: AuditEntry) -> str:
    return f"Entry {entry.pk} ({entry.at:%Y-%m-%d %H:%M:%S} {entry.actor} {entry.verb})"
