"""CitCall v2, asynchronous missed-call OTP: a time stamp and JSON under an additive cipher.

Source: the vendor's v2 document and its published client sample, recomputed.

A message is ``{"data": base64url}``. Inside is the reversed decimal Unix time, a dot
and compact ASCII JSON, moved forward by the userid and then by the API key (see
:mod:`crypto_schemes.ciphers.additive`). The ``Authorization`` header names the userid
and carries the API key in the clear, so the key version a partner uses is known before
anything is opened, and the reply is sealed under the same version.

The cipher has no integrity and no real secrecy: somebody who sees traffic can read it
and change it. What proves the sender is the API key in the header, and what protects
that is TLS.
"""

from crypto_schemes.citcall.authorization import (
    Authorization,
    AuthorizationForm,
    format_authorization,
    parse_authorization,
)
from crypto_schemes.citcall.options import OTP_DIGITS, CitCallOptions
from crypto_schemes.citcall.scheme import API_KEY, RC_SUCCESS, SCHEME, USERID, CitCall
from crypto_schemes.citcall.sealed_text import OpenedText, open_text, seal_text

__all__ = [
    "API_KEY",
    "OTP_DIGITS",
    "RC_SUCCESS",
    "SCHEME",
    "USERID",
    "Authorization",
    "AuthorizationForm",
    "CitCall",
    "CitCallOptions",
    "OpenedText",
    "format_authorization",
    "open_text",
    "parse_authorization",
    "seal_text",
]
