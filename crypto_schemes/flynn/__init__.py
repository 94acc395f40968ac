"""Flynn: plain JSON bodies, sensitive headers encrypted under a key the client brings.

``X-FLYNN-N-*`` headers are plain, ``X-FLYNN-S-*`` sensitive. The client picks an AES key,
the REK, and sends its hex text wrapped with the flow's RSA key in ``X-FLYNN-S-REK``; each
other sensitive header is AES-ECB or AES-CBC under it (:mod:`crypto_schemes.flynn.session`),
the IV of CBC wrapped like the REK in ``X-FLYNN-S-IV``. Replies are plain JSON but for the
``client-message`` of one operation (:func:`seal_client_message`). Repeating a REK is
ordinary use, so nothing here must be seen only once.

The payload, both ways, is ``{"plain": {…}, "sensitive": {…}, "body": …}``: header texts by
their name without prefix and in lower case (``irp-gstin``, ``irp-pwd``, ``data``), and the
value of the JSON body, None without one. The user token, the mode, the REK and the IV are
not in it. Where a name came both plain and sensitive, the sensitive one stands alone.
``raw`` of an opened request is that object with the body exactly as it was sent.

How a request opens, and why the contract's two errors tell a sender nothing of a private
key, is in :mod:`crypto_schemes.flynn.opening`.
"""

from crypto_schemes.flynn.contract import (
    SCHEME,
    FlynnScheme,
    authenticate,
    open_client_message,
    seal_client_message,
)
from crypto_schemes.flynn.opening import FlynnContext, RekError, SensitiveValueError
from crypto_schemes.flynn.options import FlynnOptions
from crypto_schemes.flynn.session import Mode, Session

__all__ = [
    "SCHEME",
    "FlynnContext",
    "FlynnOptions",
    "FlynnScheme",
    "Mode",
    "RekError",
    "SensitiveValueError",
    "Session",
    "authenticate",
    "open_client_message",
    "seal_client_message",
]
