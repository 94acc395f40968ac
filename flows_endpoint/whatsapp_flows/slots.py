"""What can be booked through the sandbox's form, and what is still free.

Services, branches and hours are made up; which slots are taken beforehand follows from
``SEALGATE_SANDBOX_SEED``, so the same seed shows the same calendar.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from django.conf import settings

from crypto_schemes.ciphers import mac
from flows_endpoint.whatsapp_flows.models import Appointment
from tenants import digests, sql

#: Service id to its title and the branches that offer it.
SERVICES: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "repair": ("Repair", ("north", "harbour")),
    "advice": ("Advice", ("north", "harbour", "station")),
    "pickup": ("Pick-up", ("harbour", "station")),
}
BRANCHES: Final[Mapping[str, str]] = {
    "north": "North Street",
    "harbour": "Old Harbour",
    "station": "Central Station",
}
TIMES: Final = tuple(f"{hour:02}:00" for hour in range(9, 17))
#: How many days ahead can be booked; Sundays are closed.
_DAYS: Final = 14
#: Of 256 slots so many are taken before anybody books.
_TAKEN_BEFOREHAND: Final = 64
_SUNDAY: Final = 6
_BOOKED: Final = f"SELECT slot_digest, token_digest FROM {Appointment._meta.db_table}"  # noqa: S608


@dataclass(frozen=True, slots=True)
class Selection:
    """What a user chose so far; empty from the first thing on that cannot be chosen."""

    service: str = ""
    branch: str = ""
    date: str = ""
    time: str = ""

    @property
    def is_complete(self) -> bool:
        """Return whether everything is chosen."""
        return bool(self.time)

    @property
    def heading(self) -> str:
        """Return the choice in words, empty while it is not complete."""
        if not self.is_complete:
            return ""
        day = _day_title(date.fromisoformat(self.date))
        return f"{SERVICES[self.service][0]}, {BRANCHES[self.branch]}, {day}, {self.time}"

    def as_data(self) -> dict[str, str]:
        """Return the four ids."""
        return {
            "service": self.service,
            "branch": self.branch,
            "date": self.date,
            "time": self.time,
        }


@lru_cache(maxsize=4)
def open_days(today: date) -> tuple[str, ...]:
    """Return the days that can be booked, as ISO dates."""
    days = (today + timedelta(days=number) for number in range(1, _DAYS + 1))
    return tuple([day.isoformat() for day in days if day.weekday() != _SUNDAY])


def read_selection(data: Mapping[str, Any], today: date) -> Selection:
    """Return what ``data`` validly chooses, in the order of the form."""

    def chosen(name: str, allowed: Any) -> str:
        value = data.get(name)
        return value if isinstance(value, str) and value in allowed else ""

    service = chosen("service", SERVICES)
    branch = chosen("branch", SERVICES[service][1]) if service else ""
    day = chosen("date", open_days(today)) if branch else ""
    time = chosen("time", TIMES) if day else ""
    return Selection(service, branch, day, time)


@dataclass(frozen=True, slots=True)
class Bookings:
    """What was booked, as far as one request is concerned.

    ``free`` are the hours of the day it chose at its branch; ``has_token`` says whether its
    flow token booked already.
    """

    free: frozenset[str]
    has_token: bool


def look_up(flow_id: str, selection: Selection, token_digest: str) -> Bookings:
    """Return the bookings that matter to a request; at most one query."""
    by_digest: Mapping[str, str] = {}
    if selection.date:
        by_digest = _offered(
            settings.SANDBOX_SEED,
            _TAKEN_BEFOREHAND,
            digests.internal_secret("lookup"),
            (flow_id, selection.branch, selection.date),
        )
    conditions: list[str] = []
    values: list[str] = []
    if by_digest:
        conditions.append(f"slot_digest IN ({', '.join(['%s'] * len(by_digest))})")
        values += by_digest
    if token_digest:
        conditions.append("(token_digest = %s AND token_digest <> '')")
        values.append(token_digest)
    if not conditions:
        return Bookings(frozenset(), has_token=False)
    booked = sql.run(f"{_BOOKED} WHERE {' OR '.join(conditions)}", values).rows
    taken = {by_digest[slot] for slot, _ in booked if slot in by_digest}
    return Bookings(
        free=frozenset(by_digest.values()) - taken,
        has_token=bool(token_digest) and any(token == token_digest for _, token in booked),
    )


def slot_digest(flow_id: str, branch: str, day: str, time: str) -> str:
    """Return the keyed digest under which a slot is booked."""
    return digests.lookup_digest("whatsapp_flows", "slot", f"{flow_id}|{branch}|{day}|{time}")


def appointment_data(selection: Selection, today: date, free: frozenset[str]) -> dict[str, Any]:
    """Return the data of the screen APPOINTMENT; ``free`` are the hours of the day chosen.

    The lists in it are everybody's: they must not be changed.
    """
    return {
        "services": _services(),
        "branches": _branches(selection.service),
        "is_branch_enabled": bool(selection.service),
        "dates": _dates(today),
        "is_date_enabled": bool(selection.branch),
        "times": _times(free if selection.date else frozenset()),
        "is_time_enabled": bool(selection.date),
    }


@lru_cache
def _services() -> list[dict[str, Any]]:
    return [_item(name, title) for name, (title, _) in SERVICES.items()]


@lru_cache
def _branches(service: str) -> list[dict[str, Any]]:
    names = SERVICES[service][1] if service else tuple(BRANCHES)
    return [_item(name, BRANCHES[name]) for name in names]


@lru_cache(maxsize=4)
def _dates(today: date) -> list[dict[str, Any]]:
    return [_item(day, _day_title(date.fromisoformat(day))) for day in open_days(today)]


@lru_cache(maxsize=256)
def _times(free: frozenset[str]) -> list[dict[str, Any]]:
    return [_item(time, time) | {"enabled": time in free} for time in TIMES]


def _item(name: str, title: str) -> dict[str, Any]:
    return {"id": name, "title": title}


def _day_title(day: date) -> str:
    # Not the locale's names: every process must write the same.
    names = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    return f"{names[day.weekday()]} {day.isoformat()}"


@lru_cache(maxsize=1024)
def _offered(
    seed: str, share: int, secret: bytes, place: tuple[str, str, str]
) -> Mapping[str, str]:
    """Return the hours that nobody had before the first booking by the digests of their slots.

    ``share`` of 256 are taken, at the flow, branch and day of ``place``. ``secret`` is what
    the digests are made with: they are remembered with it.
    """
    flow_id, branch, day = place
    stories = {
        time: mac.sha256(seed.encode("utf-8"), f"{flow_id}|{branch}|{day}|{time}".encode())
        for time in TIMES
    }
    free = [time for time, story in stories.items() if story[0] >= share]
    return MappingProxyType({slot_digest(flow_id, branch, day, time): time for time in free})
