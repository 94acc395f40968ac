"""The exchange log in batches: soon, whole, in order, and never at a request's cost."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError
from django.test import Client as HttpClient

from flows_endpoint import log_entries, log_writer
from flows_endpoint.log_entries import Entry, UsedKey
from flows_endpoint.log_writer import LogWriter
from flows_endpoint.models import ExchangeRow
from tenants.lifecycle import IssuedFlow
from tenants.models import Key, KeyUseDay

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def entry(number: int = 1, **changes: Any) -> Entry:
    return Entry(
        at=NOON + timedelta(seconds=number),
        request_id=f"request-{number:06}",
        flow_id=None,
        scheme="citcall",
        operation="asynccall",
        source="203.0.113.7",
        outcome="ok",
        reason="",
        step="",
        code="00",
        http_status=200,
        key_versions="api_key v1",
        milliseconds=1.5,
        request_size=10,
        request_digest="d" * 64,
        client=None,
        keys=(),
    )._replace(**changes)


def use(key_id: str) -> UsedKey:
    return UsedKey(key_id, "api_key", "active", 0.0)


class Store:
    """Stores entries in a list, or raises what it is told to."""

    def __init__(self) -> None:
        self.stored: list[Entry] = []
        self.told: list[Entry] = []
        self.fault: Callable[[Sequence[Entry]], Exception | None] = lambda _: None

    def tell(self, entries: Sequence[Entry]) -> None:
        self.told += entries

    def store(self, entries: Sequence[Entry]) -> None:
        if error := self.fault(entries):
            raise error
        self.stored += entries

    def writer(self, **details: Any) -> LogWriter:
        return LogWriter(self.tell, self.store, runs_by_itself=False, **details)


@pytest.fixture
def own_writer(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[LogWriter]:
    """A writer with a thread of its own, for the product and ended with the test."""
    settings.EXCHANGE_LOG_BATCHES = True
    writer = LogWriter(log_writer.tell, log_entries.store)
    monkeypatch.setattr(log_writer, "writer", writer)
    yield writer
    writer.end()


@pytest.mark.django_db(transaction=True)
def test_a_row_is_there_within_a_second(client: HttpClient, own_writer: LogWriter) -> None:
    client.post("/v2/asynccall", headers={"X-Request-Id": "request-000001"})
    begun = time.monotonic()
    while not ExchangeRow.objects.exists():
        assert time.monotonic() - begun < 5
        time.sleep(0.02)
    assert ExchangeRow.objects.get().request_id == "request-000001"


@pytest.mark.django_db(transaction=True)
def test_the_end_of_a_process_writes_what_is_left(
    client: HttpClient, own_writer: LogWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_writer, "PAUSE", 60)
    client.post("/v2/asynccall")
    assert (own_writer.waiting, ExchangeRow.objects.count()) == (1, 0)
    own_writer.end()
    assert (own_writer.waiting, ExchangeRow.objects.count()) == (0, 1)


@pytest.mark.django_db(transaction=True)
def test_many_are_not_kept_waiting(own_writer: LogWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_writer, "PAUSE", 60)
    monkeypatch.setattr(log_writer, "ENOUGH", 20)
    for number in range(25):
        own_writer.put(entry(number))
    begun = time.monotonic()
    while own_writer.waiting > 19:
        assert time.monotonic() - begun < 10
        time.sleep(0.02)


@pytest.mark.django_db
def test_the_row_says_what_the_entry_says(make_flow: Callable[..., IssuedFlow]) -> None:
    flow = make_flow("citcall").flow
    refused = {"outcome": "refused", "reason": "rate", "step": "s", "flow_id": str(flow.pk)}
    log_entries.store([entry(1), entry(2, **refused, source=None, http_status=429)])
    first, second = ExchangeRow.objects.order_by("id").values()
    assert {**first, "id": 0} == {
        "id": 0,
        "at": NOON + timedelta(seconds=1),
        "request_id": "request-000001",
        "flow_id": None,
        "scheme": "citcall",
        "operation": "asynccall",
        "source": "203.0.113.7",
        "outcome": "ok",
        "reason": "",
        "step": "",
        "code": "00",
        "http_status": 200,
        "key_versions": "api_key v1",
        "milliseconds": 1.5,
        "request_size": 10,
        "request_digest": "d" * 64,
    }
    assert (second["flow_id"], second["source"], second["reason"]) == (flow.pk, None, "rate")


@pytest.mark.django_db
def test_uses_are_added_up_by_version_and_day(make_flow: Callable[..., IssuedFlow]) -> None:
    make_flow("citcall")
    used, other = Key.objects.order_by("purpose")[:2]
    ids, gone = (use(str(used.pk)),), use("5d7a0a6e-3a35-4b6e-9a5d-0e6f3f1c9d11")
    yesterday = NOON - timedelta(days=1)
    Key.objects.filter(pk=used.pk).update(use_count=5, last_used_at=NOON - timedelta(days=9))
    log_entries.store(
        [
            entry(1, keys=(*ids, gone)),
            entry(3, keys=ids),
            entry(2, keys=ids),
            entry(4, keys=ids, at=yesterday),
        ]
    )
    log_entries.store([entry(5, keys=ids, at=yesterday)])
    used.refresh_from_db()
    assert (used.use_count, used.last_used_at) == (10, NOON + timedelta(seconds=3))
    days = dict(KeyUseDay.objects.filter(key=used).values_list("day", "count"))
    assert days == {NOON.date(): 3, yesterday.date(): 2}
    other.refresh_from_db()
    assert (other.use_count, other.last_used_at) == (0, None)


def test_while_the_database_is_away_rows_wait_in_order_and_lines_do_not() -> None:
    store = Store()
    writer = store.writer()
    store.fault = lambda _: OperationalError("secret")
    for number in (1, 2):
        writer.put(entry(number))
    assert not writer.flush()
    writer.put(entry(3))
    assert not writer.flush()
    assert (writer.waiting, store.stored) == (3, [])
    store.fault = lambda _: None
    assert writer.flush()
    everything = [entry(number) for number in (1, 2, 3)]
    assert store.stored == store.told == everything
    assert (writer.waiting, writer.dropped) == (0, 0)


def test_beyond_the_limit_rows_are_dropped_counted_and_complained_about(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = Store()
    writer = store.writer(most_waiting=10)
    store.fault = lambda _: OperationalError("secret")
    with caplog.at_level(logging.ERROR):
        for number in range(8):
            writer.put(entry(number))
        writer.flush()
        for number in range(8, 25):
            writer.put(entry(number))
        writer.flush()
    # Seven more than fit did not get in at all, and eight had to go for the others.
    assert (writer.dropped, writer.waiting) == (7 + 8, 10)
    store.fault = lambda _: None
    writer.flush()
    assert [row.request_id for row in store.stored] == [f"request-{n:06}" for n in range(8, 18)]
    assert "OperationalError" in caplog.text
    assert "secret" not in caplog.text


def test_one_bad_entry_does_not_take_the_others_along() -> None:
    store = Store()
    writer = store.writer()
    store.fault = lambda entries: IntegrityError() if entry(2) in entries else None
    for number in range(5):
        writer.put(entry(number))
    assert writer.flush()
    assert store.stored == [entry(number) for number in (0, 1, 3, 4)]
    assert writer.dropped == 1


def test_what_is_stored_one_by_one_is_not_stored_again() -> None:
    store = Store()
    writer = store.writer()

    def goes_away(entries: Sequence[Entry]) -> Exception | None:
        if len(entries) > 1:
            return IntegrityError()
        return OperationalError() if entry(2) in entries else None

    store.fault = goes_away
    for number in range(4):
        writer.put(entry(number))
    assert not writer.flush()
    store.fault = lambda _: None
    assert writer.flush()
    assert store.stored == [entry(number) for number in range(4)]


def test_a_forked_child_has_nothing_of_its_parent_s() -> None:
    store = Store()
    writer = store.writer()
    writer.put(entry(1))
    writer.forget()
    assert (writer.waiting, writer.flush(), store.stored) == (0, True, [])
    writer.put(entry(2))
    assert writer.flush()
    assert store.stored == [entry(2)]
