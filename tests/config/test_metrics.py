"""/metrics: what is counted, with which labels, and who may read it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import OperationalError
from django.db.backends.utils import CursorWrapper
from django.test import Client as HttpClient
from django.utils import timezone
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.parser import text_string_to_metric_families

from config import metrics_files
from crypto_schemes.citcall import AuthorizationForm, format_authorization
from tenants.lifecycle import IssuedFlow
from tenants.models import Key
from tests.callbacks.outbox import change, put
from tests.flows_endpoint.citcall.partner import Partner

pytestmark = pytest.mark.django_db

Make = Callable[..., IssuedFlow]


def read(client: HttpClient, **how: Any) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Return the value of each sample by its name and labels."""
    reply = client.get("/metrics", **how)
    assert reply.status_code == 200
    assert reply["Content-Type"].startswith("text/plain")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(reply.content.decode())
        for sample in family.samples
    }


def value(client: HttpClient, name: str, **labels: str) -> float:
    return read(client).get((name, tuple(sorted(labels.items()))), 0.0)


def test_a_served_request_is_counted_with_the_key_that_opened_it(
    make_flow: Make, client: HttpClient
) -> None:
    partner = Partner(make_flow("citcall"), client)
    served = {
        "scheme": "citcall",
        "operation": "asynccall",
        "outcome": "ok",
        "reason": "",
    }
    opened = {"scheme": "citcall", "purpose": "api_key", "state": "active", "age": "1d"}
    before = (
        value(client, "sealgate_requests_total", **served),
        value(client, "sealgate_key_opens_total", **opened),
        value(client, "sealgate_request_seconds_count", scheme="citcall"),
    )
    partner.call()
    assert (
        value(client, "sealgate_requests_total", **served),
        value(client, "sealgate_key_opens_total", **opened),
        value(client, "sealgate_request_seconds_count", scheme="citcall"),
    ) == tuple(count + 1 for count in before)
    labels = {"scheme": "citcall", "le": "10.0"}
    assert value(client, "sealgate_request_seconds_bucket", **labels) >= 1


def test_a_refused_one_is_counted_with_its_reason(client: HttpClient) -> None:
    refused = {
        "scheme": "citcall",
        "operation": "asynccall",
        "outcome": "refused",
        "reason": "unknown_flow",
    }
    before = value(client, "sealgate_requests_total", **refused)
    for userid in ("nobody-knows-me", "nor-me"):
        header = format_authorization(userid, "0" * 32, AuthorizationForm.BARE)
        client.post("/v2/asynccall", headers={"Authorization": header})
    assert value(client, "sealgate_requests_total", **refused) == before + 2


def test_nothing_a_stranger_sends_becomes_a_label(client: HttpClient) -> None:
    client.post("/whatsapp/flows/stranger-address-1", b"{}", content_type="text/strange")
    client.post("/basic/stranger-path?stranger=1", headers={"User-Agent": "stranger"})
    client.post("/stranger/path", headers={"pass_key": "stranger-key"})
    said = client.get("/metrics").content.decode()
    assert "sealgate_requests_total" in said
    assert "stranger" not in said


def test_the_backlog_of_callbacks(make_flow: Make, client: HttpClient) -> None:
    flow = make_flow("citcall", callback_url="https://partner.example/c").flow
    now = timezone.now()
    for attempts, due in ((0, -90), (1, 60), (3, 60), (7, 60)):
        due_at = now + timedelta(seconds=due)
        change(put(flow), attempts=attempts, next_attempt_at=due_at)
    change(put(flow), state="failed", settled_at=now, next_attempt_at=None)
    samples = read(client)
    pending = {
        name: samples["sealgate_callbacks_pending", (("attempts", name),)]
        for name in ("0", "1", "2_to_4", "5_or_more")
    }
    assert pending == {"0": 1, "1": 1, "2_to_4": 1, "5_or_more": 1}
    assert samples["sealgate_callbacks_due", ()] == 1
    assert 90 <= samples["sealgate_callbacks_late_seconds", ()] < 120
    assert samples["sealgate_callbacks_failed_last_day", ()] == 1


def test_keys_about_to_expire(make_flow: Make, client: HttpClient) -> None:
    keys = list(make_flow("citcall").flow.keys.order_by("purpose"))
    for key, days in zip(keys, (-1, 5, 200), strict=False):
        Key.objects.filter(pk=key.pk).update(expires_at=timezone.now() + timedelta(days=days))
    samples = read(client)
    expiring = {
        days: samples["sealgate_keys_expiring", (("days", days),)]
        for days in ("0", "1", "7", "30", "90")
    }
    assert expiring == {"0": 1, "1": 0, "7": 1, "30": 0, "90": 0}


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({}, 200),
        ({"REMOTE_ADDR": "::1"}, 200),
        ({"REMOTE_ADDR": "203.0.113.7"}, 401),
        ({"REMOTE_ADDR": ""}, 401),
        # A proxy on this machine that nobody said to trust: the address is not the caller's.
        ({"HTTP_X_FORWARDED_FOR": "203.0.113.7"}, 401),
        ({"HTTP_X_FORWARDED_FOR": "127.0.0.1"}, 401),
        # Without a token set none helps.
        ({"REMOTE_ADDR": "203.0.113.7", "HTTP_AUTHORIZATION": "Bearer "}, 401),
    ],
)
def test_without_a_token_the_address_decides(
    client: HttpClient, given: dict[str, str], status: int
) -> None:
    reply = client.get("/metrics", **given)  # type: ignore[arg-type]
    assert reply.status_code == status
    assert (b"sealgate" in reply.content) == (status == 200)


def test_behind_a_trusted_proxy_the_caller_s_address_decides(
    client: HttpClient, settings: Any
) -> None:
    settings.TRUSTED_PROXIES = ["127.0.0.1"]
    settings.METRICS_NETWORKS = ["10.0.0.0/8"]
    assert client.get("/metrics", HTTP_X_FORWARDED_FOR="10.1.2.3").status_code == 200
    assert client.get("/metrics", HTTP_X_FORWARDED_FOR="127.0.0.1").status_code == 401
    assert client.get("/metrics").status_code == 401


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("Bearer let-me-see", 200),
        ("bearer let-me-see ", 200),
        ("Bearer let-me-se", 401),
        ("Basic let-me-see", 401),
        ("let-me-see", 401),
        ("", 401),
    ],
)
def test_with_a_token_only_the_token_counts(
    client: HttpClient, settings: Any, header: str, status: int
) -> None:
    settings.METRICS_TOKEN = "let-me-see"
    reply = client.get("/metrics", headers={"Authorization": header})
    assert reply.status_code == status
    assert reply.get("WWW-Authenticate") == ("Bearer" if status == 401 else None)


def test_it_is_only_read(client: HttpClient) -> None:
    assert client.post("/metrics").status_code == 405


_COUNTS = """
from prometheus_client import Counter, Histogram
Counter("things", "Things.", ("kind",)).labels("one").inc(2)
Histogram("times", "Times.", ("kind",), buckets=(1,)).labels("one").observe(0.5)
"""


def test_the_counts_of_the_dead_are_kept_and_their_files_are_not(tmp_path: Path) -> None:
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    for _ in range(3):
        subprocess.run([sys.executable, "-c", _COUNTS], env=environment, check=True)
    (tmp_path / f"counter_{os.getpid()}.db").write_bytes(b"")
    assert len(list(tmp_path.glob("*.db"))) == 7
    assert metrics_files.bury_dead(tmp_path) == 6
    assert sorted(file.name for file in tmp_path.glob("*.db")) == [
        f"counter_{os.getpid()}.db",
        "counter_dead.db",
        "histogram_dead.db",
    ]
    (tmp_path / f"counter_{os.getpid()}.db").unlink()
    collected = MultiProcessCollector(None, path=str(tmp_path)).collect()
    samples = {sample.name: sample.value for family in collected for sample in family.samples}
    assert samples == {
        "things_total": 6.0,
        "times_bucket": 3.0,
        "times_count": 3.0,
        "times_sum": 1.5,
    }
    assert metrics_files.bury_dead(tmp_path) == 0


def test_the_files_are_under_the_product_s_own_folder() -> None:
    assert django_settings.METRICS_DIR == django_settings.VAR_DIR / "metrics"


def test_without_a_database_what_was_counted_is_still_told(
    make_flow: Make, client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OperationalError

    Partner(make_flow("citcall"), client).call()
    assert value(client, "sealgate_database_up") == 1
    monkeypatch.setattr(CursorWrapper, "execute", fail)
    told = read(client)
    assert told["sealgate_database_up", ()] == 0
    assert "sealgate_requests_total" in {name for name, _ in told}
    assert not {
        name for name, _ in told if name.startswith(("sealgate_keys_exp", "sealgate_callbacks_"))
    }
