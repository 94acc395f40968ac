"""Sockets that obey the deadline of the call they serve.

A socket's own time-out is for one operation, so a server that sends a byte now and then keeps
its client for ever. These set it anew before every operation, to whatever is left of the call,
and count what the kernel took, so that a caller knows whether anything left the process.

The call is found through a context variable: connections are pooled and outlive calls.
"""

from __future__ import annotations

import socket
import ssl
import time
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from callbacks import ssrf
from callbacks.errors import Kind, TransportError
from callbacks.resolver import Resolve
from callbacks.ssrf import OutboundPolicy
from callbacks.timings import Stopwatch
from tenants.outbound_addresses import Address
from tenants.outbound_urls import OutboundUrl

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

#: Seconds by which an operation may outlast the call.
_SLACK: Final = 0.02


@dataclass(slots=True)
class OngoingCall:
    """One call under way. Times are those of :func:`time.monotonic`, in seconds."""

    url: OutboundUrl
    policy: OutboundPolicy
    resolve: Resolve
    connect_by: float
    done_by: float
    read_seconds: float
    watch: Stopwatch
    require_tls: bool = False
    dialled: bool = False
    sending: bool = False
    sent: int = 0

    def seconds_for_one_operation(self) -> float:
        """Return the longest the next read or write may take. Raises TimeoutError when over."""
        left = self.done_by - time.monotonic()
        if left <= 0:
            raise TimeoutError("the call's time is over")
        return min(left, self.read_seconds)


ongoing: ContextVar[OngoingCall | None] = ContextVar("ongoing_call", default=None)


class DeadlineSocket(socket.socket):
    """A TCP socket of the ongoing call."""

    def recv_into(self, buffer: WriteableBuffer, nbytes: int = 0, flags: int = 0) -> int:
        """Receive within the call's time."""
        _limit(self)
        return _noted(super().recv_into(buffer, nbytes, flags))

    def send(self, data: ReadableBuffer, flags: int = 0) -> int:
        """Send within the call's time."""
        call = _begin_sending(self)
        try:
            sent = super().send(data, flags)
        except OSError as error:
            raise _while_sending(error, call) from None
        call.sent += sent
        return sent

    def sendall(self, data: ReadableBuffer, flags: int = 0) -> None:
        """Send everything within the call's time."""
        rest = memoryview(data).cast("B")
        while rest:
            rest = rest[self.send(rest, flags) :]


class DeadlineTLSSocket(ssl.SSLSocket):
    """A TLS socket of the ongoing call; ``sendall`` of the base goes through ``send``."""

    def recv_into(self, buffer: WriteableBuffer, nbytes: int | None = None, flags: int = 0) -> int:
        """Receive within the call's time."""
        _limit(self)
        return _noted(super().recv_into(buffer, nbytes, flags))

    def send(self, data: ReadableBuffer, flags: int = 0) -> int:
        """Send within the call's time."""
        call = _begin_sending(self)
        try:
            sent = super().send(data, flags)
        except OSError as error:
            raise _while_sending(error, call) from None
        call.sent += sent
        return sent


def dial() -> DeadlineSocket:
    """Return a socket connected to an address of the ongoing call's host that was just judged.

    A name is looked up once, all its addresses are judged, and those very addresses are tried in
    turn: nobody looks the name up again. Raises TransportError.
    """
    call = _call()
    call.dialled = True
    url = call.url
    literal = url.literal
    call.watch.dial("connect" if literal is not None else "dns")
    if literal is not None:
        call.policy.check(literal, url.port)
        addresses = [literal]
    else:
        left = call.connect_by - time.monotonic()
        if left <= 0:  # the thread had to wait for its turn
            raise TransportError(Kind.TIMEOUT, "No connection within the time.")
        found = call.resolve(url.host, left)
        addresses = ssrf.checked(found, url.port, call.policy)
        call.watch.begin("connect")
    if call.require_tls and url.scheme != "https":
        call.policy.check_plain(addresses)
    failure: OSError = TimeoutError()
    for number, address in enumerate(addresses):
        left = call.connect_by - time.monotonic()
        if left <= 0:
            break
        try:
            connection = _connect(address, url.port, left / (len(addresses) - number))
        except OSError as error:
            failure = error
            continue
        call.watch.begin("tls" if url.scheme == "https" else "first_byte")
        # A TLS handshake takes the socket's time-out as the limit of the whole handshake.
        connection.settimeout(max(0.001, call.connect_by - time.monotonic()))
        return connection
    if isinstance(failure, TimeoutError):
        raise TransportError(Kind.TIMEOUT, "No connection within the time.")
    raise TransportError(Kind.CONNECT, f"No connection ({type(failure).__name__}).")


def _connect(address: Address, port: int, seconds: float) -> DeadlineSocket:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    connection = DeadlineSocket(family, socket.SOCK_STREAM)
    try:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(seconds)
        connection.connect((str(address), port))
    except BaseException:
        connection.close()
        raise
    return connection


def _limit(connection: socket.socket) -> None:
    """Give the next operation what is left of the call's time.

    Setting it asks the kernel, so what is right but for :data:`_SLACK` stays.
    """
    seconds = _call().seconds_for_one_operation()
    is_set = connection.gettimeout()
    if is_set is None or abs(is_set - seconds) > _SLACK:
        connection.settimeout(seconds)


def _noted(received: int) -> int:
    """Note the first byte of the answer."""
    watch = _call().watch
    if received and watch.phase == "first_byte":
        watch.begin("rest")
    return received


def _begin_sending(connection: socket.socket) -> OngoingCall:
    call = _call()
    _limit(connection)
    call.sending = True
    if call.watch.phase == "tls":
        call.watch.begin("first_byte")
    return call


def _while_sending(error: OSError, call: OngoingCall) -> Exception:
    """Return what is to be raised instead of ``error``."""
    if isinstance(error, TimeoutError) or call.dialled or call.sent:
        return error
    # Said so that the caller may try again: a kept connection took nothing of this request.
    return TransportError(Kind.PROTOCOL, "The kept connection was closed.")


def _call() -> OngoingCall:
    call = ongoing.get()
    if call is None:
        raise RuntimeError("these sockets serve Transport.post only")
    return call
