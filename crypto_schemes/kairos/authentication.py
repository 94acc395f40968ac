"""Who sent an opened Kairos request: the flow-id and the security-id inside it."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from crypto_schemes.ciphers import mac
from crypto_schemes.envelope import OpenedRequest
from crypto_schemes.errors import AuthenticationError, OpenError
from crypto_schemes.kairos.envelope import FLOW_ID_FORM, FLOW_ID_MEMBER
from crypto_schemes.keys import Credentials

#: Name of the identity and of the purpose that prove a sender.
FLOW_ID: Final = "flow_id"
SECURITY_ID: Final = "security_id"
SECURITY_ID_MEMBER: Final = "security-id"


def authenticate(opened: OpenedRequest, credentials: Credentials) -> OpenedRequest:
    """Return ``opened`` with the security_id version it was proved by added to ``opened_by``.

    Checks, in this order, that the request is an object, that its ``flow-id`` is the one of
    the envelope and of the flow, and its ``security-id``, in constant time. Raises OpenError
    (code ``shape``) or AuthenticationError (code ``flow_id`` or ``security_id``).
    """
    payload = opened.payload
    if not isinstance(payload, dict):
        raise OpenError("The request inside is not a JSON object.", code="shape")
    flow_id = payload.get(FLOW_ID_MEMBER)
    if (
        not isinstance(flow_id, str)
        or not FLOW_ID_FORM.fullmatch(flow_id)
        or not mac.equal(flow_id, opened.context if isinstance(opened.context, str) else "")
        or not mac.equal(flow_id, credentials.identity.get(FLOW_ID, ""))
    ):
        raise AuthenticationError(
            "The flow-id inside is not the one of the flow.",
            "Send the same flow-id inside and outside.",
            code="flow_id",
        )
    given = payload.get(SECURITY_ID_MEMBER)
    versions = credentials.accepted(SECURITY_ID)
    index = mac.equal_any(
        [version.text for version in versions], given if isinstance(given, str) else ""
    )
    if index is None:
        raise AuthenticationError(
            "The security-id is missing or not one of the flow.",
            "Send the security-id that was issued with the flow-id.",
            code="security_id",
        )
    return replace(opened, opened_by=(*opened.opened_by, versions[index]))
