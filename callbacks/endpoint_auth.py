"""How a call to an endpoint says who it is, beside its signature.

The secret is a key of the flow, purpose ``callback_auth``: made or imported, rotated and revoked
like every other. The version that is active goes out, so the receiver takes the new one before it
is promoted here, and both during that time.

Sources: RFC 7617 (Basic), RFC 6750 §2.1 (Bearer).
"""

from __future__ import annotations

from callbacks.models import AuthKind, Endpoint
from crypto_schemes import base64_text
from crypto_schemes.keys import Credentials
from crypto_schemes.scheme import CALLBACK_AUTH


def headers(endpoint: Endpoint, credentials: Credentials) -> dict[str, str]:
    """Return the header that authenticates a call, none where the endpoint asks for none.

    Raises KeyUnavailableError when there is no active secret: nothing leaves without it.
    """
    if endpoint.auth == AuthKind.NONE:
        return {}
    secret = credentials.active(CALLBACK_AUTH.name).text
    if endpoint.auth == AuthKind.BASIC:
        pair = f"{endpoint.auth_name}:{secret}".encode()
        return {"Authorization": "Basic " + base64_text.encode(pair)}
    if endpoint.auth == AuthKind.BEARER:
        return {"Authorization": f"Bearer {secret}"}
    return {endpoint.auth_name: secret}
