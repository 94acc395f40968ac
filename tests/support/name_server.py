"""A real name server on a UDP socket that may change its mind, and a resolver that asks it.

RFC 1035 in its smallest form: one question, A and AAAA answers, no compression but of the
question's name.
"""

from __future__ import annotations

import ipaddress
import secrets
import socket
import struct
import threading
from collections.abc import Sequence
from types import TracebackType

from callbacks.errors import Kind, TransportError

_HEAD = struct.Struct(">HHHHHH")
_A, _AAAA, _IN = 1, 28, 1


class NameServer:
    """Answers every name by the coming answer, and by the last one for ever after.

    An answer is a list of addresses; an empty one says that there are none; None
    is silence. ``asked`` are the names asked for, one entry a look-up (A and AAAA count once).
    """

    def __init__(self, *answers: Sequence[str] | None) -> None:
        self.asked: list[str] = []
        self._answers = list(answers)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)
        self.address: tuple[str, int] = self._socket.getsockname()

    def __enter__(self) -> NameServer:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stop:
            stop.sendto(b"", self.address)
        self._thread.join()
        self._socket.close()

    def resolve(self, host: str, seconds: float) -> list[str]:
        """Ask the server over UDP: a resolver for callbacks.transport.Transport."""
        found: list[str] = []
        for kind in (_A, _AAAA):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
                asking.settimeout(seconds)
                asking.connect(self.address)
                number = secrets.randbelow(1 << 16)
                asking.send(_HEAD.pack(number, 0x0100, 1, 0, 0, 0) + _question(host, kind))
                try:
                    answer = asking.recv(4096)
                except TimeoutError:
                    raise TransportError(Kind.TIMEOUT, "the name server is silent") from None
                found += _read(answer, number, len(_question(host, kind)))
        return found

    def _serve(self) -> None:
        answer: Sequence[str] | None = []
        while True:
            question, sender = self._socket.recvfrom(4096)
            if not question:
                return
            number, *_ = _HEAD.unpack_from(question)
            name, end = _name(question, _HEAD.size)
            kind, _ = struct.unpack_from(">HH", question, end)
            if kind == _A:
                self.asked.append(name)
                answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
            if answer is None:
                continue
            wanted = [
                ipaddress.ip_address(item).packed
                for item in answer
                if (ipaddress.ip_address(item).version == 4) == (kind == _A)
            ]
            records = b"".join(
                b"\xc0\x0c" + struct.pack(">HHIH", kind, _IN, 0, len(item)) + item
                for item in wanted
            )
            head = _HEAD.pack(number, 0x8180, 1, len(wanted), 0, 0)
            self._socket.sendto(head + question[_HEAD.size : end + 4] + records, sender)


def _question(host: str, kind: int) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in host.split("."))
    return labels + b"\0" + struct.pack(">HH", kind, _IN)


def _name(message: bytes, at: int) -> tuple[str, int]:
    labels = []
    while message[at]:
        labels.append(message[at + 1 : at + 1 + message[at]].decode())
        at += 1 + message[at]
    return ".".join(labels), at + 1


def _read(answer: bytes, number: int, question_length: int) -> list[str]:
    given, _, _, count, _, _ = _HEAD.unpack_from(answer)
    assert given == number
    at, found = _HEAD.size + question_length, []
    for _ in range(count):
        (length,) = struct.unpack_from(">H", answer, at + 10)
        found.append(str(ipaddress.ip_address(answer[at + 12 : at + 12 + length])))
        at += 12 + length
    return found
