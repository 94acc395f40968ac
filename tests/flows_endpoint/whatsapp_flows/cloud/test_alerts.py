"""Alerts of the platform: opened, closed, out of order, and about whose flow."""

from __future__ import annotations

from typing import Any

import pytest

from flows_endpoint.whatsapp_flows.models import FlowAlert
from tests.cloud_api import webhooks
from tests.flows_endpoint.whatsapp_flows.cloud.conftest import MakeSender
from tests.flows_endpoint.whatsapp_flows.cloud.steps import arrive
from tests.flows_endpoint.whatsapp_flows.platform import Phone

pytestmark = pytest.mark.django_db
RATE = {"threshold": 10, "message": "The endpoint's error rate has reached 10 %."}


def alert(event: str, state: str = "", **members: Any) -> dict[str, Any]:
    return webhooks.alert(event, **({"alert_state": state} if state else {}), **members)


def open_alerts() -> list[tuple[str, str]]:
    rows = FlowAlert.objects.filter(closed_at=None).order_by("event", "subject")
    return list(rows.values_list("event", "subject"))


@pytest.mark.parametrize(
    "event",
    ["CLIENT_ERROR_RATE", "ENDPOINT_ERROR_RATE", "ENDPOINT_LATENCY", "ENDPOINT_AVAILABILITY"],
)
def test_an_alert_begins_and_ends(sender: Phone, event: str) -> None:
    arrive(sender, alert(event, "ACTIVATED", **RATE), at=1000)
    row = FlowAlert.objects.get()
    assert (row.source, row.event, row.subject) == ("meta", event, "200000000000002 10")
    assert (row.message, row.opened_at.timestamp()) == (RATE["message"], 1000)
    # Told again, it is still one.
    arrive(sender, alert(event, "ACTIVATED", **RATE), at=1001)
    # Another threshold is another alert.
    arrive(sender, alert(event, "ACTIVATED", threshold=50), at=1002)
    assert open_alerts() == [(event, "200000000000002 10"), (event, "200000000000002 50")]
    arrive(sender, alert(event, "DEACTIVATED", **RATE), at=1003)
    assert open_alerts() == [(event, "200000000000002 50")]
    row.refresh_from_db()
    assert row.closed_at is not None
    assert (row.closed_at.timestamp(), row.closed_by) == (1003, "")


def test_the_platform_s_times_decide_and_not_the_order_of_arrival(sender: Phone) -> None:
    arrive(sender, alert("ENDPOINT_LATENCY", "DEACTIVATED", threshold=5), at=2000)
    arrive(sender, alert("ENDPOINT_LATENCY", "ACTIVATED", threshold=5), at=1000)
    assert open_alerts() == []
    arrive(sender, alert("ENDPOINT_LATENCY", "ACTIVATED", threshold=5), at=3000)
    assert len(open_alerts()) == 1
    arrive(sender, alert("ENDPOINT_LATENCY", "DEACTIVATED", threshold=5), at=2500)
    assert len(open_alerts()) == 1


def test_a_form_that_is_throttled_or_blocked_is_an_alert_until_it_is_not(sender: Phone) -> None:
    def status(old: str, new: str, at: float) -> None:
        arrive(sender, alert("FLOW_STATUS_CHANGE", old_status=old, new_status=new), at=at)

    status("DRAFT", "PUBLISHED", 1)
    assert open_alerts() == []
    status("PUBLISHED", "THROTTLED", 2)
    status("THROTTLED", "BLOCKED", 3)
    assert open_alerts() == [("FLOW_STATUS_CHANGE", "200000000000002")]
    assert FlowAlert.objects.get(closed_at=None).message == "FLOW_STATUS_CHANGE …"
    status("BLOCKED", "PUBLISHED", 4)
    assert open_alerts() == []


def test_a_warning_without_an_end_stays_open(sender: Phone) -> None:
    arrive(sender, alert("FLOW_VERSION_EXPIRY_WARNING", message="Expires."), at=1)
    arrive(sender, alert("SOMETHING_NEW"), at=2)
    assert [event for event, _ in open_alerts()] == ["FLOW_VERSION_EXPIRY_WARNING", "SOMETHING_NEW"]


def test_it_is_the_alert_of_the_flow_whose_form_it_is(
    sender: Phone, make_sender: MakeSender
) -> None:
    sibling = make_sender(options={"meta_flow_id": "77"})
    arrive(sender, alert("ENDPOINT_LATENCY", "ACTIVATED", flow_id="77"))
    arrive(sender, alert("ENDPOINT_LATENCY", "ACTIVATED", flow_id="88"))
    flows = dict(FlowAlert.objects.values_list("subject", "flow_id"))
    assert flows == {"77": sibling.flow.pk, "88": sender.flow.pk}


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"event": None},
        {"event": ["A"]},
        {"event": "A\x00B", "message": "x" * 1000, "flow_id": 5, "threshold": "10"},
        {"event": "E" * 500, "flow_id": "9" * 500, "threshold": True},
        {"event": "FLOW_STATUS_CHANGE", "new_status": 5},
        [],
        "text",
    ],
)
def test_whatever_stands_in_one_can_be_stored(sender: Phone, value: Any) -> None:
    arrive(sender, {"field": "flows", "value": value})
    named = isinstance(value, dict) and str(value.get("event"))[0] in "AE"
    assert FlowAlert.objects.count() == int(named)
