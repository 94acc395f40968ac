"""The database side of a run: a process of the installation that fills and looks at the outbox.

Reads one JSON order a line, ``[name, arguments]``, and prints the answer as JSON.
"""

from __future__ import annotations

import json
import sys
import time
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import django

django.setup()

from django.db import connection, transaction  # noqa: E402
from django.utils import timezone  # noqa: E402

from callbacks import sender  # noqa: E402
from callbacks.channels import Message  # noqa: E402
from callbacks.claim import Claimer  # noqa: E402
from callbacks.models import Delivery, Endpoint, EndpointState  # noqa: E402
from callbacks.outbox import enqueue  # noqa: E402
from crypto_schemes.scheme import write_json  # noqa: E402
from tenants import at_rest, lifecycle  # noqa: E402
from tenants.actors import Actor  # noqa: E402
from tenants.models import Flow  # noqa: E402

_AT_ONCE = 2000
_BODY: dict[str, Any] = {
    "rc": "00",
    "trx_id": "20240101190000314159265358",
    "msisdn": "+6281200000001",
    "via": "citcall",
    "token": "02150800042",
    "dial_code": 180,
    "dial_status": "Ringing",
    "call_status": "No Answer",
    "result": "Success",
    "clientUniqueId": "order-1001",
}


def flows(count: int, url: str, concurrency: int) -> list[str]:
    """Make so many flows that call back to ``url``; return their ids."""
    actor = Actor(name="bench")
    client = lifecycle.create_client(actor, slug=f"bench-{uuid.uuid4().hex[:8]}")
    made = [
        lifecycle.create_flow(actor, client, "citcall", callback_url=url).flow for _ in range(count)
    ]
    for flow in made:
        values = {"concurrency": concurrency}
        Endpoint.objects.update_or_create(flow=flow, channel="callback", defaults=values)
    return [str(flow.pk) for flow in made]


def fill(flow_ids: list[str], count: int, due_in: float) -> int:
    """Write ``count`` deliveries, shared evenly, due in so many seconds, a millisecond apart."""
    endpoints = list(Endpoint.objects.filter(flow_id__in=flow_ids).order_by("pk"))
    due = timezone.now() + timedelta(seconds=due_in)

    def row(number: int) -> Delivery:
        endpoint = endpoints[number % len(endpoints)]
        delivery = Delivery(
            id=uuid.uuid4(),
            flow_id=endpoint.flow_id,
            endpoint=endpoint,
            event="call.ended",
            next_attempt_at=due + timedelta(milliseconds=number),
            created_at=due,
        )
        delivery.body = at_rest.seal(write_json(_BODY), delivery.at_rest_context)
        return delivery

    for start in range(0, count, _AT_ONCE):
        some = [row(number) for number in range(start, min(count, start + _AT_ONCE))]
        if connection.vendor == "postgresql":
            _copy(some)
        else:
            Delivery.objects.bulk_create(some)
    _analyze()
    return count


_BACKLOG = """
INSERT INTO callbacks_delivery (id, flow_id, endpoint_id, event, subject, body, state, attempts,
    step, urgency, next_attempt_at, last_error, created_at)
SELECT gen_random_uuid(), endpoint.flow_id, endpoint.id, 'call.ended', '', %s, 'pending', 0, 0, 0,
    %s + number * interval '1 millisecond', '', now()
FROM generate_series(0, %s - 1) AS number JOIN (
    SELECT id, flow_id, row_number() OVER (ORDER BY id) - 1 AS place
    FROM callbacks_endpoint WHERE flow_id = ANY (%s::uuid[])
) AS endpoint ON endpoint.place = number %% %s
"""


def backlog(flow_ids: list[str], count: int, due_in: float) -> int:
    """Do what :func:`fill` does, for deliveries that are claimed but never sent.

    On PostgreSQL the server writes them, their bodies as long as sealed ones.
    """
    if connection.vendor != "postgresql":
        return fill(flow_ids, count, due_in)
    body = at_rest.seal(write_json(_BODY), "nothing opens it")
    due = timezone.now() + timedelta(seconds=due_in)
    with connection.cursor() as cursor:
        cursor.execute(_BACKLOG, [body, due, count, flow_ids, len(flow_ids)])
    _analyze()
    return count


def _copy(rows: list[Delivery]) -> None:
    names = ["id", "flow_id", "endpoint_id", "event", "subject", "body", "state", "attempts"]
    names += ["step", "urgency", "next_attempt_at", "last_error", "created_at"]
    table = Delivery._meta.db_table
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY {table} ({', '.join(names)}) FROM STDIN") as copy,
    ):
        for delivery in rows:
            copy.write_row([getattr(delivery, name) for name in names])


def clear() -> int:
    """Forget all deliveries."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("TRUNCATE callbacks_attempt, callbacks_delivery")
        else:
            cursor.execute("DELETE FROM callbacks_attempt")
            cursor.execute("DELETE FROM callbacks_delivery")
    Endpoint.objects.update(breaker="closed", failures=0, opened_at=None, ready_at=timezone.now())
    return 0


def pause(flow_ids: list[str], is_paused: bool) -> int:  # noqa: FBT001 - a member of an order
    """Pause the endpoints of these flows, or resume them."""
    state = EndpointState.PAUSED if is_paused else EndpointState.ACTIVE
    return Endpoint.objects.filter(flow_id__in=flow_ids).update(state=state)


def _analyze() -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("VACUUM (ANALYZE) callbacks_delivery")
        else:
            cursor.execute("ANALYZE")


def claims(count: int, most: int) -> list[float]:
    """Claim up to ``most`` deliveries, ``count`` times; return the seconds of each claim.

    What was claimed is put back in between, off the clock.
    """
    claimer, times = Claimer(), []
    for _ in range(count):
        began = time.perf_counter()
        claimed = claimer.claim(most)
        times.append(time.perf_counter() - began)
        assert len(claimed) == most, f"only {len(claimed)} were claimed"
        _put_back(claimed)
    return times


def _put_back(claimed: list[Delivery]) -> None:
    was = timezone.now() - timedelta(hours=2)
    Delivery.objects.filter(pk__in=[delivery.pk for delivery in claimed]).update(
        lease_token=None, leased_until=None, next_attempt_at=was, attempts=0, step=0, round_at=None
    )


def move(flow_id: str, url: str) -> int:
    """Give the flow another callback URL."""
    lifecycle.update_flow(Actor(name="bench"), Flow.objects.get(pk=flow_id), {"callback_url": url})
    return 0


def trickle(flow_ids: list[str], rate: float, seconds: float) -> dict[str, tuple[str, float]]:
    """Enqueue in turn at a steady rate; return flow and Unix time of each, just before its commit.

    The clock runs while the transaction commits and the worker is rung.
    """
    made: dict[str, tuple[str, float]] = {}
    began = time.perf_counter()
    for number in range(int(rate * seconds)):
        time.sleep(max(0.0, began + number / rate - time.perf_counter()))
        with transaction.atomic():
            delivery = enqueue(flow_ids[number % len(flow_ids)], "call.ended", _BODY)
            assert delivery is not None
            made[str(delivery.pk)] = (str(delivery.flow_id), time.time())
    return made


def messages(flow_ids: list[str], count: int, file: str) -> int:
    """Write deliveries as they are posted, sealed and signed, to ``file``; leave none."""
    fill(flow_ids, count, -3600)
    with Path(file).open("w", encoding="utf-8") as output:
        for delivery in Delivery.objects.select_related("endpoint", "flow"):
            message = sender.prepare(delivery)
            assert isinstance(message, Message)
            line = {
                "url": message.url,
                "headers": dict(message.headers),
                "body": message.body.decode(),
            }
            output.write(json.dumps(line) + "\n")
    clear()
    return count


def explain(most: int) -> list[str]:
    """Return the plans of the statements of one claim (PostgreSQL)."""
    statements: list[tuple[str, Any]] = []

    def note(execute: Any, statement: str, values: Any, many: bool, context: Any) -> Any:  # noqa: FBT001
        statements.append((statement, values))
        return execute(statement, values, many, context)

    with transaction.atomic():
        with connection.execute_wrapper(note):
            Claimer().claim(most)
        transaction.set_rollback(True)
    plans = []
    with transaction.atomic(), connection.cursor() as cursor:
        for statement, values in statements:
            if statement.startswith(("SELECT", "UPDATE")):
                cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) {statement}", values)
                plans.append("\n".join(line for (line,) in cursor.fetchall()))
        transaction.set_rollback(True)
    return plans


_ORDERS = {
    order.__name__: order
    for order in (flows, fill, backlog, clear, pause, move, claims, trickle, messages, explain)
}


if __name__ == "__main__":
    for line in sys.stdin:
        name, arguments = json.loads(line)
        print(json.dumps(_ORDERS[name](**arguments)), flush=True)
