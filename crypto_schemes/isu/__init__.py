"""ISU: credentials encrypted in a header, JSON encrypted in the body, both with AES-256-CBC.

A request carries ``pass_key`` in plain (it finds the client), ``header_secrets`` (the
client's id, secret and clock, encrypted afresh for each call) and
``{"RequestData": …}``; a reply is ``{"ResponseData": …}`` and every error is plain JSON.
An encrypted value is the standard base64 of a random 16-byte IV followed by AES-256-CBC
(NIST SP 800-38A) of the JSON text with PKCS#7 padding (RFC 5652 §6.3).

The contract authenticates the *caller*, not the cipher text: CBC can be bent without the
key. What keeps that harmless here is that nothing but a header with the right id and
secret is ever answered differently, that every failure does the same work, and that a
repeated header is recognised by the blocks that carry its text, which an altered IV,
other base64 bits or a longer tail leave as they are.
"""

from __future__ import annotations

from crypto_schemes.isu.headers import OpenedHeader, open_header
from crypto_schemes.isu.key_text import key_from_text, key_to_text, new_key
from crypto_schemes.isu.options import IsuOptions
from crypto_schemes.isu.scheme import SCHEME, IsuScheme, open_data

__all__ = [
    "SCHEME",
    "IsuOptions",
    "IsuScheme",
    "OpenedHeader",
    "key_from_text",
    "key_to_text",
    "new_key",
    "open_data",
    "open_header",
]
