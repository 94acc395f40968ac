"""How much of an HTTP/1.1 request has arrived: is it whole, may it grow, does it take too long?

Whoever reads a request while it arrives has a thread wait for the slowest of callers. So it is
collected first, and only looked at for where it ends: by its head, its ``Content-Length`` or its
chunks (RFC 9112 §§2.2, 6, 7.1). What is none of these, or not in good form, counts as whole: the
parser has the last word on it, and refuses it without waiting for more.
"""

from __future__ import annotations

import re
import time
from typing import Final

from config.refusals import BODY_TOO_LARGE, HEAD_TOO_LARGE, TOO_SLOW, Refused

#: Bytes of a head; the server takes fields of 16 KB, and nobody sends four of them.
MOST_HEAD: Final = 64 * 1024
#: Bytes of a body that are waited for: the largest any contract takes, and a bit. Whoever reads one
#: refuses more than that, by what the head says of it or by what is here.
MOST_BODY: Final = 11 * 1024 * 1024
#: Bytes of a line that says how long a chunk is, with extensions that nobody uses.
_MOST_LINE: Final = 256
_HEAD_END: Final = b"\r\n\r\n"
_LENGTH_NAME: Final = b"\r\ncontent-length:"
#: Digits of a length; what has more is too long for anybody, or begins with zeros.
_MOST_DIGITS: Final = 15
# A line that begins with white space goes on with the field before it (RFC 9112 §5.2).
_LENGTH: Final = re.compile(
    rb"\r\ncontent-length:(?:[ \t]|\r\n[ \t])*0*([0-9]{1,%d})\b" % _MOST_DIGITS, re.IGNORECASE
)
_CHUNKED: Final = re.compile(rb"\r\ntransfer-encoding:(?:[^\r\n]|\r\n[ \t])*chunked", re.IGNORECASE)
_EXPECTS: Final = re.compile(rb"\r\nexpect:(?:[ \t]|\r\n[ \t])*100-continue", re.IGNORECASE)
# An older caller knows of no invitation, and would take it for the answer (RFC 9110 §10.1.1).
_OLD: Final = re.compile(rb"(?:\r\n)?[^\r\n]* HTTP/1\.0\r\n")
_SIZE: Final = re.compile(rb"0*([0-9a-fA-F]{1,8})[ \t]*(?:;[^\r\n]*)?\r\n")


def is_whole(piece: bytes) -> bool:
    """Return whether ``piece`` plainly begins with a whole request: nearly all arrive in one.

    False says only that :class:`Arrival` has to look.
    """
    end = piece.find(_HEAD_END)
    if end <= 0:
        return False
    head = piece[: end + 2].lower()
    if b"\r\ntransfer-encoding:" in head:
        return False
    start = head.find(_LENGTH_NAME)
    if start < 0:
        return True
    start += len(_LENGTH_NAME)
    declared = head[start : head.index(b"\r\n", start)].strip(b" \t")
    if not declared.isdigit() or len(declared) > _MOST_DIGITS:
        return False
    return len(piece) >= end + len(_HEAD_END) + int(declared)


class Arrival:
    """One request on its way in: :meth:`add` what comes, then ask.

    ``data`` begins where the request begins and may hold the beginning of the next one.
    """

    def __init__(self) -> None:
        self.data = bytearray()
        self._begun_at = 0.0
        #: Bytes that must be there before it can be whole.
        self._needed = 1
        self._searched = 0
        self._head_end = 0
        self._is_chunked = False
        #: Bytes of the chunks before the next one, without what is around them.
        self._decoded = 0
        self._invites = False

    def add(self, piece: bytes) -> None:
        """Take down what has come."""
        if not self.data:
            self._begun_at = time.monotonic()
        self.data += piece

    def is_whole(self) -> bool:
        """Return whether all of the request is there, or all there will be waited for."""
        if len(self.data) < self._needed:
            return False
        if not self._head_end and not self._has_head():
            return False
        return self._has_chunks() if self._is_chunked else len(self.data) >= self._needed

    def refusal(self, *, patience: float) -> Refused | None:
        """Return what to answer to a request that is not whole; None to go on waiting.

        ``patience`` is in seconds since it began.
        """
        if not self._head_end and len(self.data) > MOST_HEAD:
            return HEAD_TOO_LARGE
        if len(self.data) > self._head_end + 2 * MOST_BODY:
            return BODY_TOO_LARGE
        if self.data and time.monotonic() - self._begun_at > patience:
            return TOO_SLOW
        return None

    def take_invitation(self) -> bool:
        """Return whether the caller waits to be asked for the body; True once."""
        invites, self._invites = self._invites, False
        return invites

    def _has_head(self) -> bool:
        # One empty line may come before a request.
        start = 2 if self.data.startswith(b"\r\n") else 0
        end = self.data.find(_HEAD_END, max(start, self._searched - 3))
        if end < 0:
            self._searched = len(self.data)
            return False
        self._head_end = end + len(_HEAD_END)
        self._needed = self._head_end
        # Up to the line end that the last field ends with.
        length = _LENGTH.search(self.data, 0, end + 2)
        if _CHUNKED.search(self.data, 0, end + 2):
            self._is_chunked = True
        elif length is not None and (size := int(length[1])) <= MOST_BODY:
            self._needed += size
        self._invites = (
            len(self.data) == self._head_end
            and (self._is_chunked or self._needed > self._head_end)
            and _EXPECTS.search(self.data, 0, end + 2) is not None
            and _OLD.match(self.data, 0, end + 2) is None
        )
        return True

    def _has_chunks(self) -> bool:
        """Go on from where the next chunk begins, which is what ``_needed`` says."""
        while len(self.data) > self._needed:
            size = _SIZE.match(self.data, self._needed)
            if size is None:
                # Broken, unless the line has only begun.
                line = self.data[self._needed : self._needed + _MOST_LINE]
                return b"\n" in line or len(line) == _MOST_LINE
            length = int(size[1], 16)
            if length == 0:
                # An empty line ends it: at once, or after some fields.
                end = self.data.find(_HEAD_END, size.end() - 2)
                return end >= 0 or len(self.data) - size.end() > MOST_HEAD
            if self._decoded + min(length, len(self.data) - size.end()) > MOST_BODY:
                return True
            if len(self.data) < size.end() + length + 2:
                return False
            self._decoded += length
            self._needed = size.end() + length + 2
        return False
