"""Host names: the public one is served, another is refused, said to the caller and in the log."""

from __future__ import annotations

import io
import json
import logging
from typing import Any

import pytest
from django.conf import settings as in_force
from django.core.exceptions import ImproperlyConfigured
from django.test import Client as HttpClient

from config import hosts
from config.hosts import RefusedHosts, with_public
from tests.support.module_copy import fresh

LOGGER = logging.getLogger("django.security.DisallowedHost")


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What is written on standard error, by the product's own handler."""
    for counted in LOGGER.filters:
        assert isinstance(counted, RefusedHosts)
        monkeypatch.setattr(counted, "_quiet_until", float("-inf"))
        monkeypatch.setattr(counted, "_refused", 0)
    written = io.StringIO()
    handler = next(
        handler
        for handler in logging.getLogger().handlers
        if type(handler) is logging.StreamHandler and handler.formatter is not None
    )
    monkeypatch.setattr(handler, "stream", written)
    return written


def ask(host: str, path: str = "/livez") -> Any:
    return HttpClient().get(path, headers={"Host": host}, SERVER_NAME="localhost")


@pytest.mark.parametrize("path", ["/livez", "/v2/asynccall?secret=hush"])
def test_another_host_is_refused_and_said_without_anything_else(
    lines: io.StringIO, path: str
) -> None:
    reply = ask("evil.example", path)
    assert reply.status_code == 400
    assert reply.json() == {"error": "This host name is not served here."}
    said = json.loads(lines.getvalue())
    assert said["message"] == (
        "DisallowedHost: 'evil.example' (1 refused since the last such line)"
    )
    assert said["level"] == "WARNING"
    assert said.keys() == {"time", "level", "logger", "message", "request_id", "trace_id"}


def test_many_are_said_once_a_minute_with_their_number(
    lines: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("config.hosts.time.monotonic", lambda: now)
    for number in range(5):
        ask(f"evil{number}.example")
    now += 59
    ask("evil5.example")
    now += 2
    ask("evil6.example")
    assert [json.loads(line)["message"] for line in lines.getvalue().splitlines()] == [
        "DisallowedHost: 'evil0.example' (1 refused since the last such line)",
        "DisallowedHost: 'evil6.example' (6 refused since the last such line)",
    ]


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("a" * 300, "'" + "a" * 64 + "\\u2026'"),
        ("b\u00fccher\u202e.example", "'b\\xfccher\\u202e.example'"),
        ("user:hush@evil.example", "'evil.example'"),
        ("", "''"),
    ],
)
def test_a_name_is_shortened_and_escaped(lines: io.StringIO, host: str, shown: str) -> None:
    ask(host)
    said = json.loads(lines.getvalue())["message"]
    assert said == f"DisallowedHost: {shown} (1 refused since the last such line)"


@pytest.mark.once
@pytest.mark.parametrize(
    ("given", "url", "expected"),
    [
        (["localhost"], "https://gw.bank.example", ["localhost", "gw.bank.example"]),
        (["gw.bank.example"], "https://GW.bank.example:8443/x", ["gw.bank.example"]),
        (["a.example"], "http://[::1]:8000", ["a.example", "[::1]"]),
    ],
)
def test_the_public_host_is_served(given: list[str], url: str, expected: list[str]) -> None:
    assert with_public(given, url) == expected


@pytest.mark.once
@pytest.mark.parametrize(
    "url", ["gw.bank.example", "https://", "ftp://gw.bank.example", "http://["]
)
def test_a_public_address_without_a_host_is_refused(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="SEALGATE_PUBLIC_URL must be"):
        with_public([], url)


@pytest.mark.once
def test_the_settings_follow_the_public_address(monkeypatch: pytest.MonkeyPatch) -> None:
    product = fresh("config.product_settings")
    assert hosts.public_host(product.PUBLIC_URL) in in_force.ALLOWED_HOSTS
    monkeypatch.delenv("SEALGATE_ALLOWED_HOSTS", raising=False)
    monkeypatch.setattr("config.product_settings.PUBLIC_URL", "https://gw.bank.example")
    assert fresh("config.settings").ALLOWED_HOSTS == [
        "localhost",
        "127.0.0.1",
        "[::1]",
        "gw.bank.example",
    ]
