"""A client unique id is served once in 24 hours, whatever the backend."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from flows_endpoint import timers
from flows_endpoint.citcall.models import FirstReply, MissedCall
from flows_endpoint.guards import replay
from flows_endpoint.models import ReplayMark, Timer
from tenants import digests
from tests.flows_endpoint.citcall import own_backends
from tests.flows_endpoint.citcall.partner import NOT_AUTHORIZED, ORDER, Partner, rows

pytestmark = pytest.mark.django_db
OWN = "tests.flows_endpoint.citcall.own_backends"


@pytest.fixture
def slow_partner(make_partner: Callable[..., Partner]) -> Partner:
    """A partner served by a backend outside of any transaction."""
    own_backends.served.clear()
    return make_partner(backend="python", backend_class=f"{OWN}.Slow")


def test_a_repeat_gets_the_first_reply_and_places_no_call(partner: Partner) -> None:
    first = partner.call(now=timezone.now().timestamp() - 1)
    timers_before = Timer.objects.count()
    again = partner.call({**ORDER, "msisdn": "081299999999", "gateway": 3})
    assert again == first
    assert list(again) == list(first)
    assert MissedCall.objects.count() == 1
    assert Timer.objects.count() == timers_before


def test_another_id_is_another_call(partner: Partner) -> None:
    first = partner.call()
    other = partner.call(ORDER | {"clientUniqueId": "A-2"})
    assert first["trxid"] != other["trxid"]
    assert MissedCall.objects.count() == 2


def test_an_id_belongs_to_its_userid(make_partner: Callable[..., Partner]) -> None:
    one, two = make_partner(address="one"), make_partner(address="two")
    assert one.call()["trxid"] != two.call()["trxid"]
    assert MissedCall.objects.count() == 2


def test_after_a_day_the_id_is_free_again(partner: Partner) -> None:
    first = partner.call(now=timezone.now().timestamp() - 2)
    now = timezone.now()
    FirstReply.objects.update(expires_at=now + timedelta(seconds=20))
    assert partner.call(now=now.timestamp() - 1) == first
    FirstReply.objects.update(expires_at=now)
    ReplayMark.objects.update(expires_at=0)
    again = partner.call()
    assert again["trxid"] != first["trxid"]
    assert FirstReply.objects.count() == 1
    assert partner.call(now=now.timestamp() - 3) == again


def test_a_reply_is_forgotten_when_its_time_is_over(partner: Partner) -> None:
    partner.call()
    timer = Timer.objects.get(kind="citcall.forget_first_reply")
    assert timedelta(hours=23) < timer.due_at - timezone.now() <= timedelta(hours=24)
    Timer.objects.filter(pk=timer.pk).update(due_at=timezone.now())
    timers.run_due()
    assert FirstReply.objects.count() == 1, "served anew since: not yet"
    FirstReply.objects.update(expires_at=timezone.now())
    timers.schedule(str(partner.flow.pk), timer.kind, timer.subject, timezone.now())
    timers.run_due()
    assert FirstReply.objects.count() == 0


def test_a_refused_request_leaves_its_id_free(partner: Partner) -> None:
    before = rows()
    assert partner.call(ORDER | {"gateway": 9})["rc"] == "06"
    assert rows() == before
    assert partner.call()["rc"] == "00"


def test_outside_of_a_transaction_too(slow_partner: Partner) -> None:
    first = slow_partner.call(now=timezone.now().timestamp() - 1)
    assert slow_partner.call() == first == {"rc": "00", "info": "success", "n": 1}
    assert len(own_backends.served) == 1


def test_while_the_first_is_served_a_repeat_is_told_to_come_back(slow_partner: Partner) -> None:
    replies = []
    earlier = timezone.now().timestamp() - 1

    def meanwhile() -> None:
        replies.append(slow_partner.call(now=earlier))

    own_backends.meanwhile.append(meanwhile)
    first = slow_partner.call()
    assert replies == [{"rc": "34", "info": "Service temporarily unavailable"}]
    assert first == slow_partner.call(now=earlier)
    assert len(own_backends.served) == 1


def test_a_failure_outside_of_a_transaction_leaves_its_id_free(slow_partner: Partner) -> None:
    before = rows()
    own_backends.failures.append("14")
    data = slow_partner.data()
    assert slow_partner.post(data).content == b'{"rc":"14","info":"No credit"}'
    assert rows() == before
    assert b'"data"' in slow_partner.post(data).content


def test_the_very_same_message_gets_the_first_reply(partner: Partner) -> None:
    """What a partner's own retry sends within the same second."""
    now = timezone.now().timestamp()
    first = partner.call(now=now)
    assert [partner.call(now=now) for _ in range(3)] == [first] * 3
    assert MissedCall.objects.count() == 1


def test_it_does_outside_of_a_transaction_too(slow_partner: Partner) -> None:
    now = timezone.now().timestamp()
    assert slow_partner.call(now=now) == slow_partner.call(now=now)
    assert len(own_backends.served) == 1


def test_the_same_message_without_an_id_is_a_replay(partner: Partner) -> None:
    data = partner.data({"msisdn": "081299999999", "gateway": 3})
    assert partner.post(data).content != NOT_AUTHORIZED
    assert partner.post(data).content == NOT_AUTHORIZED
    assert MissedCall.objects.count() == 1


def test_the_same_message_places_no_call_when_its_reply_is_forgotten(partner: Partner) -> None:
    data = partner.data()
    partner.post(data)
    FirstReply.objects.all().delete()
    unique_id = digests.lookup_digest("citcall", "client_unique_id", f"{partner.flow.pk}|A-1")
    name = replay._digest(str(partner.flow.pk), "citcall.unique_id", unique_id.encode())
    assert ReplayMark.objects.filter(name=name).delete()[0] == 1
    assert partner.post(data).content == NOT_AUTHORIZED
    assert MissedCall.objects.count() == 1
