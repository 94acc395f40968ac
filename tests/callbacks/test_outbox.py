"""A message goes into the outbox with the transaction that made it due, or not at all."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import transaction

from callbacks import tasks
from callbacks.models import Delivery
from callbacks.outbox import enqueue
from crypto_schemes.errors import SealError
from tenants import at_rest
from tenants.lifecycle import IssuedFlow

Make = Callable[..., IssuedFlow]
URL = "http://127.0.0.1:9/hook"


@pytest.fixture
def rings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    heard: list[int] = []
    monkeypatch.setattr(tasks.deliver_due, "delay", lambda: heard.append(1))
    return heard


@pytest.mark.django_db(transaction=True)
def test_it_is_written_and_rung_when_the_transaction_commits(
    make_flow: Make, rings: list[int]
) -> None:
    flow = make_flow("citcall", callback_url=URL).flow
    with transaction.atomic():
        delivery = enqueue(str(flow.pk), "call.ended", {"secret": "value"}, subject="trx-1")
        assert rings == []
    assert rings == [1]
    assert delivery is not None
    stored = Delivery.objects.get()
    assert (stored.event, stored.subject, stored.state) == ("call.ended", "trx-1", "pending")
    assert (stored.attempts, stored.step, stored.lease_token) == (0, 0, None)
    assert b"value" not in bytes(stored.body)
    assert at_rest.open_sealed(stored.body, stored.at_rest_context) == b'{"secret":"value"}'


@pytest.mark.django_db(transaction=True)
def test_it_is_gone_with_the_transaction(make_flow: Make, rings: list[int]) -> None:
    flow = make_flow("citcall", callback_url=URL).flow
    with pytest.raises(RuntimeError), transaction.atomic():
        enqueue(str(flow.pk), "call.ended", {})
        raise RuntimeError
    assert not Delivery.objects.exists()
    assert rings == []


@pytest.mark.django_db
def test_a_flow_without_a_callback_url_gets_none(make_flow: Make) -> None:
    assert enqueue(str(make_flow("citcall").flow.pk), "call.ended", {}) is None
    assert not Delivery.objects.exists()


@pytest.mark.django_db
def test_what_is_not_json_is_refused(make_flow: Make) -> None:
    flow = make_flow("citcall", callback_url=URL).flow
    with pytest.raises(SealError):
        enqueue(str(flow.pk), "call.ended", {"n": float("nan")})
    assert not Delivery.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_broker_that_is_away_does_not_stop_the_business(
    make_flow: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise ConnectionError("redis://user:s3cr3t@host")

    monkeypatch.setattr(tasks.deliver_due, "delay", fail)
    flow = make_flow("citcall", callback_url=URL).flow
    with transaction.atomic():
        enqueue(str(flow.pk), "call.ended", {})
    assert Delivery.objects.count() == 1
    assert "The broker cannot be rung: ConnectionError" in caplog.text
    assert "s3cr3t" not in caplog.text
