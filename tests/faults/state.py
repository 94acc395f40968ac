"""What the database of a copy says when all is over, and how its flows were set up."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.support.product import Product

_SET_UP = """
import io, json
from django.core.management import call_command
from callbacks.models import Endpoint
for name, url, values in json.loads({order!r}):
    out = io.StringIO()
    call_command(
        "provision", "citcall", "--client", name, "--callback-url", url,
        "--callback-secret", "--json", stdout=out,
    )
    made = json.loads(out.getvalue())
    Endpoint.objects.update_or_create(flow_id=made["flow"], channel="callback", defaults=values)
    print(json.dumps(made))
"""

_SEE = """
import json, time
from django.db.models import Count
from callbacks.models import Attempt, Delivery
from flows_endpoint.citcall.models import MissedCall
deadline = time.monotonic() + {seconds}
while Delivery.objects.filter(state="pending").exists() and time.monotonic() < deadline:
    time.sleep(0.2)
rows = Delivery.objects.annotate(written=Count("tries"))
print(json.dumps({{
    "calls": MissedCall.objects.count(),
    "lost": Attempt.objects.filter(error="worker_lost").count(),
    "deliveries": {{
        str(row.pk): [row.state, row.position, row.attempts, row.written] for row in rows
    }},
}}))
"""


@dataclass(frozen=True)
class Row:
    """A delivery: its state, its place in the lane, attempts begun and attempts written down."""

    state: str
    position: int | None
    attempts: int
    written: int


@dataclass(frozen=True)
class State:
    """Calls placed, attempts whose worker never came back, and every delivery by its id."""

    calls: int
    lost: int
    deliveries: dict[str, Row]


def set_up(
    copy: Product, flows: Sequence[tuple[str, str, dict[str, Any]]]
) -> list[tuple[str, dict[str, Any]]]:
    """Make a CitCall flow of each name and URL with these values of its endpoint."""
    done = copy.manage("shell", "--verbosity", "0", "-c", _SET_UP.format(order=json.dumps(flows)))
    made = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return [(name, flow) for (name, _, _), flow in zip(flows, made, strict=True)]


def see(copy: Product, seconds: float) -> State:
    """Return what there is once nothing is pending, or after ``seconds``."""
    done = copy.manage("shell", "--verbosity", "0", "-c", _SEE.format(seconds=seconds))
    said = json.loads(done.stdout.splitlines()[-1])
    rows = {pk: Row(*values) for pk, values in said["deliveries"].items()}
    return State(said["calls"], said["lost"], rows)
