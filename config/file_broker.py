"""Celery's broker in files, safe against a kill at any moment.

The transport that comes with kombu writes its files in place. A reader that comes in the middle
finds half a message, which ends its worker; and a process that is killed in the middle leaves a
table of queues that no worker can read ever again. Here every file appears whole under its name
or not at all, a message belongs to whoever unlinks it, and what cannot be read is passed over:
the messages are rings, and the rows they ring for are in the database.
"""

from __future__ import annotations

import fcntl
import logging
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty
from typing import Any, Final

from kombu import transport as kombu_transport
from kombu.exceptions import ChannelError
from kombu.transport import filesystem, virtual
from kombu.utils.json import dumps, loads

logger = logging.getLogger(__name__)

#: One queue bound to an exchange: routing key, pattern, name of the queue.
Binding = tuple[str, str, str]
#: The file whose lock makes changes of the tables one after the other.
_LOCK: Final = "lock"


class Channel(filesystem.Channel):
    """Puts and gets messages as whole files."""

    # kombu's stubs contradict each other between this class's two parents.
    def get_table(self, exchange: str) -> list[Binding]:  # type: ignore[override]
        """Return the queues bound to ``exchange``; none where the table cannot be read."""
        with suppress(FileNotFoundError):
            text = self._table_file(exchange).read_bytes()
            try:
                return [(key, pattern, queue) for key, pattern, queue in loads(text.decode())]
            except (ValueError, TypeError):
                logger.warning("The broker's table of %s cannot be read; made anew.", exchange)
        return []

    def _queue_bind(
        self, exchange: str, routing_key: str | None, pattern: str | None, queue: str | None
    ) -> None:
        binding = (routing_key or "", pattern or "", queue or "")
        with self._table_locked():
            table = self.get_table(exchange)
            if binding not in table:
                _write_whole(self._table_file(exchange), dumps([binding, *table]))

    def _delete(
        self, queue: str, exchange: str, routing_key: str, pattern: str, *_: Any, **__: Any
    ) -> None:
        self._purge(queue)
        binding = (routing_key or "", pattern or "", queue or "")
        with self._table_locked():
            table = self.get_table(exchange)
            if binding in table:
                table.remove(binding)
                _write_whole(self._table_file(exchange), dumps(table))

    def _table_file(self, exchange: str) -> Path:
        # Checks the name, too: it may not lead out of the folder.
        file: Path = self._exchange_file(exchange)  # type: ignore[attr-defined]
        return file

    def _put(self, queue: str, message: Any, **_: Any) -> None:  # type: ignore[override]
        name = f"{round(time.monotonic() * 1000)}_{uuid.uuid4()}.{queue}.msg"
        _write_whole(Path(self.data_folder_out) / name, dumps(message))

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        folder = Path(self.data_folder_in)
        for file in sorted(folder.iterdir()):
            if file.name.partition(".")[2] != f"{queue}.msg":
                continue
            try:
                message = file.read_bytes()
                file.unlink()
            except FileNotFoundError:
                continue  # another worker has it
            except OSError as error:
                raise ChannelError(f"Cannot take a message from {folder}") from error
            try:
                return loads(message.decode())
            except ValueError:
                logger.warning("Dropped a message that cannot be read: %s", file.name)
        raise Empty

    @contextmanager
    def _table_locked(self) -> Iterator[None]:
        folder: Path = self.control_folder
        folder.mkdir(exist_ok=True)
        with (folder / _LOCK).open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # given back by the kernel, however this ends
            yield


class Transport(filesystem.Transport):
    """``filesystem://`` with whole files."""

    Channel = Channel

    def __init__(self, client: Any, **kwargs: Any) -> None:
        super().__init__(client, **kwargs)
        # What is bound stands in the files: a new connection looks there, not into what an
        # earlier one of this process remembers.
        self.state = virtual.BrokerState()


def register() -> None:
    """Have broker URLs that begin with ``filesystem:`` mean this transport."""
    kombu_transport.TRANSPORT_ALIASES["filesystem"] = f"{__name__}:Transport"


def _write_whole(file: Path, text: str) -> None:
    """Have ``file`` appear with all of ``text`` at once. Raises ChannelError."""
    unfinished = file.with_name(f"{file.name}.{uuid.uuid4()}.new")
    try:
        unfinished.write_bytes(text.encode())
        unfinished.replace(file)
    except OSError as error:
        raise ChannelError(f"Cannot write {file}") from error
