"""With which number and token a flow speaks to the Cloud API, and where that is."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Final

from django.conf import settings

from crypto_schemes.keys import Credentials, KeyVersion
from crypto_schemes.whatsapp_flows import WhatsAppFlowsOptions
from tenants.keyring import FlowSnapshot

#: What flows of the sandbox say to the stand-in where they have nothing of their own.
SANDBOX_PHONE_NUMBER_ID: Final = "100000000000000"
_SANDBOX_TOKEN: Final = KeyVersion("", "access_token", 0, "sandbox-access-token")


class NotConfiguredError(Exception):
    """The flow cannot use the Cloud API yet. ``code`` for logs; the text says what is missing."""

    def __init__(self, code: str, what: str) -> None:
        super().__init__(what)
        self.code = code


@dataclass(frozen=True, slots=True)
class Account:
    """One business phone number. ``base_url`` ends with the API's version."""

    base_url: str
    phone_number_id: str
    token: KeyVersion = field(repr=False)

    def url(self, edge: str) -> str:
        """Return the address of an edge of the phone number, such as ``messages``."""
        return f"{self.base_url}/{self.phone_number_id}/{edge}"

    @property
    def headers(self) -> dict[str, str]:
        """Return the header that proves who speaks."""
        return {"Authorization": f"Bearer {self.token.text}"}

    @property
    def key_ids(self) -> tuple[str, ...]:
        """Return the id of the token's version, to count its use; none for the stand-in's."""
        return (self.token.id,) if self.token.id else ()


def account_of(flow: FlowSnapshot, now: float | None = None) -> Account:
    """Return the account ``flow`` speaks with. Raises NotConfiguredError."""
    credentials = flow.credentials(time.time() if now is None else now)
    options: WhatsAppFlowsOptions = flow.options
    in_sandbox = bool(flow.is_sandbox and settings.WHATSAPP_SANDBOX_API_URL)
    number = options.phone_number_id or (SANDBOX_PHONE_NUMBER_ID if in_sandbox else "")
    if not number:
        raise NotConfiguredError(
            "no_phone_number_id", "Set the flow's phone number id (an option of the contract)."
        )
    token = _token(credentials)
    if token is None and in_sandbox:
        token = _SANDBOX_TOKEN
    if token is None:
        raise NotConfiguredError(
            "no_access_token", "Import the access token of a system user, and promote it."
        )
    url = settings.WHATSAPP_SANDBOX_API_URL if in_sandbox else settings.WHATSAPP_API_URL
    return Account(f"{url}/{settings.WHATSAPP_API_VERSION}", number, token)


def may_send(flow: FlowSnapshot) -> bool:
    """Return whether the flow names a number to send from; its token may still be missing."""
    in_sandbox = flow.is_sandbox and settings.WHATSAPP_SANDBOX_API_URL
    return bool(flow.options.phone_number_id or in_sandbox)


def _token(credentials: Credentials) -> KeyVersion | None:
    versions = credentials.accepted("access_token")
    is_active = credentials.sealing is None or "access_token" in credentials.sealing
    return versions[0] if versions and is_active else None
