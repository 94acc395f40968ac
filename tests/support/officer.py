"""A key officer for a running copy of the product: the real verbs, in a process of its own.

The test's own Django has another database, and a command takes seconds to start. So this process
sets Django up once with the environment of the copy, reads one JSON order a line, and answers each
with one line; many orders may be under way at once. It is a command line, not a web or worker
process: it sends no reports, and no promotion waits for it.
"""

from __future__ import annotations

import io
import itertools
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from tests.support.product import ROOT, Product, provision_order


class RefusedError(Exception):
    """The verb was refused; the message is what it said."""


class Officer:
    """Gives orders to such a process. Safe for many threads; close it when done."""

    def __init__(self, product: Product) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.officer"],
            cwd=ROOT,
            env={**product.environment, "DJANGO_SETTINGS_MODULE": "config.settings"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._waiting: dict[int, Future[Any]] = {}
        threading.Thread(target=self._listen, daemon=True).start()

    def __enter__(self) -> Officer:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def provision(self, scheme: str, *arguments: str) -> dict[str, Any]:
        """Return what ``manage.py provision --json`` prints for a new flow."""
        order = provision_order(scheme, *arguments)
        made: dict[str, Any] = json.loads(self._do("command", arguments=order))
        return made

    def generate(self, flow: str, purpose: str) -> dict[str, Any]:
        """Make a version; returns ``id``, ``version``, ``state``, ``secret``, ``public_pem``."""
        made: dict[str, Any] = self._do("generate", flow=flow, purpose=purpose)
        return made

    def promote(
        self, key: str, *, overlap: float = 60.0, wait: float = 0.0, override: str = ""
    ) -> dict[str, Any]:
        """Promote a version; ``waited`` says for how many seconds the processes kept it."""
        done: dict[str, Any] = self._do(
            "promote", key=key, overlap=overlap, wait=wait, override=override
        )
        return done

    def retire(self, key: str) -> None:
        """Retire a version."""
        self._do("retire", key=key)

    def revoke(self, key: str) -> float:
        """Revoke a version; returns the Unix time by which that was in the database."""
        return float(self._do("revoke", key=key)["at"])

    def active(self, flow: str) -> dict[str, dict[str, str]]:
        """Return ``id`` and ``public_pem`` of each purpose's active version."""
        versions: dict[str, dict[str, str]] = self._do("active", flow=flow)
        return versions

    def use_count(self, key: str, *, beyond: int = -1, seconds: float = 0.0) -> int:
        """Return how often a version was used, as soon as that is more than ``beyond``.

        After ``seconds`` whatever it is: uses may be counted a moment later.
        """
        return int(self._do("use_count", key=key, beyond=beyond, seconds=seconds))

    def wait_until_loaded(self, flow: str, seconds: float) -> dict[str, Any]:
        """Wait for the processes; returns ``complete``, ``summary`` and ``waited``."""
        seen: dict[str, Any] = self._do("wait_until_loaded", flow=flow, seconds=seconds)
        return seen

    def processes(self) -> list[str]:
        """Return the names of the live processes."""
        names: list[str] = self._do("processes")
        return names

    def reports(self) -> int:
        """Return how many processes have a row, live or not."""
        return int(self._do("reports"))

    def _do(self, verb: str, **order: Any) -> Any:
        answer: Future[Any] = Future()
        with self._lock:
            number = next(self._numbers)
            self._waiting[number] = answer
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps([number, verb, order]) + "\n")
            self._process.stdin.flush()
        kind, value = answer.result(timeout=120)
        if kind == "refused":
            raise RefusedError(value)
        assert kind == "done", value
        return value

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            number, kind, value = json.loads(line)
            self._waiting.pop(number).set_result((kind, value))
        for answer in list(self._waiting.values()):
            answer.set_result(("broken", "the officer's process ended"))


# --- the process itself ---------------------------------------------------------------------


def _verbs() -> dict[str, Callable[..., Any]]:
    """Return what can be ordered. Django is set up by now."""
    from django.core.management import call_command  # noqa: PLC0415

    from tenants import lifecycle, rollout  # noqa: PLC0415
    from tenants.actors import Actor  # noqa: PLC0415
    from tenants.lifecycle.confirmation import use_phrase  # noqa: PLC0415
    from tenants.models import Flow, Key, KeyState, ProcessReport  # noqa: PLC0415

    officer = Actor(name="officer")

    def key_of(key: str) -> Key:
        return Key.objects.select_related("flow").get(pk=key)

    def command(arguments: list[str]) -> str:
        printed = io.StringIO()
        call_command(*arguments, stdout=printed)
        return printed.getvalue()

    def wait_until_loaded(flow: str, seconds: float) -> dict[str, Any]:
        row = Flow.objects.get(pk=flow)
        began = time.monotonic()
        seen = rollout.wait(row.pk, row.changed_epoch, seconds)
        waited = time.monotonic() - began
        return {"complete": seen.is_complete, "summary": seen.summary, "waited": waited}

    def generate(flow: str, purpose: str) -> dict[str, Any]:
        issued = lifecycle.generate_key(officer, Flow.objects.get(pk=flow), purpose)
        key = issued.key
        return {
            "id": str(key.pk),
            "version": key.version,
            "state": str(key.state),
            "secret": issued.secret,
            "public_pem": key.public_pem,
        }

    def promote(key: str, overlap: float, wait: float, override: str) -> dict[str, Any]:
        began = time.monotonic()
        lifecycle.promote_when_loaded(
            officer,
            key_of(key),
            seconds=wait,
            overlap=timedelta(seconds=overlap),
            override=override,
        )
        return {"waited": time.monotonic() - began}

    def retire(key: str) -> None:
        row = key_of(key)
        lifecycle.retire_key(officer, row, reason="a test", confirmed_use=use_phrase(row))

    def use_count(key: str, beyond: int, seconds: float) -> int:
        deadline = time.monotonic() + seconds
        while (count := key_of(key).use_count) <= beyond and time.monotonic() < deadline:
            time.sleep(0.1)
        return count

    def revoke(key: str) -> dict[str, Any]:
        row = key_of(key)
        lifecycle.revoke_key(officer, row, reason="a test", confirmed_use=use_phrase(row))
        return {"at": time.time()}

    def active(flow: str) -> dict[str, dict[str, str]]:
        keys = Key.objects.filter(flow_id=flow, state=KeyState.ACTIVE)
        return {key.purpose: {"id": str(key.pk), "public_pem": key.public_pem} for key in keys}

    return {
        "command": command,
        "generate": generate,
        "promote": promote,
        "retire": retire,
        "revoke": revoke,
        "active": active,
        "use_count": use_count,
        "wait_until_loaded": wait_until_loaded,
        "processes": lambda: [process.name for process in rollout.live_processes()],
        "reports": ProcessReport.objects.count,
    }


def _main() -> None:
    import django  # noqa: PLC0415

    django.setup()
    from tenants.lifecycle import LifecycleError  # noqa: PLC0415

    verbs = _verbs()
    printing = threading.Lock()

    def obey(line: str) -> None:
        number, verb, order = json.loads(line)
        try:
            answer = (number, "done", verbs[verb](**order))
        except LifecycleError as error:
            answer = (number, "refused", str(error))
        except Exception as error:  # noqa: BLE001 - the test shall see it
            answer = (number, "failed", f"{type(error).__name__}: {error}")
        with printing:
            print(json.dumps(answer), flush=True)

    with ThreadPoolExecutor(8) as threads:
        for line in sys.stdin:
            threads.submit(obey, line)


if __name__ == "__main__":
    _main()
