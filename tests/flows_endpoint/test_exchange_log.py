"""The exchange log changes no reply, and does not grow for ever."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import InterfaceError, OperationalError
from django.test import Client as HttpClient
from django.utils import timezone

from flows_endpoint import exchange_log, tasks
from flows_endpoint.models import ExchangeRow
from tenants.lifecycle import IssuedFlow

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "error",
    [OperationalError("secret"), InterfaceError("secret"), ValueError("secret")],
    ids=lambda error: type(error).__name__,
)
def test_a_log_that_cannot_be_written_changes_no_reply(
    client: HttpClient,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr("flows_endpoint.log_entries.store", broken)
    reply = client.post("/kairos-apis/outbound/pull", b"{}", content_type="application/json")
    assert json.loads(reply.content)["api-response-code"] == 301
    assert type(error).__name__ in caplog.text
    assert "secret" not in caplog.text


def _row(flow: IssuedFlow | None, **age: float) -> int:
    row = ExchangeRow.objects.create(
        at=timezone.now() - timedelta(**age),
        request_id="r",
        flow=flow.flow if flow else None,
        scheme="citcall",
        operation="asynccall",
        outcome="refused",
        http_status=200,
        milliseconds=1,
        request_size=0,
    )
    return int(row.pk)


def test_old_rows_are_forgotten_and_a_stranger_s_sooner(
    make_flow: Callable[..., IssuedFlow], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.EXCHANGE_LOG_DAYS = 30
    monkeypatch.setattr(exchange_log, "_AT_ONCE", 2)
    flow = make_flow("citcall")
    kept = {_row(flow, days=29), _row(flow, hours=1), _row(None, hours=23)}
    for days in range(31, 36):
        _row(flow, days=days)
    for hours in range(25, 30):
        _row(None, hours=hours)
    assert exchange_log.forget_old(time.time()) == 10
    assert set(ExchangeRow.objects.values_list("pk", flat=True)) == kept
    assert exchange_log.forget_old(time.time()) == 0


def test_the_worker_sees_to_it() -> None:
    _row(None, days=2)
    tasks.forget_the_past()
    assert not ExchangeRow.objects.exists()
