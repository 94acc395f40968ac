"""What sandboxes made goes after SEALGATE_SANDBOX_DAYS; what goes on, or is given once, stays."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import models
from django.utils import timezone

from flows_endpoint import sandbox_retention, tasks
from flows_endpoint.citcall.models import CalledNumber, MissedCall
from flows_endpoint.flynn.models import Account, EwayBill, Invoice, PortalSession, UserSession
from flows_endpoint.isu.models import Collection, Payout
from flows_endpoint.kairos import retention as kairos
from flows_endpoint.kairos.models import CallAttempt, CallRequest, OutboundCall
from flows_endpoint.whatsapp_flows.models import Appointment
from tenants.lifecycle import IssuedFlow
from tenants.models import Flow

Make = Callable[..., IssuedFlow]
pytestmark = pytest.mark.django_db

NOW = timezone.now()
OLD = NOW - timedelta(days=90, minutes=1)
YOUNG = NOW - timedelta(days=90) + timedelta(minutes=1)


def forget() -> int:
    return sandbox_retention.forget_old(NOW)


def left(model: type[models.Model]) -> set[Any]:
    return set(model._default_manager.values_list("pk", flat=True))


class TestCitCall:
    @pytest.fixture
    def flow(self, make_flow: Make) -> Flow:
        return make_flow("citcall").flow

    def call(self, flow: Flow, number: str, ordinal: int, ended_at: datetime | None) -> uuid.UUID:
        CalledNumber.objects.update_or_create(
            digest=number, defaults={"flow": flow, "last_call_at": ended_at or OLD}
        )
        made = MissedCall.objects.create(
            flow=flow,
            trxid=uuid.uuid4().hex[:26],
            number_digest=number,
            ordinal=ordinal,
            details=b"sealed",
            state="ended" if ended_at else "queued",
            dial_code=180 if ended_at else None,
            created_at=OLD - timedelta(days=1),
            ended_at=ended_at,
        )
        return made.pk

    def test_calls_that_ended_and_numbers_without_any_go(self, flow: Flow) -> None:
        self.call(flow, "gone", 1, OLD)
        self.call(flow, "called again", 1, OLD)
        young = self.call(flow, "called again", 2, YOUNG)
        queued = self.call(flow, "going on", 1, None)
        assert forget() == 3
        assert left(MissedCall) == {young, queued}
        assert left(CalledNumber) == {"called again", "going on"}
        assert forget() == 0


class TestKairos:
    @pytest.fixture
    def flow(self, make_flow: Make) -> Flow:
        return make_flow("kairos").flow

    def request(self, flow: Flow, *ends: datetime | None) -> CallRequest:
        made = CallRequest.objects.create(
            flow=flow, accepted_at=OLD, is_test=False, is_dialer=False, call_count=len(ends)
        )
        for position, ended_at in enumerate(ends):
            call = OutboundCall.objects.create(
                request=made,
                flow=flow,
                position=position,
                sealed=b"sealed",
                status="COMPLETED" if ended_at else "SCHEDULED",
                start_at=OLD,
                ended_at=ended_at,
            )
            CallAttempt.objects.create(call=call, number=1, started_at=OLD, sealed=b"sealed")
        return made

    def test_a_request_goes_with_its_calls_and_attempts(
        self, flow: Flow, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(kairos, "_AT_ONCE", 2)
        for _ in range(3):
            self.request(flow, OLD, OLD)
        assert forget() == 3 * (1 + 2 + 2)
        assert (left(CallRequest), left(OutboundCall), left(CallAttempt)) == (set(), set(), set())

    @pytest.mark.parametrize("last", [None, YOUNG], ids=["goes on", "ended lately"])
    def test_one_of_whose_calls_is_needed_stays_whole(
        self, flow: Flow, last: datetime | None
    ) -> None:
        kept = self.request(flow, OLD, last)
        assert forget() == 0
        assert left(CallRequest) == {kept.pk}
        assert (OutboundCall.objects.count(), CallAttempt.objects.count()) == (2, 2)


class TestFlynn:
    @pytest.fixture
    def flow(self, make_flow: Make) -> Flow:
        return make_flow("flynn").flow

    def test_sessions_that_expired_go(self, flow: Flow) -> None:
        account = Account.objects.create(flow=flow)
        sessions = [
            UserSession.objects.create(
                account=account, key_id=uuid.uuid4(), created_at=OLD, expires_at=expires_at
            )
            for expires_at in (OLD, YOUNG)
        ]
        portals = [
            PortalSession.objects.create(
                flow=flow, portal="irp", user_digest=str(expires_at), expires_at=expires_at
            )
            for expires_at in (OLD, YOUNG)
        ]
        assert forget() == 2
        assert left(UserSession) == {sessions[1].pk}
        assert left(PortalSession) == {portals[1].pk}
        assert left(Account) == {account.pk}

    def test_an_irn_and_an_active_bill_stay_for_ever(self, flow: Flow) -> None:
        cancelled = {"status": "CNL", "cancelled_at": OLD, "cancel_reason": 1}
        invoices = [
            Invoice.objects.create(
                flow=flow, irn_digest=str(n), ack_no=n, record=b"sealed", created_at=OLD, **state
            )
            for n, state in enumerate(({}, cancelled))
        ]
        bills = [
            EwayBill.objects.create(
                flow=flow,
                number=100_000_000_000 + n,
                document_digest=str(n),
                invoice=invoices[0],
                record=b"sealed",
                created_at=OLD,
                **state,
            )
            for n, state in enumerate(({}, cancelled, cancelled | {"cancelled_at": YOUNG}))
        ]
        assert forget() == 1
        assert left(Invoice) == {each.pk for each in invoices}
        assert left(EwayBill) == {bills[0].pk, bills[2].pk}


def test_references_of_isu_stay_for_ever(make_flow: Make) -> None:
    """One that was used must be refused, however long ago it was."""
    flow = make_flow("isu").flow
    details = {"flow": flow, "created_at": OLD, "ended_at": OLD, "sealed": b"sealed"}
    payout = Payout.objects.create(reference_digest="a", state="SUCCESS", **details)
    collection = Collection.objects.create(reference_digest="b", state="EXPIRED", **details)
    assert forget() == 0
    assert (left(Payout), left(Collection)) == ({payout.pk}, {collection.pk})


def test_appointments_of_days_that_are_over_go(make_flow: Make) -> None:
    flow = make_flow("whatsapp_flows").flow
    rows = [
        Appointment.objects.create(flow=flow, slot_digest=str(n), body=b"sealed") for n in (1, 2)
    ]
    Appointment.objects.filter(pk=rows[0].pk).update(created_at=OLD)
    assert forget() == 1
    assert left(Appointment) == {rows[1].pk}


def test_the_worker_does_it_every_hour_by_the_days_of_the_settings(
    make_flow: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduled = settings.CELERY_BEAT_SCHEDULE["forget-sandbox-records"]
    assert scheduled == {"task": tasks.forget_sandbox_records.name, "schedule": 3600.0}
    expires_at = timezone.now() - timedelta(days=89, hours=12)
    portal = PortalSession.objects.create(
        flow=make_flow("flynn").flow, portal="ewb", user_digest="x", expires_at=expires_at
    )
    tasks.forget_sandbox_records()
    assert left(PortalSession) == {portal.pk}
    monkeypatch.setattr(settings, "SANDBOX_DAYS", 89)
    tasks.forget_sandbox_records()
    assert left(PortalSession) == set()
