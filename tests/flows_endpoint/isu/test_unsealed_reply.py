"""An answer that cannot be sealed: what was done stands once, and the partner can ask for it."""

from __future__ import annotations

import pytest

from crypto_schemes.isu import SCHEME
from flows_endpoint.isu.models import Collection, Payout
from flows_endpoint.models import Timer
from tests.flows_endpoint.isu.partner import Partner, error, payout, plain, status, upi
from tests.flows_endpoint.unsealed import BROKEN, nothing_can_be_sealed

pytestmark = pytest.mark.django_db(transaction=True)
INTERNAL = error(500, "Internal failure")


@pytest.mark.parametrize("broken", BROKEN, ids=lambda one: type(one).__name__)
def test_a_payout_stands_once_and_the_status_check_tells_of_it(
    partner: Partner, broken: Exception
) -> None:
    order = payout()
    sent = partner.seal(order)
    with nothing_can_be_sealed(SCHEME, broken):
        assert plain(partner.send(sent)) == INTERNAL
    (made,) = Payout.objects.all()
    # The very same message: its header is used up. A new one: the reference is taken.
    assert partner.send(sent).status_code == 401
    again = partner.ask("payout", order)
    assert (again["status"], again["statusDesc"]) == ("FAILED", "Duplicate clientReferenceNo")
    assert [row.pk for row in Payout.objects.all()] == [made.pk]
    told = partner.ask("status", status(**{"$6": order["clientReferenceNo"]}))
    (found,) = told["results"]
    assert (found["status"], found["transactionId"]) == ("SUCCESS", made.transaction_id)


@pytest.mark.parametrize("broken", BROKEN, ids=lambda one: type(one).__name__)
def test_what_ends_later_ends_once(partner: Partner, broken: Exception) -> None:
    slow, request = payout(amount="100.02"), upi()
    for product, order in (("payout", slow), ("dynamic_upi", request)):
        with nothing_can_be_sealed(SCHEME, broken):
            assert plain(partner.send(partner.seal(order), product)) == INTERNAL
        assert partner.ask(product, order)["status"] == "FAILED"
    (one,), (other,) = Payout.objects.all(), Collection.objects.all()
    assert sorted(Timer.objects.values_list("subject", flat=True)) == sorted(
        [str(one.pk), str(other.pk)]
    )
