"""A real mail server on a socket: keeps what it takes, and can be told to refuse."""

from __future__ import annotations

import email
import email.policy
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage


@dataclass
class MailServer:
    """What the test sees of it. ``refuse`` maps a command to what is said instead of yes.

    The text ``hang up`` closes the connection instead of answering.
    """

    port: int = 0
    refuse: dict[str, str] = field(default_factory=dict)
    taken: list[tuple[str, list[str], EmailMessage]] = field(default_factory=list)
    connections: int = 0


class _Session(socketserver.StreamRequestHandler):
    timeout = 20
    server: _Server

    def handle(self) -> None:
        seen = self.server.seen
        seen.connections += 1
        self._say("220 mail.test")
        sender = ""
        receivers: list[str] = []
        while line := self.rfile.readline():
            command = line.decode("ascii").strip()
            verb = command.split(" ")[0].upper()
            if verb == "DATA" and "DATA" not in seen.refuse:
                self._say("354 go on")
                message = self._read_message()
                if "MESSAGE" not in seen.refuse:
                    seen.taken.append((sender, receivers, message))
                verb = "MESSAGE"
            refusal = seen.refuse.get(verb)
            if refusal == "hang up":
                return
            self._say(refusal or "250 fine")
            if verb == "MAIL":
                sender, receivers = command.partition("<")[2].partition(">")[0], []
            if verb == "RCPT":
                receivers.append(command.partition("<")[2].partition(">")[0])
            if verb == "QUIT":
                return

    def _read_message(self) -> EmailMessage:
        lines = []
        while (line := self.rfile.readline()) not in {b".\r\n", b""}:
            lines.append(line[1:] if line.startswith(b"..") else line)
        return email.message_from_bytes(b"".join(lines), policy=email.policy.default)

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, seen: MailServer) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.seen = seen


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """Run one on a free port until the block ends."""
    seen = MailServer()
    with _Server(seen) as server:
        seen.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield seen
        finally:
            server.shutdown()
            thread.join()
