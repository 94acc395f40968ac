"""Brokers that a test starts, kills, empties and ends: each with a port and data of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import kombu
import kombu.exceptions
import redis

from tests.support import services
from tests.support.product import free_port

#: The queue of the product's tasks.
_QUEUE = "celery"
_PATIENCE = 60.0


class Broker(ABC):
    """One broker, running from :meth:`start` to :meth:`stop`."""

    name: str
    #: Environment variables that have the product use it.
    settings: Mapping[str, str]
    #: Whether there is a process to kill.
    is_process = True

    @abstractmethod
    def start(self) -> None:
        """Start it, and return when it answers."""

    @abstractmethod
    def kill(self) -> None:
        """SIGKILL it."""

    @abstractmethod
    def flush(self) -> None:
        """Throw away every message it holds."""

    def stop(self) -> None:
        """End what is left of it."""
        self.kill()


class Files(Broker):
    """The embedded default: nothing runs, so only its files can vanish."""

    name = "SQLite and files"
    is_process = False

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.settings = {}

    def start(self) -> None:
        """There is nothing to start."""

    def kill(self) -> None:
        """There is nothing to kill."""

    def flush(self) -> None:
        """Remove messages and tables of queues alike."""
        for file in self._folder.glob("*/*"):
            with suppress(FileNotFoundError):
                file.unlink()


class Redis(Broker):
    """A redis-server that keeps nothing on disk: whenever it is killed, all is gone."""

    name = "PostgreSQL and Redis"

    def __init__(self, folder: Path) -> None:
        self._program = services.require_program("redis-server")
        self._folder, self._port = folder, free_port()
        self._process: subprocess.Popen[bytes] | None = None
        url = f"redis://127.0.0.1:{self._port}/0"
        self._client = redis.Redis.from_url(url, socket_timeout=2)
        # The replay guard stands and falls with it too.
        self.settings = {"CELERY_BROKER_URL": url, "REDIS_URL": url}

    def start(self) -> None:
        self._folder.mkdir(exist_ok=True)
        self._process = _spawned(
            [
                *(self._program, "--port", str(self._port), "--bind", "127.0.0.1"),
                *("--save", "", "--appendonly", "no", "--dir", str(self._folder)),
            ],
            {},
            self._folder / "log",
        )
        _wait_until(lambda: bool(self._client.ping()), redis.RedisError)

    def kill(self) -> None:
        _kill(self._process)

    def flush(self) -> None:
        with suppress(redis.RedisError):
            self._client.flushall()


class RabbitMQ(Broker):
    """A RabbitMQ node with its own name, data and port mapper.

    Every second time it comes back without its data: no queue, no binding is left.
    """

    name = "PostgreSQL and RabbitMQ"

    def __init__(self, folder: Path) -> None:
        # Not the one of /usr/sbin: a wrapper of Debian's that changes user and home directory.
        self._program = "/usr/lib/rabbitmq/bin/rabbitmq-server"
        if not Path(self._program).is_file():
            services.missing(self._program)
        self._folder, self._port = folder, free_port()
        self._kills = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._mapper: subprocess.Popen[bytes] | None = None
        self._url = f"amqp://guest:guest@127.0.0.1:{self._port}//"
        self.settings = {"CELERY_BROKER_URL": self._url}
        mapper = str(free_port())
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "ERL_EPMD_PORT": mapper,
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            # Nor may a scheduler that waits for work keep a processor busy.
            "ERL_FLAGS": "-kernel inet_dist_use_interface {127,0,0,1} "
            "+sbwt none +sbwtdcpu none +sbwtdio none",
            "RABBITMQ_NODENAME": f"faults{self._port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            # None of these is there: the machine's own configuration is left out.
            "RABBITMQ_CONFIG_FILE": str(folder / "none"),
            "RABBITMQ_CONFIG_FILES": str(folder / "none.d"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "none.config"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "none-env.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "none-plugins"),
        }

    def start(self) -> None:
        self._folder.mkdir(exist_ok=True)
        log = self._folder / "log"
        if self._mapper is None:
            # In the foreground, so that it can be ended; the node would start one for good.
            command = ["epmd", "-address", "127.0.0.1"]
            command += ["-port", self._environment["ERL_EPMD_PORT"]]
            self._mapper = _spawned(command, self._environment, log)
        self._process = _spawned([self._program], self._environment, log)
        _wait_until(self._answers, OSError, kombu.exceptions.OperationalError)

    def kill(self) -> None:
        _kill(self._process)
        self._kills += 1
        if self._kills % 2:
            shutil.rmtree(self._folder / "data", ignore_errors=True)

    def flush(self) -> None:
        with (
            suppress(OSError, *kombu.Connection(self._url).channel_errors),
            kombu.Connection(self._url, connect_timeout=2) as connection,
        ):
            connection.SimpleQueue(_QUEUE).clear()

    def stop(self) -> None:
        self.kill()
        _kill(self._mapper)

    def _answers(self) -> bool:
        with kombu.Connection(self._url, connect_timeout=1) as connection:
            connection.connect()
        return True


def _spawned(
    command: list[str], environment: Mapping[str, str], log: Path
) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            env=dict(environment) or None,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def _kill(process: subprocess.Popen[bytes] | None) -> None:
    if process is not None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)


def _wait_until(answers: Callable[[], bool], *errors: type[Exception]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            if answers():
                return
        except errors:
            assert time.monotonic() < deadline, "the broker did not start"
        time.sleep(0.1)
