"""What a process says of itself: only what it has loaded, seldom, and again after a breakdown."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tenants import at_rest, lifecycle, reporter
from tenants.actors import Actor
from tenants.keyring import Keyring
from tenants.lifecycle import IssuedFlow
from tenants.master_keys import MasterKeys, generate
from tenants.models import Key, KeyringEpoch, ProcessReport
from tenants.reporter import Reporter

Make = Callable[..., IssuedFlow]


@pytest.fixture
def ring(settings: Any) -> Keyring:
    settings.KEYRING_EPOCH_SECONDS = 60.0
    return Keyring()


@pytest.fixture
def web(ring: Keyring) -> Reporter:
    """The reports of a web process, made by calling it: no thread runs."""
    return Reporter("web", ring)


def row(of: Reporter) -> ProcessReport:
    return ProcessReport.objects.get(pk=of.id)


def newest() -> int:
    return KeyringEpoch.objects.get(pk=1).value


def statements(act: Callable[[], None]) -> list[str]:
    with CaptureQueriesContext(connection) as seen:
        act()
    return [query["sql"].split()[0] for query in seen.captured_queries]


@pytest.mark.django_db
def test_it_says_who_and_up_to_where(web: Reporter, make_flow: Make) -> None:
    make_flow("citcall")
    web.look()
    said = row(web)
    assert (said.kind, said.pid, said.epoch, said.cannot_load) == ("web", os.getpid(), newest(), [])
    assert said.host
    assert web.name == str(said)


@pytest.mark.django_db
def test_without_news_it_reads_one_row_and_writes_none(web: Reporter) -> None:
    web.look()
    assert statements(web.look) == ["SELECT"]


@pytest.mark.django_db
def test_without_news_it_writes_when_the_interval_is_over(web: Reporter, settings: Any) -> None:
    web.look()
    before = row(web)
    settings.PROCESS_REPORT_SECONDS = 0
    time.sleep(0.01)
    assert statements(web.look) == ["SELECT", "UPDATE"]
    assert row(web).seen_at > before.seen_at


@pytest.mark.django_db
def test_what_it_reports_is_loaded_and_costs_the_next_request_nothing(
    web: Reporter, ring: Keyring, make_flow: Make, actor: Actor
) -> None:
    flow = make_flow("whatsapp_flows").flow
    web.look()
    lifecycle.generate_key(actor, flow, "whatsapp_rsa")
    web.look()
    assert row(web).epoch == newest()
    with CaptureQueriesContext(connection) as seen:
        snapshot = ring.by_flow_id(str(flow.pk))
    assert len(seen) == 0
    assert snapshot is not None
    assert [held.version.version for held in snapshot.keys["whatsapp_rsa"]] == [1, 2]


def looks(ring: Keyring, flow_id: str) -> int:
    """Return how many statements a look-up of a flow in memory takes."""
    with CaptureQueriesContext(connection) as seen:
        assert ring.by_flow_id(flow_id) is not None
    return len(seen)


@pytest.mark.django_db(transaction=True)
def test_until_its_first_report_it_looks_before_each_request(
    web: Reporter, ring: Keyring, make_flow: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow_id = str(make_flow("citcall").flow.pk)
    assert looks(ring, flow_id) > 0
    assert looks(ring, flow_id) == 0
    monkeypatch.setattr(web, "look", lambda: None)
    web.start()
    try:
        assert [looks(ring, flow_id), looks(ring, flow_id)] == [1, 1]
    finally:
        web.stop()
    assert looks(ring, flow_id) == 0


@pytest.mark.django_db
def test_after_a_report_it_trusts_its_memory_for_a_while(
    web: Reporter, ring: Keyring, make_flow: Make, settings: Any
) -> None:
    settings.PROCESS_REPORT_SECONDS = 30
    flow_id = str(make_flow("citcall").flow.pk)
    now = time.monotonic()
    ring.clock = lambda: now
    ring.trust_until(float("-inf"))
    web.look()
    looks(ring, flow_id)
    assert looks(ring, flow_id) == 0
    now += 59
    assert looks(ring, flow_id) == 0
    now += 2  # others count it for 90 seconds: never longer than it trusts itself
    assert [looks(ring, flow_id), looks(ring, flow_id)] == [1, 0]
    now += 0.001
    assert looks(ring, flow_id) == 1


@pytest.mark.django_db
def test_what_came_before_it_counted_again_is_taken_in_before_it_trusts_its_memory(
    web: Reporter, ring: Keyring, make_flow: Make, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A version staged and handed over between its look and its row: nobody waited for it."""
    flow = make_flow("citcall").flow
    ring.trust_until(float("-inf"))
    write = web._write
    made: list[Key] = []

    def staged_just_before() -> None:
        if not made:
            made.append(lifecycle.generate_key(actor, flow, "api_key").key)
        write()

    ring.by_flow_id(str(flow.pk))
    monkeypatch.setattr(web, "_write", staged_just_before)
    web.look()
    assert row(web).epoch < newest()
    assert ring.is_trusted
    with CaptureQueriesContext(connection) as seen:
        snapshot = ring.by_flow_id(str(flow.pk))
    assert "epoch" not in seen.captured_queries[0]["sql"].split("FROM")[1]
    assert snapshot is not None
    assert [held.version.version for held in snapshot.keys["api_key"]] == [1, 2]


@pytest.mark.django_db
def test_flows_without_a_staged_version_are_not_loaded(web: Reporter, make_flow: Make) -> None:
    make_flow("citcall")
    # The epoch, the flows with a staged version, and its own row.
    assert statements(web.look) == ["SELECT", "SELECT", "UPDATE", "INSERT"]


@pytest.mark.django_db
def test_it_loads_no_more_flows_than_the_keyring_keeps(
    web: Reporter, ring: Keyring, make_flow: Make, actor: Actor, settings: Any
) -> None:
    settings.KEYRING_CACHED_FLOWS = 2
    flows = [make_flow("citcall").flow for _ in range(3)]
    for flow in flows:
        lifecycle.generate_key(actor, flow, "api_key")
    web.look()
    with CaptureQueriesContext(connection) as seen:
        for flow in flows[1:]:
            assert ring.by_flow_id(str(flow.pk)) is not None
    assert len(seen) == 0, "the newest ones are loaded"
    assert row(web).epoch == newest()


@pytest.mark.django_db
def test_a_missing_master_key_is_reported_for_the_flow_it_concerns(
    web: Reporter,
    make_flow: Make,
    actor: Actor,
    settings: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    flow, other = make_flow("citcall").flow, make_flow("isu").flow
    staged = lifecycle.generate_key(actor, flow, "api_key").key
    lifecycle.generate_key(actor, other, "pass_key")
    ours = settings.MASTER_KEYS
    newer = MasterKeys.parse(generate(version=2)).by_version
    settings.MASTER_KEYS = MasterKeys({**ours.by_version, **newer})
    stored = at_rest.open_sealed(staged.material, staged.at_rest_context)
    Key.objects.filter(pk=staged.pk).update(material=at_rest.seal(stored, staged.at_rest_context))
    settings.MASTER_KEYS = ours
    with caplog.at_level(logging.ERROR, "tenants.reporter"):
        web.look()
    assert row(web).cannot_load == [str(flow.pk)]
    assert row(web).epoch == newest()
    (line,) = caplog.messages
    assert f"cannot load the keys of flow {flow.pk}: unknown_master_key" in line
    lifecycle.generate_key(actor, other, "client_secret")  # another flow's news mends nothing…
    with caplog.at_level(logging.ERROR, "tenants.reporter"):
        web.look()
    assert row(web).cannot_load == [str(flow.pk)]
    assert len(caplog.messages) == 1
    lifecycle.retire_key(actor, staged)  # …and without the version there is nothing to load
    web.look()
    assert row(web).cannot_load == []


@pytest.mark.django_db
def test_a_database_restored_to_an_earlier_epoch_is_followed(
    web: Reporter, make_flow: Make
) -> None:
    make_flow("citcall")
    web.look()
    KeyringEpoch.objects.update(value=0)
    web.look()
    assert row(web).epoch == 0


@pytest.mark.django_db
def test_a_row_that_was_deleted_is_written_again(web: Reporter, settings: Any) -> None:
    web.look()
    ProcessReport.objects.all().delete()
    settings.PROCESS_REPORT_SECONDS = 0
    web.look()
    assert row(web).epoch == newest()


@pytest.mark.django_db
def test_it_takes_its_own_row_back(web: Reporter, ring: Keyring) -> None:
    other = Reporter("worker", ring)
    web.look()
    other.look()
    web.withdraw()
    assert [report.pk for report in ProcessReport.objects.all()] == [other.id]


def wait_for(is_so: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)


@pytest.mark.django_db(transaction=True)
def test_the_thread_outlives_a_database_that_refuses_and_says_so_once(
    monkeypatch: pytest.MonkeyPatch, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.PROCESS_REPORT_SECONDS = 0
    monkeypatch.setattr(reporter, "LOOK_SECONDS", 0.02)
    caplog.set_level(logging.INFO, "tenants.reporter")
    table = ProcessReport._meta.db_table
    reporter.start("worker")
    try:
        wait_for(lambda: ProcessReport.objects.count() == 1)
        with connection.schema_editor() as editor:
            editor.alter_db_table(ProcessReport, table, "elsewhere")
        try:
            wait_for(lambda: len(caplog.messages) == 1)
            time.sleep(0.3)
        finally:
            with connection.schema_editor() as editor:
                editor.alter_db_table(ProcessReport, "elsewhere", table)
        ProcessReport.objects.all().delete()
        wait_for(lambda: ProcessReport.objects.count() == 1)
        wait_for(lambda: len(caplog.messages) == 2)
    finally:
        reporter.stop()
    assert ProcessReport.objects.count() == 0
    silent, again = caplog.messages
    assert "cannot report what it has loaded: " in silent
    assert "worker" in silent
    assert again.endswith("reports again.")


@pytest.mark.django_db(transaction=True)
def test_a_process_reports_once_however_often_it_is_told_to() -> None:
    reporter.start("web")
    reporter.start("web")
    try:
        names = [thread.name for thread in threading.enumerate()]
        assert names.count("process-report") == 1
    finally:
        reporter.stop()
        reporter.stop()
    assert "process-report" not in [thread.name for thread in threading.enumerate()]
    assert ProcessReport.objects.count() == 0
