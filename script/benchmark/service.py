"""The company's own service behind the product, as plain as can be: it answers at once.

A process of its own, on the core of everything that is not measured. Run as a program it prints its
port and answers every POST, by the first part of its path: ``/isu`` or ``/whatsapp``.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from crypto_schemes.json_text import JSONValue
from crypto_schemes.scheme import write_json
from script import processes

_STOP_SECONDS: Final = 20

#: What is answered.
BILL: Final = {
    "txnId": "bench",
    "status": "SUCCESS",
    "status_desc": "Bill fetched",
    "data_obj": {
        "customer_name": "ASTER FERN",
        "bill_number": "20261100000001",
        "bill_date": "2026-11-01",
        "due_date": "2026-11-21",
        "bill_period": "11-2026",
        "bill_amount": "1234.56",
    },
}
SCREEN: Final = {
    "screen": "HOURS",
    "data": {"hours": [{"id": f"{hour:02}:00", "title": f"{hour}:00"} for hour in range(9, 17)]},
}


@contextmanager
def running() -> Iterator[str]:
    """Start it, and yield its URL without a trailing slash."""
    process = subprocess.Popen(
        [sys.executable, "-m", "script.benchmark.service"],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        processes.end(process, _STOP_SECONDS)


def _answer(value: JSONValue) -> bytes:
    body = write_json(value)
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


_ANSWERS: Final = ((b"POST /isu", _answer(BILL)), (b"POST /whatsapp", _answer(SCREEN)))


class _Exchange(asyncio.Protocol):
    """One connection, with one request at a time, as the product sends them."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._read = b""

    def data_received(self, data: bytes) -> None:
        self._read += data
        end = self._read.find(b"\r\n\r\n")
        if end < 0:
            return
        length = self._read[:end].lower().partition(b"\r\ncontent-length:")[2]
        if len(self._read) < end + 4 + int(length.partition(b"\r\n")[0]):
            return
        answer = next(answer for start, answer in _ANSWERS if self._read.startswith(start))
        self._read = b""
        self._transport.write(answer)


async def _main() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Exchange, "127.0.0.1", 0, backlog=128)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main())
