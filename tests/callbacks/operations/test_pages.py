"""The pages of deliveries, endpoints and replays: what they tell to whom, and what buttons do."""

from __future__ import annotations

import html
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client as Browser
from django.utils import timezone

from callbacks import replaying, settle
from callbacks.attempt import Call
from callbacks.channels import Result
from callbacks.claim import claim_due
from callbacks.models import Delivery, DeliveryState, Replay
from callbacks.settle import Finished
from callbacks.timings import Timings
from tenants.lifecycle import IssuedFlow
from tenants.models import AuditEntry, Flow
from tests.callbacks.outbox import change, put, set_up
from tests.tenants.admin_pages import form_of

pytestmark = pytest.mark.django_db
Make = Callable[..., IssuedFlow]
LIST = "/admin/callbacks/delivery/"
ENDPOINTS = "/admin/callbacks/endpoint/"
REPLAYS = "/admin/callbacks/replay/"
ANSWER = b'{"error": "no such call", "hint": "<b>ask</b>"}'


@pytest.fixture
def flow(make_flow: Make) -> Flow:
    url = "http://127.0.0.1:9/hook?k=s3cr3t"
    return make_flow("citcall", address="p1", callback_url=url).flow


@pytest.fixture
def dead(flow: Flow) -> Delivery:
    delivery = put(flow, {"otp": "913742"}, subject="trx-1")
    (held,) = claim_due(1)
    times = Timings(dns=1.5, connect=2.5, tls=30.0, first_byte=250.0, rest=4.0, total=288.0)
    result = Result(status=422, error="http_422", is_permanent=True)
    settle.record([Finished(held, result, Call(timezone.now(), times, ANSWER))])
    return change(delivery)


def sign_in_as(role: str) -> Browser:
    user = User.objects.create_user(role.lower(), is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    browser = Browser()
    browser.force_login(user)
    return browser


@pytest.fixture
def operator() -> Browser:
    return sign_in_as("Operator")


def page(browser: Browser, url: str) -> str:
    answer = browser.get(url)
    assert answer.status_code == 200
    return answer.content.decode()


def press(browser: Browser, url: str, **said: object) -> str:
    answer = browser.post(url, said, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


class TestDeliveryPage:
    def test_what_to_do_about_a_failure(self, operator: Browser, flow: Flow) -> None:
        delivery = put(flow)
        (held,) = claim_due(1)
        result = Result(error="refused_address", why="List its network in SEALGATE_OUTBOUND_ALLOW.")
        settle.record([Finished(held, result, Call(timezone.now(), Timings()))])
        assert result.why in page(operator, f"{LIST}{delivery.pk}/change/")
        assert change(delivery).state == DeliveryState.PENDING

    def test_the_attempts_with_their_phases(self, operator: Browser, dead: Delivery) -> None:
        shown = page(operator, f"{LIST}{dead.pk}/change/")
        assert (
            'aria-label="Name look-up 1.5 ms, Connection 2.5 ms, TLS 30.0 ms, '
            'First byte 250.0 ms, Rest 4.0 ms"' in shown
        )
        for text in ("288.0 ms", "http_422", "422", f"{ENDPOINTS}{dead.endpoint_id}/change/"):
            assert text in shown
        assert "no such call" in shown
        assert "&lt;b&gt;ask&lt;/b&gt;" in shown
        assert "<b>ask</b>" not in shown
        for secret in ("913742", "s3cr3t"):
            assert secret not in shown

    def test_the_answer_is_for_who_may_read_it(self, dead: Delivery) -> None:
        shown = page(sign_in_as("Viewer"), f"{LIST}{dead.pk}/change/")
        assert "http_422" in shown
        assert "no such call" not in shown
        assert "/do/" not in shown

    def test_its_buttons(self, operator: Browser, dead: Delivery) -> None:
        url = f"{LIST}{dead.pk}/do"
        assert "It will be tried now." in press(operator, f"{url}/retry/")
        assert change(dead).state == "pending"
        assert "It is cancelled." in press(operator, f"{url}/cancel/")
        assert change(dead).state == "cancelled"
        assert "Nothing was changed" in press(operator, f"{url}/cancel/")
        assert operator.post(f"{url}/delete/").status_code == 404

    def test_the_list_cancels_those_chosen(self, operator: Browser, flow: Flow) -> None:
        chosen, other = put(flow), put(flow)
        said = press(operator, LIST, action="cancel", _selected_action=[str(chosen.pk)])
        assert "1 of 1 are cancelled." in said
        assert [change(item).state for item in (chosen, other)] == ["cancelled", "pending"]


class TestTheList:
    @pytest.mark.parametrize(
        ("query", "is_found"),
        [
            ("q=trx-1", True),
            ("q=trx-2", False),
            ("q=p1", True),
            ("state__exact=failed", True),
            ("state__exact=delivered", False),
            ("state__exact=pending", False),
            ("since=1h", True),
            ("event=call.ended", True),
            ("event=call.begun", False),
            ("endpoint=999999", False),
            ("endpoint=x", False),
        ],
    )
    def test_what_narrows_it(
        self, query: str, is_found: bool, operator: Browser, dead: Delivery
    ) -> None:
        assert (f"{dead.pk}/change/" in page(operator, f"{LIST}?{query}")) == is_found

    def test_by_id_endpoint_and_flow(self, operator: Browser, dead: Delivery, flow: Flow) -> None:
        for query in (f"q={dead.pk}", f"endpoint={dead.endpoint_id}", f"flow__id__exact={flow.pk}"):
            assert f"{dead.pk}/change/" in page(operator, f"{LIST}?{query}")

    def test_what_is_no_state_is_refused(self, operator: Browser, dead: Delivery) -> None:
        assert operator.get(f"{LIST}?state__exact=odd").status_code == 302


class TestEndpointPage:
    def test_how_the_day_went(self, operator: Browser, dead: Delivery) -> None:
        put(dead.flow)
        shown = page(operator, f"{ENDPOINTS}{dead.endpoint_id}/change/")
        for text in (
            "Attempts taken</th><td>0",
            "Attempts failed</th><td>1",
            "<code>http_422</code></th><td>1",
            "Half answered within</th><td>288.0 ms",
            "Due or waiting for a try</th><td>1",
            f"{LIST}?endpoint={dead.endpoint_id}",
        ):
            assert text in shown

    def test_pause_and_resume(self, operator: Browser, flow: Flow) -> None:
        endpoint = set_up(flow)
        url = f"{ENDPOINTS}{endpoint.pk}/do"
        assert "needs a reason" in press(operator, f"{url}/pause/")
        assert set_up(flow).state == "active"
        assert "Its deliveries wait." in press(operator, f"{url}/pause/", reason="night")
        assert (set_up(flow).state, set_up(flow).state_reason) == ("paused", "night")
        assert "nothing is sent" in press(operator, f"{url}/pause/")
        assert "goes on" in press(operator, f"{url}/resume/")
        set_up(flow, state="disabled")
        assert "is active" in press(operator, f"{url}/enable/")
        assert "A test event is on its way" in press(operator, f"{url}/test/")
        assert Delivery.objects.get().event == "endpoint.test"
        assert operator.post(f"{url}/delete/").status_code == 404

    def test_its_settings(self, operator: Browser, flow: Flow) -> None:
        endpoint = set_up(flow, schedule=[5])
        url = f"{ENDPOINTS}{endpoint.pk}/change/"
        said: dict[str, object] = {
            "auth": "none",
            "auth_name": "",
            "burst": 3,
            "concurrency": 4,
            "schedule": "",
        }
        # As a browser does: the form carries what it showed.
        said["initial-schedule"] = "5"
        press(operator, url, rate_per_second="0.5", **said)
        after = set_up(flow)
        assert (after.rate_per_second, after.burst, after.concurrency) == (0.5, 3, 4)
        assert after.schedule == []
        assert AuditEntry.objects.get(verb="endpoint.update").actor == "operator"
        wrong = press(operator, url, rate_per_second="", **{**said, "auth": "basic"})
        assert "HTTP Basic needs a user name" in wrong
        assert set_up(flow).auth == "none"

    @pytest.mark.parametrize(
        ("typed", "stored"),
        [
            ("5, 60, 3600", [5, 60, 3600]),
            (" 5,60 ", [5, 60]),
            ("", []),
            ("7", [7]),
        ],
    )
    def test_waits_are_seconds_in_one_line(
        self, operator: Browser, flow: Flow, typed: str, stored: list[int]
    ) -> None:
        url = f"{ENDPOINTS}{set_up(flow, schedule=[1, 2]).pk}/change/"
        form = form_of(operator.get(url).content.decode(), "schedule")
        assert form["schedule"] == "1, 2"
        press(operator, url, **{**form, "schedule": typed})
        assert set_up(flow).schedule == stored
        again = form_of(operator.get(url).content.decode(), "schedule")
        press(operator, url, **again)
        assert AuditEntry.objects.filter(verb="endpoint.update").count() == 1

    @pytest.mark.parametrize(
        ("typed", "words"),
        [
            ("5, soon", "“soon” is no number of seconds. Write whole seconds and commas"),
            ("[5, 60]", "“[5” is no number of seconds."),
            ("5,,60", "A number is missing."),
            (",", "A number is missing."),
            ("5, -1", "“-1” is no number of seconds."),
            ("0", "Each wait is 1 to 604800 whole seconds. Write seconds, such as 5, 60, 3600."),
            ("9" * 5000, "is no number of seconds."),
            ("1," * 50 + "1", "At most 50 waits."),
        ],
    )
    def test_what_are_no_waits_is_said_beside_the_field(
        self, operator: Browser, flow: Flow, typed: str, words: str
    ) -> None:
        url = f"{ENDPOINTS}{set_up(flow, schedule=[1, 2]).pk}/change/"
        form = form_of(operator.get(url).content.decode(), "schedule")
        page = html.unescape(operator.post(url, {**form, "schedule": typed}).content.decode())
        assert words in page
        assert set_up(flow).schedule == [1, 2]

    def test_a_viewer_changes_nothing(self, flow: Flow) -> None:
        endpoint = set_up(flow)
        viewer = sign_in_as("Viewer")
        shown = page(viewer, f"{ENDPOINTS}{endpoint.pk}/change/")
        assert "/do/" not in shown
        assert viewer.post(f"{ENDPOINTS}{endpoint.pk}/change/", {"burst": 9}).status_code == 403
        assert set_up(flow).burst == 1


class TestReplayPages:
    def test_the_form_is_filled_in_as_the_list_was(
        self, operator: Browser, dead: Delivery, flow: Flow
    ) -> None:
        listed = page(operator, f"{LIST}?flow__id__exact={flow.pk}&state__exact=delivered")
        link = f"{REPLAYS}add/?flow={flow.pk}&amp;states=delivered"
        assert link in listed
        form = page(operator, link.replace("&amp;", "&"))
        assert 'value="citcall/p1"' in form
        assert 'value="delivered"' in form

    def test_from_the_form_to_the_end(self, operator: Browser, dead: Delivery) -> None:
        now = timezone.now()
        said = {
            "since": f"{now - timedelta(hours=1):%Y-%m-%dT%H:%M:%S}",
            "until": f"{now + timedelta(seconds=1):%Y-%m-%dT%H:%M:%S}",
            "states": ["failed"],
            "client_slug": "acme",
            "flow_name": "citcall/p1",
            "event": "call.ended",
            "reason": "they lost it",
        }
        shown = press(operator, f"{REPLAYS}add/", **said)
        assert "The replay has begun." in shown
        assert '<meta http-equiv="refresh" content="2">' in shown
        replay = Replay.objects.get()
        assert (replay.flow, replay.event, replay.states) == (dead.flow, "call.ended", ["failed"])
        assert (replay.requested_by, replay.reason) == ("operator", "they lost it")
        replaying.go_on()
        shown = page(operator, f"{REPLAYS}{replay.pk}/change/")
        assert "1 of 1 looked at, <strong>1</strong> sent again." in shown
        assert "refresh" not in shown.partition("</head>")[0]
        assert str(replay.pk) in page(operator, f"{LIST}{dead.pk}/change/")

    @pytest.mark.parametrize(
        ("change_", "text"),
        [
            ({"flow_name": "citcall/none"}, "There is no such flow."),
            ({"client_slug": "none"}, "There is no such client."),
            ({"since": "2999-01-01T00:00:00"}, "must begin before it ends"),
            ({"states": ["pending"]}, "pending is not one of the available choices"),
        ],
    )
    def test_what_cannot_be_is_said_on_the_form(
        self, change_: dict[str, object], text: str, operator: Browser, dead: Delivery
    ) -> None:
        said: dict[str, object] = {"since": "2026-01-01T00:00:00", "until": "2999-01-01T00:00:00"}
        said |= {"states": ["failed"], **change_}
        assert text in press(operator, f"{REPLAYS}add/", **said)
        assert not Replay.objects.exists()

    def test_cancelling(self, operator: Browser, dead: Delivery) -> None:
        said = {"since": "2026-01-01T00:00:00", "until": "2999-01-01T00:00:00"}
        press(operator, f"{REPLAYS}add/", states=["failed"], **said)
        url = f"{REPLAYS}{Replay.objects.get().pk}/cancel/"
        assert "The replay is cancelled." in press(operator, url)
        assert "cancelled already" in press(operator, url)
        assert Replay.objects.get().state == "cancelled"
        assert change(dead).state == "failed"
