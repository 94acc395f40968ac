"""What the sandbox keeps is bound to its row, and the admin shows none of it."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin import site
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.test import Client as HttpClient

from flows_endpoint.kairos.models import CallAllowance, CallAttempt, CallRequest, OutboundCall
from tenants.at_rest import AtRestError
from tests.flows_endpoint.kairos.partner import Partner, a_call
from tests.flows_endpoint.kairos.test_story import place, play

pytestmark = pytest.mark.django_db


def test_a_copied_row_does_not_open(partner: Partner) -> None:
    partner.sealed(partner.request(a_call("a"), a_call("b")))
    first, second = OutboundCall.objects.order_by("position")
    second.sealed = first.sealed
    with pytest.raises(AtRestError, match="not_authentic"):
        second.details()
    assert first.details()["client-identifier"] == "a"


def test_an_attempt_is_not_a_call(partner: Partner) -> None:
    call = play(place(partner))
    attempt = CallAttempt.objects.get()
    attempt.sealed = call.sealed
    with pytest.raises(AtRestError):
        attempt.details()


@pytest.mark.parametrize(
    "change",
    [{"status": "GONE"}, {"status": "COMPLETED"}, {"ended_at": "2030-01-01T00:00:00Z"}],
    ids=repr,
)
def test_the_database_holds_the_states(partner: Partner, change: dict[str, Any]) -> None:
    partner.sealed(partner.request())
    with pytest.raises(IntegrityError), transaction.atomic():
        OutboundCall.objects.update(**change)


def test_the_admin_shows_ids_and_states_only(partner: Partner, client: HttpClient) -> None:
    call = play(place(partner, "918887770016"))
    CallAllowance.objects.create(flow=partner.flow, used=1)
    client.force_login(User.objects.create_superuser("boss", password="x"))
    for model in (CallRequest, OutboundCall, CallAttempt, CallAllowance):
        assert site.is_registered(model)
        listed: Any = client.get(f"/admin/kairos/{model._meta.model_name}/")
        assert listed.status_code == 200
        pk = model._default_manager.get().pk
        shown: Any = client.get(f"/admin/kairos/{model._meta.model_name}/{pk}/change/")
        assert shown.status_code == 200
        for page in (listed, shown):
            assert b"8887770016" not in page.content
            assert b"order-1" not in page.content
        changed: Any = client.post(f"/admin/kairos/{model._meta.model_name}/{pk}/change/", {})
        deleted: Any = client.post(
            f"/admin/kairos/{model._meta.model_name}/{pk}/delete/", {"post": "yes"}
        )
        assert (changed.status_code, deleted.status_code) == (403, 403)
    assert str(call.pk).encode() in client.get("/admin/kairos/outboundcall/").content
