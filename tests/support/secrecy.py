"""A search for secrets in whatever an installation leaves behind, in every form they are written.

A *needle* is a secret in one form; a *place* is a name and bytes. What the search would overlook
it cannot prove to be absent: tests/product/test_the_search_for_secrets.py plants every form.
"""

from __future__ import annotations

import base64
import html
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from urllib.parse import quote, unquote

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

#: Shorter than this, bytes turn up anywhere by chance.
SHORTEST = 8
#: Bytes that are compared at once: those of a machine word.
_WORD = 8


def forms(secret: bytes) -> set[bytes]:
    """Return ``secret`` raw, in hex, and in base64 and base64url, inside longer ones too."""
    found = {secret, secret.hex().encode(), secret.hex().upper().encode()}
    found |= {base64.b32encode(secret).rstrip(b"=")}
    for before in range(3):
        # Behind 1 or 2 other bytes base64 looks different; its edges mix with the neighbours.
        text = base64.b64encode(bytes(before) + secret)
        whole = text[4 if before else 0 : len(text) - 4 if len(secret) % 3 or before else None]
        found |= {whole, whole.translate(bytes.maketrans(b"+/", b"-_"))}
    with suppress(UnicodeDecodeError):
        written = secret.decode("ascii")
        found |= {quote(written, safe="").encode(), json.dumps(written)[1:-1].encode()}
    return {form for form in found if len(form) >= SHORTEST}


def forms_of_text(text: str) -> set[bytes]:
    """Return the forms of a secret that is a text, and of what it is the text of."""
    found = forms(text.encode())
    bare = text.removeprefix("whsec_")
    with suppress(ValueError):
        found |= forms(base64.b64decode(bare, validate=True))
    if re.fullmatch(r"(?:[0-9a-f]{2})+", bare):
        found |= forms(bytes.fromhex(bare))
    return found | forms(bare.encode())


def forms_of_rsa(key: RSAPrivateKey) -> set[bytes]:
    """Return the forms of each private number, and the lines of the PEM texts that hold some."""
    numbers = key.private_numbers()
    found: set[bytes] = set()
    for number in (numbers.d, numbers.p, numbers.q, numbers.dmp1, numbers.dmq1, numbers.iqmp):
        octets = number.to_bytes((number.bit_length() + 7) // 8, "big")
        found |= forms(octets) | {str(number).encode()}
    modulus = numbers.public_numbers.n
    public = modulus.to_bytes((modulus.bit_length() + 7) // 8, "big")
    for form in (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL):
        pem = key.private_bytes(Encoding.PEM, form, NoEncryption())
        # The first line is the same for all keys, and some hold nothing but the modulus.
        lines = [line for line in pem.splitlines()[2:-2] if base64.b64decode(line) not in public]
        found |= {*lines, *forms(lines[len(lines) // 2])}
    return found


def forms_of_der(der: bytes) -> set[bytes]:
    """Return the forms of an RSA private key in PKCS#8."""
    key = load_der_private_key(der, None)
    assert isinstance(key, RSAPrivateKey)
    return forms_of_rsa(key)


def unfolded(data: bytes) -> bytes:
    """Return ``data`` with what it escapes or packs, written out behind it."""
    text = data.decode("utf-8", "replace")
    plain = {html.unescape(text), unquote(text), text.replace("\\/", "/")} - {text}
    return b"\n".join([data, *(each.encode() for each in plain), *_packed(text)])


def _packed(text: str) -> Iterator[bytes]:
    """Yield what Django signed: ``[.]base64url[:time]:signature``, with a dot if compressed."""
    for dot, packed in re.findall(r"(\.?)([A-Za-z0-9_-]{16,}):[A-Za-z0-9_:-]{20,}", text):
        with suppress(ValueError, zlib.error):
            octets = base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4))
            yield zlib.decompress(octets) if dot else octets


def search(needles: Mapping[str, Iterable[bytes]], places: Mapping[str, bytes]) -> set[str]:
    """Return which secret was found where, without showing it: ``needle in place``.

    There are thousands of needles and much to search. Wherever a form lies that is long enough,
    one of the first eight pieces of it is a whole word of its place: only forms that have a word
    in common with a place are looked for in it.
    """
    by_word: dict[int, set[tuple[str, bytes]]] = {}
    short: set[tuple[str, bytes]] = set()
    for name, each in needles.items():
        for form in each:
            if len(form) < 2 * _WORD - 1:
                short.add((name, form))
                continue
            for at in range(_WORD):
                (word,) = memoryview(form[at : at + _WORD]).cast("Q")
                by_word.setdefault(word, set()).add((name, form))
    words = set(by_word)
    found: set[str] = set()
    for place, data in places.items():
        whole_words = memoryview(data)[: len(data) // _WORD * _WORD].cast("Q")
        in_common = words.intersection(whole_words)
        likely = short.union(*(by_word[word] for word in in_common))
        found |= {f"{name} in {place}" for name, form in likely if form in data}
    return found
