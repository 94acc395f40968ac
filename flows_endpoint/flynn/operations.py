"""The operations behind the addresses: methods, portals, and who calls which portal as whom."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from django.db.models import QuerySet

from crypto_schemes.flynn.tokens import PORTAL_PASSWORD, match_secret
from crypto_schemes.keys import Credentials
from flows_endpoint.flynn.errors import Err, invalid
from flows_endpoint.flynn.models import Portal, PortalSession
from tenants import digests
from tenants.keyring import FlowSnapshot, utc

EINVOICE: Final = "einvoice"
EWAY: Final = "eway"
PING: Final = "ping"
TOKENS: Final = "tokens"
LOG_IN: Final = "log_in"
RENEW: Final = "renew"
LOG_OUT: Final = "log_out"
AUTHENTICATE: Final = "authenticate"
AUTHENTICATE_WITH_SECRETS: Final = "authenticate_with_secrets"

_CHANGE: Final = ("POST", "PUT", "PATCH")
#: Methods of each operation; others take POST.
METHODS: Final[Mapping[str, tuple[str, ...]]] = {
    PING: ("GET", "POST"),
    TOKENS: ("POST", "PUT"),
    RENEW: ("PUT",),
    AUTHENTICATE: ("GET", "POST"),
    AUTHENTICATE_WITH_SECRETS: ("GET", "POST"),
    f"{EINVOICE}.get": ("GET",),
    f"{EWAY}.get": ("GET",),
    f"{EWAY}.cancel": _CHANGE,
    f"{EWAY}.update_part_b": _CHANGE,
    f"{EWAY}.extend_validity": _CHANGE,
    f"{EWAY}.update_transporter": _CHANGE,
}
_POST_ONLY: Final = ("POST",)
#: The only broker of the portals' own log-ins that the contract knows.
_GSP_CODE: Final = "vay"
#: A portal session is not written anew for every call of a busy partner.
_REFRESH_AFTER: Final = timedelta(minutes=5)


def methods_of(operation: str) -> tuple[str, ...]:
    """Return the methods an operation takes."""
    return METHODS.get(operation, _POST_ONLY)


def portal_of(operation: str) -> Portal | None:
    """Return the portal an operation is for, None for those of the gateway itself."""
    return {EINVOICE: Portal.IRP, EWAY: Portal.EWB}.get(operation.partition(".")[0])


def portal_error_of(operation: str) -> Err | None:
    """Return the error under which the operation's portal reports its own."""
    portal = portal_of(operation)
    return None if portal is None else Err(Err.IRP if portal is Portal.IRP else Err.EWB)


@dataclass(frozen=True, slots=True)
class PortalUser:
    """As whom a portal is called; ``password`` is None when a portal session stands for it."""

    gstin: str = field(repr=False)
    name: str = field(repr=False)
    password: str | None = field(repr=False)

    @property
    def digest(self) -> str:
        """Return the keyed digest a portal session is found by."""
        # With its length in front the number cannot reach into the name, whatever is in them.
        text = f"{len(self.gstin)}|{self.gstin}|{self.name}"
        return digests.lookup_digest("flynn", "portal_user", text)


def read_portal_user(portal: Portal, payload: Mapping[str, Any]) -> PortalUser:
    """Return the portal user of an opened request; the encrypted password wins.

    Raises Refusal (err-invalid-request-body) for a missing header and another broker.
    """
    module = portal.value
    plain: Mapping[str, str] = payload["plain"]
    for name in (f"{module}-gstin", f"{module}-username"):
        if not plain.get(name):
            raise invalid(f"headers.X-FLYNN-N-{name.upper()}")
    if plain.get(f"{module}-gsp-code", _GSP_CODE) != _GSP_CODE:
        raise invalid(f"headers.X-FLYNN-N-{module.upper()}-GSP-CODE")
    name = f"{module}-pwd"
    password = payload["sensitive"].get(name) or plain.get(name) or None
    return PortalUser(plain[f"{module}-gstin"], plain[f"{module}-username"], password)


def has_portal_session(
    flow: FlowSnapshot, credentials: Credentials, portal: Portal, user: PortalUser, now: float
) -> bool:
    """Return whether the portal took this user's password not long ago.

    A portal session ends with the password version it was begun with.
    """
    if not flow.options.portal_session_minutes:
        return False
    found = _session(flow, portal, user).filter(expires_at__gt=utc(now)).first()
    if found is None:
        return False
    accepted = {version.id for version in credentials.accepted(PORTAL_PASSWORD)}
    return found.key_id is None or str(found.key_id) in accepted


def remember_portal_session(
    flow: FlowSnapshot, credentials: Credentials, portal: Portal, user: PortalUser, now: float
) -> None:
    """Let calls without a password pass from now on for as long as the flow's option says.

    Call it when the portal has taken ``user.password``.
    """
    if not flow.options.portal_session_minutes or user.password is None:
        return
    matched = match_secret(PORTAL_PASSWORD, user.password, credentials)
    key_id = uuid.UUID(matched.id) if matched else None
    expires_at = utc(now) + timedelta(minutes=flow.options.portal_session_minutes)
    fresh = _session(flow, portal, user).filter(
        expires_at__gt=expires_at - _REFRESH_AFTER, key_id=key_id
    )
    if not fresh.exists():
        PortalSession.objects.update_or_create(
            flow_id=flow.id,
            portal=portal,
            user_digest=user.digest,
            defaults={"expires_at": expires_at, "key_id": key_id},
        )


def _session(flow: FlowSnapshot, portal: Portal, user: PortalUser) -> QuerySet[PortalSession]:
    return PortalSession.objects.filter(flow_id=flow.id, portal=portal, user_digest=user.digest)
