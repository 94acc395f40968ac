"""A relay before a server: holds everything back when told to, as a network does that is cut."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self


class Relay:
    """Passes on what comes to its port. Use as a context manager.

    While it holds, connections are taken and bytes acknowledged, by the system, and nothing comes.
    """

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        self._flows = threading.Event()
        self._flows.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []

    def hold(self) -> None:
        """Let nothing through."""
        self._flows.clear()

    def go_on(self) -> None:
        """Let through what was held back, and what comes."""
        self._flows.set()

    def cut(self) -> None:
        """End every connection."""
        for end in self._open:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.close()
        self.cut()
        self.go_on()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                caller, _ = self._listener.accept()
                self._flows.wait()
                server = socket.create_connection(self._to)
                self._open += [caller, server]
                for ends in ((caller, server), (server, caller)):
                    threading.Thread(target=self._pass_on, args=ends, daemon=True).start()

    def _pass_on(self, source: socket.socket, to: socket.socket) -> None:
        with suppress(OSError):
            while piece := source.recv(65536):
                self._flows.wait()
                to.sendall(piece)
            to.shutdown(socket.SHUT_WR)
