"""/livez and /readyz tell machines what is there; unknown addresses answer JSON."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
from django.db import OperationalError
from django.test import Client as HttpClient
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerError

from config import health
from flows_endpoint.models import WorkerHeartbeat
from flows_endpoint.request_id import RequestIdFilter

pytestmark = pytest.mark.django_db


def test_livez_asks_nobody(client: HttpClient, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        reply = client.get("/livez")
    assert (reply.status_code, reply.json()) == (200, {"status": "ok"})


def test_readyz_names_every_dependency(client: HttpClient) -> None:
    WorkerHeartbeat.objects.create(name="worker", at=timezone.now())
    reply = client.get("/readyz")
    assert reply.status_code == 200
    assert reply.json() == {
        "status": "ok",
        "checks": dict.fromkeys(
            ("database", "migrations", "master_key", "redis", "broker", "worker"), "ok"
        ),
    }


def test_a_silent_worker_is_reported_and_takes_no_node_out(client: HttpClient) -> None:
    WorkerHeartbeat.objects.create(name="worker", at=timezone.now() - timedelta(seconds=60))
    reply = client.get("/readyz")
    assert reply.status_code == 200
    assert reply.json()["checks"]["worker"] == "no sign of life; is the worker running?"


def test_a_broker_that_is_away_is_reported_and_takes_no_node_out(
    client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    WorkerHeartbeat.objects.create(name="worker", at=timezone.now())

    def fail() -> None:
        raise BrokerError("nobody listens at mq.internal:5672")

    monkeypatch.setitem(health._CHECKS, "broker", fail)
    reply = client.get("/readyz")
    assert reply.status_code == 200
    assert reply.json()["status"] == "ok"
    assert reply.json()["checks"]["broker"] == "OperationalError"


def test_a_missing_dependency_is_503_and_named(
    client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise OperationalError("connection to 10.0.0.1 with password x refused")

    monkeypatch.setitem(health._CHECKS, "database", fail)
    reply = client.get("/readyz")
    assert reply.status_code == 503
    assert reply.json()["status"] == "unavailable"
    assert reply.json()["checks"]["database"] == "OperationalError"


def test_what_is_missing_is_logged_when_it_changes_with_the_id_of_the_request(
    client: HttpClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise OperationalError("connection to 10.0.0.1 with password x refused")

    caplog.set_level(logging.INFO)
    caplog.handler.addFilter(RequestIdFilter())
    monkeypatch.setattr(health, "_missing", health._Missing())
    whole = dict(health._CHECKS)
    for number, failing in enumerate((["database"], ["database"], ["database", "redis"], [], [])):
        monkeypatch.setattr(health, "_CHECKS", whole | dict.fromkeys(failing, fail))
        client.get("/readyz", headers={"X-Request-Id": f"request-{number}"})
    told = [
        record for record in caplog.records if record.name in {health.__name__, "django.request"}
    ]
    assert [
        (record.levelname, record.getMessage(), record.__dict__["request_id"]) for record in told
    ] == [
        ("ERROR", "Not ready: database: OperationalError", "request-0"),
        ("ERROR", "Not ready: database: OperationalError, redis: OperationalError", "request-2"),
        ("INFO", "Ready again", "request-3"),
    ]


def test_browsers_find_their_picture(client: HttpClient) -> None:
    reply = client.get("/favicon.ico")
    assert (reply.status_code, reply["Content-Type"]) == (200, "image/svg+xml")
    ElementTree.fromstring(reply.content)


def test_a_wrong_master_key_is_503(client: HttpClient, settings: Any) -> None:
    from tenants import digests  # noqa: PLC0415
    from tenants.master_keys import MasterKeys, generate  # noqa: PLC0415

    client.get("/readyz")
    digests.forget_cached()
    settings.MASTER_KEYS = MasterKeys.parse(generate())
    reply = client.get("/readyz")
    assert reply.status_code == 503
    assert reply.json()["checks"]["master_key"] == "AtRestError"


def test_an_unknown_address_answers_json(client: HttpClient) -> None:
    reply = client.get("/no/such/address")
    assert (reply.status_code, reply.json()) == (
        404,
        {"error": "There is nothing at this address."},
    )
