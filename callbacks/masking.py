"""The first bytes of an answer, without the secrets and the business it repeats.

Receivers quote what they were sent, above all when they complain about it. Masked are every header
value of ours that is or may be a secret, what the channel names as one, and the values of members
and headers that are called like secrets in what is JSON, a form or plain text. Of the body that
was sent, and of what it says in clear, every value is masked that is long enough to mean
something, its beginning where the receiver cut it off, and a shorter one under its own name.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from itertools import groupby
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, quote, quote_plus

from crypto_schemes.json_text import JSONValue

#: How much of an answer is kept, in bytes.
KEPT: Final = 4096
MASK: Final = b"[masked]"
#: Shorter texts are no secrets, and would be found everywhere.
_SHORTEST: Final = 6
#: The shortest value of a body that means something by itself: four digits may be a PIN.
_SHORTEST_VALUE: Final = 4
#: So much of a longer one is enough to know it by, where the receiver cut it off.
_BEGINNING: Final = 8
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


class Said(NamedTuple):
    """What a request said: values to mask wherever they stand, and short ones with their names."""

    values: frozenset[str] = frozenset()
    named: frozenset[tuple[str, str]] = frozenset()


def said_in(sent: bytes, payload: JSONValue) -> Said:
    """Return what was said by the body ``sent``, and by ``payload``, what it holds in clear."""
    text = sent.decode("utf-8", "replace")
    try:
        pairs = list(_pairs("", json.loads(text)))
    except (ValueError, RecursionError):
        pairs = parse_qsl(text) or [("", text)]
    pairs += _pairs("", payload)
    return Said(
        frozenset(value for _, value in pairs if len(value) >= _SHORTEST_VALUE),
        frozenset(pair for pair in pairs if 0 < len(pair[1]) < _SHORTEST_VALUE),
    )


def excerpt(
    body: bytes,
    headers: Mapping[str, str],
    secrets: Iterable[str] = (),
    said: Callable[[], Said] = Said,
) -> bytes:
    """Return the first :data:`KEPT` bytes of ``body`` with secrets and what was said masked.

    ``headers`` are those the request carried, ``secrets`` further texts.
    """
    if len(body) < _SHORTEST_VALUE:  # "ok", "{}": most answers
        return bytes(body)
    # A secret that straddles the end must be seen whole: look at more than is kept.
    seen = bytes(body[: 4 * KEPT])
    for secret in sorted(_texts(headers, secrets), key=len, reverse=True):
        seen = seen.replace(secret, MASK)
    values, named = said()
    seen = _without(seen, {form for value in values for form in _forms(value)})
    pairs = {(name.encode(), value.encode()) for name, value in named}
    return _MEMBER.sub(lambda found: _mask(found, pairs), seen)[:KEPT]


def _pairs(name: str, value: JSONValue) -> Iterator[tuple[str, str]]:
    """Yield each text and number within ``value`` with the name of the member it stands in."""
    if isinstance(value, dict):
        for key, member in value.items():
            yield from _pairs(key, member)
    elif isinstance(value, list):
        for member in value:
            yield from _pairs(name, member)
    elif isinstance(value, str):
        yield name, value
    elif value is not None and not isinstance(value, bool):
        yield name, str(value)


def _forms(value: str) -> set[bytes]:
    """Return how ``value`` may be written in JSON, JSON within JSON, a form or HTML."""
    texts = {value, value.lstrip("+"), html.escape(value), quote(value, ""), quote_plus(value)}
    for is_ascii in (True, False):
        once = json.dumps(value, ensure_ascii=is_ascii)[1:-1]
        texts |= {once, once.replace("/", "\\/"), json.dumps(once)[1:-1]}
    forms = {text.encode("utf-8", "replace") for text in texts}
    return {form for form in forms if len(form) >= _SHORTEST_VALUE}


def _without(text: bytes, forms: Iterable[bytes]) -> bytes:
    """Return ``text`` with all of ``forms`` masked, and what begins like a long one."""
    hidden = bytearray(len(text))
    for form in forms:
        head = form[:_BEGINNING]
        start = text.find(head)
        while start >= 0:
            end = start + len(head)
            while end < len(text) and end - start < len(form) and text[end] == form[end - start]:
                end += 1
            hidden[start:end] = b"\1" * (end - start)
            start = text.find(head, end)
        # The end of the answer may be in the middle of a value.
        for length in range(min(len(head), len(text)), 1, -1):
            if text.endswith(head[:length]):
                hidden[-length:] = b"\1" * length
                break
    if not any(hidden):
        return text
    return b"".join(
        MASK if is_hidden else bytes(text[at] for at in places)
        for is_hidden, places in groupby(range(len(text)), hidden.__getitem__)
    )


def _mask(found: re.Match[bytes], pairs: Set[tuple[bytes, bytes]]) -> bytes:
    name, separator, value = found.groups()
    if not _CALLED_SECRET.search(name) and (name, value.strip(b"\"'")) not in pairs:
        return found[0]
    mark = value[:1] if value[:1] in (b'"', b"'") else b""
    return name + separator + mark + MASK + mark


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
