"""How many statements each request costs. A change that needs more has to say so here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.flows_endpoint.whatsapp_flows import test_appointment_story as story
from tests.flows_endpoint.whatsapp_flows.platform import Phone

pytestmark = pytest.mark.django_db
_FRAME = ("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT")


@pytest.mark.parametrize(
    ("name", "count"),
    [
        # Of all: look at the epoch, write the log row, count the use of the keys.
        ("ping", 3),
        # The token's bookings, mark what is sealed.
        ("init", 5),
        # Take the step, the token's bookings, the day's bookings, keep the reply, mark it.
        ("choose", 8),
        # As above, and: insert the appointment, find the callback URL, insert the delivery, note
        # the success on the session.
        ("book", 12),
        # Take the step in vain, read the first reply, mark it.
        ("repeat", 6),
        # Insert the updates.
        ("webhook", 4),
    ],
)
def test_the_number_of_statements(
    phone: Phone, name: str, count: int, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    monkeypatch.setattr("flows_endpoint.whatsapp_flows.slots._TAKEN_BEFOREHAND", 0)
    booking = {**story._chosen(), **story.PERSON, "terms": True}
    actions: dict[str, Callable[[], Any]] = {
        "ping": lambda: phone.send({"version": "3.0", "action": "ping"}),
        "init": lambda: phone.step("", {}, action="INIT"),
        "choose": lambda: phone.step("APPOINTMENT", story._chosen()),
        "book": lambda: phone.step("SUMMARY", booking),
        "repeat": lambda: phone.step("DETAILS", booking),
        "webhook": lambda: phone.deliver({"entry": [{"changes": [story.PERSON] * 5}]}),
    }
    # The first request of a flow loads it and makes the product's own secrets.
    phone.step("DETAILS", booking)
    with CaptureQueriesContext(connection) as queries:
        actions[name]()
    statements = [query["sql"] for query in queries if not query["sql"].startswith(_FRAME)]
    assert len(statements) == count, "\n".join(text[:120] for text in statements)
