"""The first page: the figures are right, link to their lists, and show to who may see them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.core.cache import cache
from django.db import connection
from django.test import Client as Browser
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from callbacks.models import Delivery
from console.dashboard import Tile, Traffic, dashboard, traffic
from flows_endpoint import attention
from flows_endpoint.models import ExchangeRow
from tenants import lifecycle
from tenants.actors import Actor
from tenants.lifecycle import IssuedFlow
from tenants.models import Flow, Key
from tests.callbacks.outbox import put

pytestmark = pytest.mark.django_db
Make = Callable[..., IssuedFlow]


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    cache.clear()


def exchange(flow: Flow, outcome: str, hours_ago: float) -> None:
    ExchangeRow.objects.create(
        at=timezone.now() - timedelta(hours=hours_ago),
        request_id="request-0123456789",
        flow=flow,
        scheme=flow.scheme,
        operation="asynccall",
        outcome=outcome,
        http_status=200,
        milliseconds=1.0,
        request_size=10,
    )


@pytest.fixture
def flow(make_flow: Callable[..., IssuedFlow], actor: Actor) -> Flow:
    """A rotation under way whose old key is still used, a day of traffic, and callbacks."""
    made = make_flow("citcall", callback_url="http://127.0.0.1:9/hook").flow
    staged = lifecycle.generate_key(actor, made, "api_key").key
    lifecycle.promote_key(actor, staged, overlap=timedelta(days=1))
    Key.objects.filter(flow=made, state="retiring").update(last_used_at=timezone.now())
    for outcome, hours_ago in (("ok", 1), ("ok", 23), ("refused", 2), ("failed", 3), ("ok", 25)):
        exchange(made, outcome, hours_ago)
    for state, minutes in (("pending", 0), ("pending", 5), ("failed", 0)):
        Delivery.objects.filter(pk=put(made).pk).update(
            state=state,
            next_attempt_at=timezone.now() - timedelta(minutes=minutes),
            settled_at=timezone.now() if state == "failed" else None,
        )
    return made


def tiles_for(*codenames: str) -> dict[str, Tile]:
    user = User.objects.create_user("-".join(["staff", *codenames])[:150], is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    browser = Browser()
    browser.force_login(user)
    answer = browser.get("/admin/")
    assert answer.status_code == 200
    return {tile.title: tile for tile in answer.context["tiles"]}


def test_the_figures(flow: Flow) -> None:
    tiles = tiles_for("view_key", "view_exchangerow", "view_delivery")
    assert {title: (tile.value, tile.is_alarm) for title, tile in tiles.items()} == {
        "Keys that need attention": ("1", True),
        "Rotations in progress": ("1", False),
        "Requests, 24 hours": ("4", True),
        "Deliveries waiting": ("2", True),
        "Deliveries failed, 24 hours": ("1", True),
    }
    assert tiles["Requests, 24 hours"].note == "not served: 50.0 %; 1 failed on our side"
    assert tiles["Deliveries waiting"].note == "1 of them overdue"
    assert Traffic(scheme="citcall", served=2, refused=1, failed=1) in traffic()


def expire(flow: Flow, purpose: str, days: float) -> None:
    until = timezone.now() + timedelta(days=days)
    flow.keys.filter(purpose=purpose, state="active").update(expires_at=until)


def banner() -> tuple[str, int] | None:
    """Return the sentence above the tiles and how many keys its list has."""
    browser = Browser()
    browser.force_login(
        User.objects.get_or_create(username="v", is_superuser=True, is_staff=True)[0]
    )
    answer = browser.get("/admin/")
    if not answer.context["notices"]:
        return None
    (said,) = answer.context["notices"]
    assert said.text in answer.content.decode()
    return said.text, browser.get(said.url).context["cl"].result_count


def test_keys_near_their_expiry_need_attention(flow: Flow) -> None:
    expire(flow, "api_key", 29)
    expire(flow, "callback_signing", 31)
    tile = tiles_for("view_key")["Keys that need attention"]
    assert (tile.value, tile.is_alarm) == ("2", True)
    assert tile.note == "1 near or past expiry; 1 old, in use, about to end"
    Key.objects.filter(flow=flow, state="retiring").update(last_used_at=None)
    tile = tiles_for("view_key", "view_flow")["Keys that need attention"]
    assert (tile.value, tile.is_alarm) == ("1", False)
    expire(flow, "api_key", 7)
    assert tiles_for("view_key", "view_client")["Keys that need attention"].is_alarm


def test_a_key_that_is_both_counts_once(flow: Flow) -> None:
    Key.objects.filter(flow=flow).update(expires_at=timezone.now())
    assert tiles_for("view_key")["Keys that need attention"].value == "4"


def test_keys_that_must_be_replaced_today_stand_above_everything(flow: Flow) -> None:
    expire(flow, "api_key", 2)
    assert banner() is None
    expire(flow, "api_key", 1)
    end = "replace them. They go on opening until then."
    assert banner() == (f"1 key within a day of it: {end}", 1)
    expire(flow, "callback_signing", -3)
    expire(flow, "upstream_signing", 0)
    assert banner() == (f"2 keys past the expiry, 1 key within a day of it: {end}", 3)


def test_the_banner_is_for_who_may_see_keys(flow: Flow) -> None:
    expire(flow, "api_key", 0)
    user = User.objects.create_user("staff", is_staff=True)
    browser = Browser()
    browser.force_login(user)
    assert browser.get("/admin/").context["notices"] == []


def test_a_list_of_no_kind_of_attention_is_refused(flow: Flow) -> None:
    browser = Browser()
    browser.force_login(User.objects.create_superuser("root"))
    url = "/admin/tenants/key/?attention="
    assert browser.get(f"{url}lagging").context["cl"].result_count == 1
    assert browser.get(f"{url}nonsense%00").status_code == 302


def test_every_tile_opens_its_list(flow: Flow) -> None:
    browser = Browser()
    browser.force_login(User.objects.create_superuser("root"))
    answer = browser.get("/admin/")
    page = answer.content.decode()
    counts = {}
    for tile in answer.context["tiles"]:
        assert tile.url.replace("&", "&amp;") in page
        opened = browser.get(tile.url)
        assert opened.status_code == 200
        counts[tile.title] = opened.context["cl"].result_count
    assert counts == {
        "Keys that need attention": 1,
        "Rotations in progress": 1,
        "Waiting for a second person": 0,
        "Requests, 24 hours": 4,
        "Deliveries waiting": 2,
        "Deliveries failed, 24 hours": 1,
    }


def test_each_figure_is_for_who_may_open_the_list(flow: Flow) -> None:
    assert tiles_for() == {}
    assert set(tiles_for("view_key")) == {"Keys that need attention", "Rotations in progress"}
    assert set(tiles_for("view_exchangerow")) == {"Requests, 24 hours"}


def test_the_charts_have_the_contracts_in_use(flow: Flow, make_flow: Make) -> None:
    make_flow("isu")  # without a request so far
    browser = Browser()
    browser.force_login(User.objects.create_superuser("root"))
    answer = browser.get("/admin/")
    for chart in answer.context["charts"]:
        assert json.loads(chart["data"])["labels"] == ["CitCall", "ISU"]
    # What the side bar has is not said again in other words.
    assert answer.content.decode().count(reverse("admin:tenants_key_changelist")) == 3


def test_which_contracts_have_flows_is_asked_once(
    flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attention, "gathered", lambda _: attention.Attention())
    request = RequestFactory().get("/admin/")
    request.user = User.objects.create_superuser("root")
    traffic()
    with CaptureQueriesContext(connection) as asked:
        assert dashboard(request)["charts"]
    about_flows = [
        query["sql"] for query in asked if "FROM tenants_flow" in query["sql"].replace('"', "")
    ]
    assert len(about_flows) == 1


def test_without_anything_it_is_calm() -> None:
    tiles = tiles_for("view_key", "view_exchangerow", "view_delivery")
    assert {tile.value for tile in tiles.values()} == {"0"}
    assert not any(tile.is_alarm for tile in tiles.values())
