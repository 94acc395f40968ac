"""The exchange log in the admin: read only, found by its request id, quick with many rows."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from flows_endpoint.models import ExchangeRow, Outcome
from tenants.lifecycle import IssuedFlow

pytestmark = pytest.mark.django_db
Make = Callable[..., IssuedFlow]
LIST = "admin:flows_endpoint_exchangerow_changelist"


@pytest.fixture
def rows(make_flow: Make) -> list[ExchangeRow]:
    flow = make_flow("citcall", address="partner01").flow
    return [
        ExchangeRow.objects.create(
            at=datetime(2031, 1, 1, number // 60, number % 60, tzinfo=UTC),
            request_id=f"request-{number:04}",
            flow=flow if number % 2 else None,
            scheme="citcall",
            operation="asynccall",
            outcome=Outcome.REFUSED if number % 3 else Outcome.OK,
            reason="stale" if number % 3 else "",
            http_status=200,
            milliseconds=1.5,
            request_size=100,
        )
        for number in range(120)
    ]


@pytest.fixture
def viewer(db: None) -> Browser:
    user = User.objects.create_user("viewer", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_exchangerow"))
    browser = Browser()
    browser.force_login(user)
    return browser


def listed(browser: Browser, **query: str) -> list[str]:
    """Return the request ids on the page of the list."""
    answer: Any = browser.get(reverse(LIST), query)
    assert answer.status_code == 200
    return [row.request_id for row in answer.context["cl"].result_list]


def test_the_newest_come_first_fifty_a_page(viewer: Browser, rows: list[ExchangeRow]) -> None:
    assert listed(viewer) == [f"request-{number:04}" for number in range(119, 69, -1)]
    assert listed(viewer, before="2031-01-01T00:20:00+00:00") == [
        f"request-{number:04}" for number in range(19, -1, -1)
    ]


def test_one_is_found_by_its_request_id(viewer: Browser, rows: list[ExchangeRow]) -> None:
    assert listed(viewer, q=" request-0007 ") == ["request-0007"]
    assert listed(viewer, q="request-000") == []
    assert len(listed(viewer, q="partner01")) == 50


def test_filters(viewer: Browser, rows: list[ExchangeRow]) -> None:
    assert len(listed(viewer, outcome__exact="ok")) == 40
    assert len(listed(viewer, outcome__exact="refused", after="")) == 50
    assert len(listed(viewer, reason="stale", before=rows[45].at.isoformat())) == 30
    assert len(listed(viewer, scheme="citcall")) == 50
    assert listed(viewer, scheme="isu") == []
    assert listed(viewer, scheme="citcall", outcome__exact="ok") == listed(
        viewer, outcome__exact="ok"
    )
    assert listed(viewer, since="24h") == listed(viewer)  # of the years to come
    assert listed(viewer, since="24h", after="")[-1] == "request-0000"


def test_filters_that_contradict_each_other_find_nothing(
    viewer: Browser, rows: list[ExchangeRow]
) -> None:
    flow = str(rows[1].flow_id)
    assert len(listed(viewer, flow__id__exact=flow, scheme="citcall")) == 50
    assert listed(viewer, flow__id__exact=flow, scheme="isu") == []
    assert len(listed(viewer, reason="stale", outcome__exact="refused")) == 50
    assert listed(viewer, reason="stale", outcome__exact="ok") == []
    assert listed(viewer, reason="stale", outcome__exact="failed") == []


def test_a_filter_that_is_not_offered_is_taken_away(
    viewer: Browser, rows: list[ExchangeRow]
) -> None:
    for query in ({"since": "1y"}, {"reason": "x\0"}, {"flow__id__exact": "x"}, {"before": "x"}):
        answer = viewer.get(reverse(LIST), query)
        assert (answer.status_code, answer["Location"]) == (302, f"{reverse(LIST)}?e=1")
    assert listed(viewer, flow__id__exact="00000000-0000-4000-8000-000000000000") == []


def test_nothing_can_be_changed(viewer: Browser, rows: list[ExchangeRow]) -> None:
    root = Browser()
    root.force_login(User.objects.create_superuser("root"))
    url = reverse("admin:flows_endpoint_exchangerow_change", args=[rows[0].pk])
    before = list(ExchangeRow.objects.values())
    for browser in (viewer, root):
        assert browser.get(url).status_code == 200
        assert browser.post(url, {"outcome": "ok"}).status_code == 403
        assert browser.post(url.replace("/change/", "/delete/"), {"post": "yes"}).status_code == 403
        assert browser.get(reverse("admin:flows_endpoint_exchangerow_add")).status_code == 403
        chosen = {"action": "delete_selected", "_selected_action": str(rows[0].pk), "post": "yes"}
        browser.post(reverse(LIST), chosen)
    assert list(ExchangeRow.objects.values()) == before


def test_who_has_no_permission_sees_nothing(rows: list[ExchangeRow]) -> None:
    staff = Browser()
    staff.force_login(User.objects.create_user("staff", is_staff=True))
    for url in (
        reverse(LIST),
        reverse("admin:flows_endpoint_exchangerow_change", args=[rows[0].pk]),
    ):
        assert staff.get(url).status_code == 403
        assert Browser().get(url).status_code == 302


def test_no_query_counts_the_whole_table(viewer: Browser, rows: list[ExchangeRow]) -> None:
    with CaptureQueriesContext(connection) as captured:
        listed(viewer)
    counts = [query["sql"] for query in captured.captured_queries if "COUNT(" in query["sql"]]
    assert len(counts) == 1
    assert "LIMIT 501" in counts[0]
    assert not [query for query in captured.captured_queries if "DISTINCT" in query["sql"]]
    assert len(captured.captured_queries) <= 8


def test_a_row_says_contract_and_source_with_a_flow_and_without(
    viewer: Browser, rows: list[ExchangeRow]
) -> None:
    ExchangeRow.objects.update(source="203.0.113.7")
    for row in rows[:2]:
        page = viewer.get(reverse(LIST), {"q": row.request_id}).content.decode()
        cells = [
            re.sub(r"\s*<[^>]*>\s*", " ", cell).split()
            for cell in re.findall(r"<t[dh] class=\"field-.*?>(.*?)</t[dh]>", page, re.S)
        ]
        flow = [row.flow.client.slug, "partner01"] if row.flow else ["-"]
        assert cells == [
            ["2031-01-01", f"{row.at:%H:%M:%S}"],
            ["CitCall", "asynccall"],
            flow,
            ["served"] if row.outcome == "ok" else ["refused"],
            ["-"] if row.outcome == "ok" else ["stale"],
            ["200"],
            ["-"],
            ["203.0.113.7"],
        ]
