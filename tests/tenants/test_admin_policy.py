"""The policy of the second person on the page of a client."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client as Browser

from tenants.actors import Actor
from tenants.models import ApprovalRequest, Client, Flow
from tests.tenants.admin_pages import form_of
from tests.tenants.approval_pages import (
    ROLES,
    as_person,
    client_url,
    page,
    press,
    read,
    sign_in_as,
)
from tests.tenants.asking import (
    everything,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_keys")]


def test_the_policy_is_switched_on_by_a_tick_and_off_by_two(
    client_row: Client, carla: Actor, bert: Actor
) -> None:
    browser = as_person("carla")
    data: dict[str, Any] = form_of(read(browser, client_url(client_row)), "slug")
    browser.post(client_url(client_row), {**data, "needs_second_person": "on"})
    client_row.refresh_from_db()
    assert client_row.needs_second_person
    text = read(browser, client_url(client_row))
    assert "needs_second_person" not in form_of(text, "slug")
    browser.post(client_url(client_row), {**data, "name": "Renamed"})
    client_row.refresh_from_db()
    assert (client_row.name, client_row.needs_second_person) == ("Renamed", True)
    text = press(browser, client_url(client_row, "relax"), reason="too slow")
    assert "Asked for: Let one person alone change the keys of Renamed." in text
    asked = ApprovalRequest.objects.get()
    assert page(asked) in text
    press(as_person("bert"), page(asked, "approve"))
    assert not Client.objects.get(pk=client_row.pk).needs_second_person
    assert client_url(client_row, "relax") not in read(browser, client_url(client_row))


@pytest.mark.parametrize("role", [*sorted(ROLES), "nobody"])
def test_who_may_ask_to_do_without(guarded: Flow, role: str) -> None:
    browser = Browser() if role == "nobody" else sign_in_as(role)
    url = client_url(guarded.client, "relax")
    before = everything()
    may = role in {"Operator", "Administrator"}
    if role != "nobody":
        assert (url in read(browser, client_url(guarded.client))) == may
    assert browser.get(url).status_code == (302 if role == "nobody" else 405)
    answer = browser.post(url, {"reason": "too slow"})
    assert answer.status_code == (302 if may or role == "nobody" else 403)
    assert (everything() != before) == may
    assert Client.objects.get(pk=guarded.client_id).needs_second_person


def test_asking_to_do_without_needs_a_reason(guarded: Flow, carla: Actor) -> None:
    text = press(as_person("carla"), client_url(guarded.client, "relax"), reason=" ")
    assert "needs a reason" in text
    assert not ApprovalRequest.objects.exists()
