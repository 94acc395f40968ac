"""The receiver of a run: takes everything at once and notes when it came.

A process of its own. Prints its port, then obeys lines on standard input: ``count`` prints how many
requests came, ``arrivals`` prints the Unix time of each delivery's first one as JSON, ``reset``
forgets them. What is posted to ``/dead`` is never answered.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


class Sink(asyncio.Protocol):
    """One connection."""

    count = 0
    arrivals: dict[str, float] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._read = b""

    def data_received(self, data: bytes) -> None:
        """Answer each request that is complete."""
        self._read += data
        while (end := self._read.find(b"\r\n\r\n")) >= 0:
            head = self._read[:end]
            lower = head.lower()
            whole = end + 4 + int(_header(lower, b"content-length") or b"0")
            if len(self._read) < whole:
                return
            self._read = self._read[whole:]
            if head.startswith(b"POST /dead"):
                continue
            Sink.count += 1
            Sink.arrivals.setdefault(_header(lower, b"webhook-id").decode(), time.time())
            self._transport.write(_ANSWER)


def _header(head: bytes, name: bytes) -> bytes:
    return head.partition(b"\r\n" + name + b":")[2].partition(b"\r\n")[0].strip()


async def _main() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Sink, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    orders = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while order := (await orders.readline()).decode().strip():
        if order == "arrivals":
            print(json.dumps(Sink.arrivals), flush=True)
            continue
        print(Sink.count, flush=True)
        if order == "reset":
            Sink.count = 0
            Sink.arrivals.clear()


if __name__ == "__main__":
    asyncio.run(_main())
