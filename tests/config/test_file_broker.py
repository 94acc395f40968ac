"""The file broker survives what kills leave behind, and no message is read half or twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from queue import Empty

import pytest
from kombu import Connection

from config import file_broker

pytestmark = pytest.mark.once


@pytest.fixture
def broker(tmp_path: Path) -> Connection:
    """Return a connection to a broker of its own."""
    for folder in ("queue", "control"):
        (tmp_path / folder).mkdir()
    return Connection(
        "filesystem://localhost/",
        transport_options={
            "data_folder_in": str(tmp_path / "queue"),
            "data_folder_out": str(tmp_path / "queue"),
            "control_folder": str(tmp_path / "control"),
            "polling_interval": 0.01,
        },
    )


def _send(broker: Connection, *rings: int) -> None:
    producer = broker.Producer()
    queue = broker.SimpleQueue("rings").queue
    for ring in rings:
        producer.publish({"ring": ring}, routing_key="rings", exchange="rings", declare=[queue])


def _received(broker: Connection) -> list[int]:
    queue = broker.SimpleQueue("rings")
    found: list[int] = []
    while True:
        try:
            message = queue.get_nowait()
        except queue.Empty:
            return found
        message.ack()
        found.append(message.payload["ring"])


def test_filesystem_urls_mean_this_transport(broker: Connection) -> None:
    """The alias is replaced when the application is imported."""
    assert type(broker.transport) is file_broker.Transport


def test_messages_arrive_once_and_leave_no_file(broker: Connection, tmp_path: Path) -> None:
    """What was put is got, and then it is gone."""
    _send(broker, 1, 2, 3)
    assert sorted(_received(broker)) == [1, 2, 3]
    assert _received(broker) == []
    assert list((tmp_path / "queue").iterdir()) == []


@pytest.mark.parametrize("content", [b"", b'{"body": "eyJ', b"\xff\xfe"])
def test_a_message_that_cannot_be_read_is_dropped(
    broker: Connection, tmp_path: Path, content: bytes
) -> None:
    """It ends nobody, and the messages after it are got."""
    broken = tmp_path / "queue" / "0_broken.rings.msg"
    broken.write_bytes(content)
    _send(broker, 7)
    assert _received(broker) == [7]
    assert not broken.exists()


def test_a_message_under_way_is_not_seen(broker: Connection, tmp_path: Path) -> None:
    """Nobody takes the file of a message that is still being written."""
    unfinished = tmp_path / "queue" / "0_x.rings.msg.4f.new"
    unfinished.write_bytes(b'{"body"')
    assert _received(broker) == []
    assert unfinished.read_bytes() == b'{"body"'


@pytest.mark.parametrize("content", [b"", b'[["rings", ""', b"[1]", b"7"])
def test_a_table_that_cannot_be_read_is_made_anew(
    broker: Connection, tmp_path: Path, content: bytes
) -> None:
    """A worker that finds what a kill left behind starts all the same."""
    table = tmp_path / "control" / "rings.exchange"
    table.write_bytes(content)
    _send(broker, 8)
    assert _received(broker) == [8]
    assert _channel(broker).get_table("rings") == [("rings", "", "rings")]


def test_bindings_made_at_once_are_all_kept(broker: Connection) -> None:
    """Processes that start at the same moment do not overwrite each other's queues."""
    names = {f"queue-{number}" for number in range(20)}

    def bind(name: str) -> None:
        _channel(broker)._queue_bind("shared", name, "", name)

    _at_once(partial(bind, name) for name in names)
    channel = _channel(broker)
    assert {queue for _, _, queue in channel.get_table("shared")} == names
    channel._delete("queue-3", "shared", "queue-3", "")
    assert {queue for _, _, queue in channel.get_table("shared")} == names - {"queue-3"}


def test_a_message_belongs_to_one_of_many_readers(broker: Connection) -> None:
    """Readers at the same time share the messages; none is had twice, none is lost."""
    for number in range(100):
        _channel(broker)._put("rings", {"ring": number})
    found: list[int] = []

    def read() -> None:
        channel = _channel(broker)
        with suppress(Empty):
            while True:
                found.append(channel._get("rings")["ring"])

    _at_once(read for _ in range(4))
    assert sorted(found) == list(range(100))


def _channel(broker: Connection) -> file_broker.Channel:
    channel = broker.clone().channel()
    assert isinstance(channel, file_broker.Channel)
    return channel


def _at_once(tasks: Iterable[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=task) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
