"""An upgrade keeps every delivery, with an endpoint, and due as it was before."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from callbacks.claim import claim_due
from callbacks.models import Delivery, Endpoint
from tenants.lifecycle import IssuedFlow

pytestmark = pytest.mark.timeout(180)
Make = Callable[..., IssuedFlow]
BEFORE = [("callbacks", "0002_channels")]
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def old(transactional_db: None) -> Iterator[Any]:
    """The tables as they were, by the model of that time."""
    console_too = [*BEFORE, ("console", "0002_second_factor")]
    executor = MigrationExecutor(connection)
    executor.migrate(console_too)
    yield executor.loader.project_state(console_too).apps.get_model("callbacks", "Delivery")
    call_command("migrate", verbosity=0)


def test_deliveries_keep_their_state_and_their_turn(old: Any, make_flow: Make) -> None:
    flows = [make_flow("citcall", callback_url="http://127.0.0.1:9/").flow for _ in range(2)]
    without = make_flow("citcall").flow

    def make(flow: Any, **values: Any) -> uuid.UUID:
        details = {"event": "call.ended", "body": b"x", "next_attempt_at": AT, **values}
        made: uuid.UUID = old.objects.create(flow_id=flow.pk, **details).pk
        return made

    lease = timezone.now() + timedelta(hours=1)  # longer than any migration
    pending = make(flows[0], attempts=3, step=3)
    fresh = make(flows[1], lane="a")
    held = make(flows[0], attempts=1, step=1, lease_token=uuid.uuid4(), leased_until=lease)
    delivered = make(flows[0], state="delivered", delivered_at=AT, last_status=200)
    failed = make(without, state="failed", last_error="http_500")
    call_command("migrate", verbosity=0)

    rows = {row.pk: row for row in Delivery.objects.select_related("endpoint")}
    assert len(rows) == 5
    for row in rows.values():
        assert (row.endpoint.flow_id, row.endpoint.channel) == (row.flow_id, "callback")
        assert (row.lane, row.position, row.urgency) == ("", None, 0)
    assert Endpoint.objects.count() == 3
    assert rows[pending].next_attempt_at == AT
    assert rows[pending].round_at == rows[pending].created_at
    assert rows[held].next_attempt_at == lease
    assert (rows[delivered].settled_at, rows[delivered].next_attempt_at) == (AT, None)
    assert (rows[failed].settled_at, rows[failed].next_attempt_at) == (AT, None)
    assert {item.pk for item in claim_due(9)} == {pending, fresh}
