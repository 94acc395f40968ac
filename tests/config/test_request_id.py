"""One id in and out, in the log and in the exchange log."""

from __future__ import annotations

import json
import logging
import re

import pytest
from django.test import Client as HttpClient

from config import json_lines
from flows_endpoint.models import ExchangeRow
from flows_endpoint.request_id import RequestIdFilter
from tenants import trace

pytestmark = pytest.mark.django_db


def test_a_given_id_comes_back_and_stands_in_the_exchange_log(client: HttpClient) -> None:
    reply = client.post("/v2/asynccall", headers={"X-Request-Id": "partner-req.0001"})
    assert reply["X-Request-Id"] == "partner-req.0001"
    assert ExchangeRow.objects.get().request_id == "partner-req.0001"


@pytest.mark.parametrize(
    "given", ["", "short", "x" * 65, "has blank 1", "inject\tion1", "ünïcode1"]
)
def test_an_unusable_id_is_replaced(client: HttpClient, given: str) -> None:
    reply = client.get("/livez", headers={"X-Request-Id": given})
    assert re.fullmatch(r"[0-9a-f]{32}", reply["X-Request-Id"])


def test_a_request_that_begins_a_trace_is_called_like_it(
    client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = trace.begin()
    monkeypatch.setattr(trace, "begin", lambda *_: begun)
    assert client.get("/livez")["X-Request-Id"] == begun.trace_id


def test_requests_of_one_trace_are_told_apart(client: HttpClient) -> None:
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    ids = {
        client.get("/livez", headers={"traceparent": f"00-{trace_id}-00f067aa0ba902b7-01"})[
            "X-Request-Id"
        ]
        for _ in range(3)
    }
    assert len(ids) == 3
    assert trace_id not in ids


def test_log_lines_are_json_with_the_id(
    client: HttpClient, caplog: pytest.LogCaptureFixture
) -> None:
    class Keep(logging.Handler):
        lines: list[str] = []

        def emit(self, record: logging.LogRecord) -> None:
            self.lines.append(self.format(record))

    keep = Keep()
    keep.addFilter(RequestIdFilter())
    keep.setFormatter(json_lines.formatter())
    logger = logging.getLogger("sealgate.exchange")
    logger.addHandler(keep)
    try:
        client.post("/v2/asynccall", headers={"X-Request-Id": "partner-req.0002"})
    finally:
        logger.removeHandler(keep)
    (line,) = [json.loads(text) for text in keep.lines]
    assert line["request_id"] == "partner-req.0002"
    assert line["message"] == "exchange"
    assert line["scheme"] == "citcall"
    assert line["outcome"] == "refused"
    assert line["level"] == "INFO"
    assert line["time"]


def test_a_contracts_own_500_is_no_crash_in_the_log(
    client: HttpClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="django.request"):
        reply = client.post("/authenticate-with-secrets")
    assert reply.status_code >= 400
    assert [record for record in caplog.records if record.name == "django.request"] == []
