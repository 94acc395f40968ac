"""script/server says that it serves when it does; script/demo waits for a worker that starts."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from config import env
from script import readiness
from script.partner_demo import server as demo_server
from script.partner_demo.screen import Screen

pytestmark = pytest.mark.once


class Gateway:
    """What a gateway answers to its probes: one answer after the other, the last for good."""

    def __init__(self, *answers: dict[str, str]) -> None:
        self.hosts: list[str] = []
        self._answers = list(answers)
        self._server = HTTPServer(("127.0.0.1", 0), self._handler())
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(gateway: Gateway) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                gateway.hosts.append(self.headers["Host"])
                checks = gateway._answers[0]
                if self.path == "/readyz" and len(gateway._answers) > 1:
                    gateway._answers.pop(0)
                self.send_response(200 if self.path == "/livez" or _is_ok(checks) else 503)
                self.send_header("X-Request-Id", self.headers["X-Request-Id"])
                self.end_headers()
                self.wfile.write(json.dumps({"checks": checks}).encode())

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


def _is_ok(checks: dict[str, str]) -> bool:
    return all(said == "ok" for said in checks.values())


STARTING = {"master_key": "ok", "database": "OperationalError", "worker": "no sign of life"}
SERVES = {"master_key": "ok", "database": "ok", "worker": "no sign of life"}
COMPLETE = {"master_key": "ok", "database": "ok", "worker": "ok"}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "_PAUSE", 0.01)


@pytest.fixture
def gateway(request: pytest.FixtureRequest) -> Iterator[Gateway]:
    made = Gateway(*request.param)
    yield made
    made.stop()


@pytest.mark.parametrize("gateway", [(STARTING, STARTING, SERVES)], indirect=True)
def test_it_is_said_when_requests_are_served(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, settings: Any, capsys: Any
) -> None:
    settings.PUBLIC_URL = "https://gw.bank.example"
    monkeypatch.setenv("PORT", str(gateway.port))
    readiness.main()
    assert capsys.readouterr().err == (
        f"Sealgate serves http://127.0.0.1:{gateway.port} (admin at /admin/, API at /docs). "
        "Ctrl-C ends it.\n"
    )
    # By a name that it answers to.
    assert gateway.hosts == ["gw.bank.example"] * 6


@pytest.mark.parametrize("gateway", [(STARTING,)], indirect=True)
def test_what_is_missing_is_said_when_time_is_over(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr(readiness, "_SECONDS", 0.05)
    monkeypatch.setenv("PORT", str(gateway.port))
    readiness.main()
    said = capsys.readouterr().err
    assert said == "Sealgate is not ready after 0 s (database: OperationalError).\n"


@pytest.mark.parametrize(
    ("gateway", "seconds", "expected"),
    [((SERVES, SERVES, SERVES, COMPLETE), 20, True), ((SERVES,), 0.05, False)],
    indirect=["gateway"],
)
def test_the_demo_waits_for_a_worker_that_starts(
    gateway: Gateway, seconds: float, expected: bool
) -> None:
    screen = Screen(plain=True, picture=False)
    with demo_server.running(gateway.url, screen, seconds) as server:
        assert server.has_worker is expected
        assert not server.is_own


@pytest.mark.parametrize("gateway", [(COMPLETE,)], indirect=True)
def test_the_demo_finds_the_server_where_script_server_left_its_address(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / env.SERVED_AT).write_text(f"{gateway.url}\n")
    monkeypatch.delenv("PORT", raising=False)
    monkeypatch.setenv("SEALGATE_VAR", str(tmp_path))
    with demo_server.running("", Screen(plain=True, picture=False), 0) as server:
        assert (server.url, server.is_own) == (gateway.url, False)
