"""Operators look at deliveries and have them tried again; nobody sees a body or edits a row."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client as Browser
from django.utils import timezone

from callbacks import operations, tasks
from callbacks.claim import claim_due
from callbacks.models import Delivery
from tenants.actors import Actor, NotAllowedError
from tenants.lifecycle import IssuedFlow
from tenants.models import AuditEntry
from tests.callbacks.outbox import change, put, row

Make = Callable[..., IssuedFlow]
pytestmark = pytest.mark.django_db
LIST = "/admin/callbacks/delivery/"


@pytest.fixture
def delivery(make_flow: Make) -> Delivery:
    flow = make_flow("citcall", callback_url="http://127.0.0.1:9/hook?k=s3cr3t").flow
    return put(flow, {"otp": "913742"}, subject="trx-1")


@pytest.fixture
def operator() -> User:
    user = User.objects.create_user("operator", is_staff=True)
    user.user_permissions.add(
        *Permission.objects.filter(codename__in=["view_delivery", "retry_delivery"])
    )
    return user


@pytest.fixture
def browser(operator: User) -> Browser:
    made = Browser()
    made.force_login(operator)
    return made


def retry(browser: Browser, *deliveries: Delivery) -> str:
    chosen = [str(item.pk) for item in deliveries]
    answer = browser.post(LIST, {"action": "retry", "_selected_action": chosen}, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_list_and_the_page_tell_everything_but_the_body(
    browser: Browser, delivery: Delivery
) -> None:
    change(delivery, last_status=503, last_error="http_503", attempts=4)
    for url in (LIST, f"{LIST}{delivery.pk}/change/"):
        page = browser.get(url).content.decode()
        for text in (str(delivery.pk), "call.ended", "http_503", "503"):
            assert text in page
        assert "913742" not in page
        assert "s3cr3t" not in page
        assert "body" not in page.replace("<body", "").replace("</body", "").replace("tbody", "")


def test_nothing_can_be_added_changed_or_deleted(browser: Browser, delivery: Delivery) -> None:
    before = row(delivery)
    page = f"{LIST}{delivery.pk}/"
    assert browser.get(f"{LIST}add/").status_code == 403
    assert browser.post(f"{page}change/", {"state": "delivered"}).status_code == 403
    assert browser.post(f"{page}delete/", {"post": "yes"}).status_code == 403
    assert row(delivery) == before


def test_retry_now_makes_it_due_with_the_whole_schedule_before_it(
    browser: Browser, delivery: Delivery
) -> None:
    change(
        delivery,
        state="failed",
        settled_at=timezone.now(),
        attempts=13,
        step=13,
        last_error="http_500",
    )
    assert "1 of 1 will be tried now." in retry(browser, delivery)
    after = change(delivery)
    assert (after.state, after.step, after.attempts) == ("pending", 0, 13)
    assert after.next_attempt_at is not None
    assert after.next_attempt_at <= timezone.now()
    entry = AuditEntry.objects.get(verb="delivery.retry")
    assert (entry.actor, entry.flow) == ("operator", delivery.flow)
    assert entry.before == {"state": "failed", "step": 13}
    assert entry.after == {"delivery": str(delivery.pk)}


def test_what_arrived_or_is_under_way_is_left_alone(browser: Browser, delivery: Delivery) -> None:
    (held,) = claim_due(1)
    arrived = put(delivery.flow)
    change(arrived, state="delivered", settled_at=timezone.now())
    before = row(held), row(arrived)
    page = retry(browser, held, arrived)
    assert "0 of 2 will be tried now." in page
    assert "have arrived already or are being tried" in page
    assert (row(held), row(arrived)) == before
    assert not AuditEntry.objects.filter(verb="delivery.retry").exists()


def test_without_the_permission_there_is_no_retry(
    browser: Browser, operator: User, delivery: Delivery
) -> None:
    operator.user_permissions.remove(Permission.objects.get(codename="retry_delivery"))
    change(delivery, state="failed", settled_at=timezone.now())
    before = row(delivery)
    retry(browser, delivery)
    with pytest.raises(NotAllowedError):
        operations.retry(Actor("nobody", may=lambda permission: False), [delivery.pk])
    assert row(delivery) == before


@pytest.mark.django_db(transaction=True)
def test_a_retry_rings(actor: Actor, delivery: Delivery, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[int] = []
    monkeypatch.setattr(tasks.deliver_due, "delay", lambda: heard.append(1))
    assert operations.retry(actor, [uuid4()]) == 0
    assert heard == []
    assert operations.retry(actor, [delivery.pk]) == 1
    assert heard == [1]
