"""The first bytes of an answer, without the secrets it repeats.

Receivers quote what they were sent, above all when they complain about it. Masked are every header
value of ours that is or may be a secret, what the channel names as one, and the values of members
and headers that are called like secrets in what is JSON, a form or plain text.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from typing import Final

#: How much of an answer is kept, in bytes.
KEPT: Final = 4096
MASK: Final = b"[masked]"
#: Shorter texts are no secrets, and would be found everywhere.
_SHORTEST: Final = 6
#: Headers of ours that tell nothing.
_HARMLESS: Final = frozenset(
    {"accept", "accept-encoding", "content-type", "user-agent", "webhook-id", "webhook-timestamp"}
)
#: A name and its value. The name begins where a word does and is bounded, so no text takes long.
_MEMBER: Final = re.compile(
    rb"""(?ix)
    (?<![\w-]) ([\w-]{1,64}) (["']? [ \t\r\n]{0,4} [:=] [ \t\r\n]{0,4})
    ( "(?:[^"\\]|\\.)*"? | '[^']*'? | (?:(?:basic|bearer)[ ]{1,4})? [^\s,;&<>"'}\]]+ )
    """
)
_CALLED_SECRET: Final = re.compile(
    rb"(?i)passw|secret|token|api[_-]?key|pass[_-]?key|authori[sz]|signature|credential|cookie"
)


def excerpt(body: bytes, headers: Mapping[str, str], secrets: Iterable[str] = ()) -> bytes:
    """Return the first :data:`KEPT` bytes of ``body`` with secrets masked.

    ``headers`` are those the request carried, ``secrets`` further texts.
    """
    if len(body) < _SHORTEST:  # "ok", "{}": most answers
        return bytes(body)
    # A secret that straddles the end must be seen whole: look at more than is kept.
    seen = bytes(body[: 4 * KEPT])
    for secret in sorted(_texts(headers, secrets), key=len, reverse=True):
        seen = seen.replace(secret, MASK)
    return _MEMBER.sub(_mask, seen)[:KEPT]


def _mask(found: re.Match[bytes]) -> bytes:
    name, separator, value = found.groups()
    if not _CALLED_SECRET.search(name):
        return found[0]
    quote = value[:1] if value[:1] in (b'"', b"'") else b""
    return name + separator + quote + MASK + quote


def _texts(headers: Mapping[str, str], secrets: Iterable[str]) -> set[bytes]:
    said = set(secrets)
    for name, value in headers.items():
        if name.lower() in _HARMLESS:
            continue
        said.add(value)
        said.update(re.split(r"[ ,]+", value))  # the token after "Bearer", each signature
    texts: set[bytes] = set()
    for text in said:
        texts |= {text.encode("utf-8", "replace")} | _of_basic(text)
    # JSON may write a slash as \/
    texts |= {text.replace(b"/", rb"\/") for text in texts}
    return {text for text in texts if len(text) >= _SHORTEST}


def _of_basic(text: str) -> set[bytes]:
    """Return the password inside a value of HTTP Basic, if ``text`` is one."""
    try:
        _, colon, password = base64.b64decode(text, validate=True).partition(b":")
    except ValueError:
        return set()
    return {password} if colon else set()
