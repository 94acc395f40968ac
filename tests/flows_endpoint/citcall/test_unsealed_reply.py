"""A reply that cannot be sealed: what came again places no second call, and none is forgotten."""

from __future__ import annotations

import pytest
from django.conf import settings

from crypto_schemes.citcall import SCHEME
from flows_endpoint.citcall.models import MissedCall
from flows_endpoint.models import Timer
from tests.flows_endpoint.citcall.partner import NOT_AUTHORIZED, ORDER, Partner, rows
from tests.flows_endpoint.unsealed import BROKEN, nothing_can_be_sealed

pytestmark = pytest.mark.django_db(transaction=True)
WITHOUT_ID = {name: value for name, value in ORDER.items() if name != "clientUniqueId"}
FAILED = b'{"rc":"06","info":"Unknown error"}'


@pytest.mark.parametrize("error", BROKEN, ids=lambda error: type(error).__name__)
def test_a_call_with_an_id_is_undone_and_placed_when_it_comes_again(
    partner: Partner, error: Exception
) -> None:
    before, sent = rows(), partner.data(ORDER)
    with nothing_can_be_sealed(SCHEME, error):
        assert partner.post(sent).content == FAILED
    assert rows() == before
    assert partner.post(sent).content.startswith(b'{"data":')
    assert MissedCall.objects.count() == 1
    assert partner.post(partner.data(ORDER)).content.startswith(b'{"data":')
    assert MissedCall.objects.count() == 1


@pytest.mark.parametrize("error", BROKEN, ids=lambda error: type(error).__name__)
def test_the_same_message_without_an_id_places_one_call(partner: Partner, error: Exception) -> None:
    sent = partner.data(WITHOUT_ID)
    with nothing_can_be_sealed(SCHEME, error):
        assert partner.post(sent).content == FAILED
    # Where the mark is a row, it and the call are in one transaction, and gone; where it is in
    # Redis, both stand.
    is_placed = bool(settings.REDIS_URL)
    assert MissedCall.objects.count() == is_placed
    again = partner.post(sent).content
    assert (again == NOT_AUTHORIZED) is is_placed
    (call,) = MissedCall.objects.all()
    assert Timer.objects.filter(subject=str(call.pk)).count() == 1
