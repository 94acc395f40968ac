"""What script/server starts with: .env counts, and loopback is opened on a laptop alone."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import env, serving, start
from tests.support.module_copy import fresh
from tests.support.product import ROOT, free_port

pytestmark = pytest.mark.once

_OURS = ("SEALGATE_", "DATABASE_", "REDIS_", "CELERY_", "EMAIL_", "PORT")


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Have the environment say nothing but where data and the port are."""
    for name in [name for name in os.environ if name.startswith(_OURS)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SEALGATE_VAR", str(tmp_path / "var"))
    monkeypatch.setenv("PORT", str(free_port()))
    return tmp_path / "var"


@pytest.fixture
def dot_env(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Have ``.env`` say this, and the environment nothing of it."""

    def write(**lines: str) -> None:
        path = tmp_path / ".env"
        path.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
        for name in lines:
            # Set and taken away, so that what is loaded is taken away after the test as well.
            monkeypatch.setenv(name, "")
            monkeypatch.delenv(name)
        env.load(path)

    return write


def test_a_line_of_dot_env_counts_as_a_variable_does(
    dot_env: Callable[..., None], tmp_path: Path
) -> None:
    number = str(free_port())
    dot_env(
        PORT=number,
        SEALGATE_VAR=str(tmp_path / "elsewhere"),
        SEALGATE_OUTBOUND_ALLOW="10.20.0.0/16",
        SEALGATE_WORKER_THREADS="3",
    )
    settled = start.settle()
    assert settled["PORT"] == number
    assert settled["SEALGATE_VAR"] == str(tmp_path / "elsewhere")
    assert settled["SEALGATE_WORKER_THREADS"] == "3"
    assert "SEALGATE_OUTBOUND_ALLOW" not in settled
    assert settled["SEALGATE_SANDBOX_SPEED"] == "10"


def test_the_web_server_is_configured_as_the_reader_says(dot_env: Callable[..., None]) -> None:
    dot_env(
        PORT="8755",
        SEALGATE_BIND="127.0.0.2",
        SEALGATE_WEB_PROCESSES="1",
        SEALGATE_WEB_THREADS="5",
        SEALGATE_REQUEST_SECONDS="7.5",
    )
    web: Any = fresh("config.gunicorn")
    assert (web.bind, web.workers, web.threads) == ("127.0.0.2:8755", 1, 5)
    assert fresh("config.web_worker")._WHOLE == 7.5


def test_nothing_but_the_reader_looks_into_the_environment() -> None:
    # What else does is a process that has not loaded .env, or not yet.
    looks = re.compile(r"os\.(environ(?!\.setdefault)|getenv)")
    config = Path(env.__file__).parent
    found = {path.name for path in config.glob("*.py") if looks.search(path.read_text())}
    assert found == {"env.py"}
    assert not re.search(
        r"\$\{(SEALGATE_|PORT)|\.env\b.*grep", (ROOT / "script/server").read_text()
    )


def test_the_environment_wins_over_dot_env(
    dot_env: Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SEALGATE_WEB_THREADS", "4")
    path = tmp_path / ".env"
    path.write_text("SEALGATE_WEB_THREADS=5\n")
    env.load(path)
    assert serving.web_threads() == 4


def test_an_empty_value_is_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PORT", "SEALGATE_BIND", "SEALGATE_WEB_PROCESSES", "SEALGATE_REQUEST_SECONDS"):
        monkeypatch.setenv(name, "")
    web: Any = fresh("config.gunicorn")
    assert (web.bind, web.workers) == ("127.0.0.1:8000", 2)
    assert serving.request_seconds() == 60


def test_what_is_no_number_is_said_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEALGATE_WEB_PROCESSES", "many")
    with pytest.raises(ImproperlyConfigured, match="SEALGATE_WEB_PROCESSES must be a whole number"):
        serving.web_processes()


def test_on_a_laptop_loopback_may_be_reached_and_simulated_time_passes_faster() -> None:
    settled = start.settle()
    assert settled["SEALGATE_OUTBOUND_ALLOW"] == "127.0.0.0/8,::1/128"
    assert settled["SEALGATE_SANDBOX_SPEED"] == "10"
    stand_in = f"http://127.0.0.1:{settled['stand_in_port']}"
    assert settled["SEALGATE_WHATSAPP_SANDBOX_API_URL"] == stand_in


def test_what_was_said_on_a_laptop_stays_even_if_it_is_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SEALGATE_OUTBOUND_ALLOW", "")
    monkeypatch.setenv("SEALGATE_WHATSAPP_API_URL", "https://cloud.example")
    settled = start.settle()
    assert "SEALGATE_OUTBOUND_ALLOW" not in settled
    assert "stand_in_port" not in settled


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "postgres://sealgate@127.0.0.1/sealgate"),
        ("DATABASE_URL_FILE", "/run/secrets/database"),
        ("REDIS_URL", "redis://127.0.0.1/0"),
        ("SEALGATE_PUBLIC_URL", "https://gw.bank.example"),
        ("SEALGATE_PUBLIC_URL", "http://gw.bank.example"),
        ("SEALGATE_PUBLIC_URL", "https://localhost"),
        ("SEALGATE_ALLOWED_HOSTS", "gw.bank.example"),
        ("SEALGATE_TRUSTED_PROXIES", "127.0.0.1"),
        ("SEALGATE_TLS", "true"),
        ("SEALGATE_BIND", "0.0.0.0"),
        ("SEALGATE_LAPTOP", "false"),
    ],
)
def test_an_installation_opens_nothing_although_it_listens_on_loopback(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    settled = start.settle()
    assert settled.keys() == {"PORT", "SEALGATE_BIND", "SEALGATE_VAR", "SEALGATE_WORKER_THREADS"}


def test_a_laptop_may_be_called_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://127.0.0.1/trial")
    monkeypatch.setenv("SEALGATE_LAPTOP", "true")
    assert "SEALGATE_OUTBOUND_ALLOW" in start.settle()


def test_the_secrets_of_the_first_run_are_made_once_and_found_by_every_process(bare: Path) -> None:
    start.settle()
    made = {name: (bare / file).read_text().strip() for name, file in env.FIRST_RUN.items()}
    assert [(bare / file).stat().st_mode & 0o777 for file in env.FIRST_RUN.values()] == [0o600] * 2
    start.settle()
    assert {name: env.secret(name) for name in env.FIRST_RUN} == made


def test_who_sets_a_secret_has_none_made(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEALGATE_MASTER_KEYS", "1:given")
    monkeypatch.setenv("SEALGATE_SECRET_KEY_FILE", "/run/secrets/key")
    start.settle()
    assert [path.name for path in bare.iterdir()] == [env.SERVED_AT]
    assert env.secret("SEALGATE_MASTER_KEYS") == "1:given"


def test_commands_beside_it_know_where_it_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    number = start.settle()["PORT"]
    monkeypatch.delenv("PORT")
    assert env.local_url() == f"http://127.0.0.1:{number}"
    public: str = fresh("config.product_settings").PUBLIC_URL
    assert public == f"http://127.0.0.1:{number}"
    monkeypatch.setenv("PORT", "8001")
    assert env.local_url() == "http://127.0.0.1:8001"


def test_where_the_public_address_is_set_no_other_is_left(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start.settle()
    monkeypatch.setenv("SEALGATE_PUBLIC_URL", "https://gw.bank.example")
    start.settle()
    assert not (bare / env.SERVED_AT).exists()
    assert fresh("config.product_settings").PUBLIC_URL == "https://gw.bank.example"
    monkeypatch.delenv("PORT")
    assert env.local_url() == "http://127.0.0.1:8000"


def test_a_port_that_is_taken_is_said_and_nothing_is_made(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        monkeypatch.setenv("PORT", str(number))
        with pytest.raises(ImproperlyConfigured, match=f"PORT={number + 1} script/server"):
            start.settle()
    assert not list(bare.iterdir())


def test_the_shell_gets_every_value_as_one_word(
    bare: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SEALGATE_VAR", f"{bare}/it's $(here)")
    start.main()
    said = capsys.readouterr()
    assert f"export SEALGATE_VAR='{bare}/it'\"'\"'s $(here)'\n" in said.out
    assert "SEALGATE_LAPTOP=false ends that" in said.err


def test_a_command_beside_a_laptop_s_server_allows_what_that_allows(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert serving.outbound_allow() == []
    start.settle()
    assert serving.outbound_allow() == ["127.0.0.0/8", "::1/128"]
    monkeypatch.setenv("SEALGATE_LAPTOP", "false")
    assert serving.outbound_allow() == []
    monkeypatch.delenv("SEALGATE_LAPTOP")
    monkeypatch.setenv("SEALGATE_OUTBOUND_ALLOW", "10.20.0.0/16")
    assert serving.outbound_allow() == ["10.20.0.0/16"]
    monkeypatch.setenv("SEALGATE_OUTBOUND_ALLOW", "")
    assert serving.outbound_allow() == []
