"""The sandbox: an e-invoice portal and an e-way bill portal that keep what they are told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from crypto_schemes.flynn import tokens
from crypto_schemes.json_text import JSONValue
from flows_endpoint.backends import Answer, Backend, Call
from flows_endpoint.flynn.errors import ewb_refused, irp_refused
from flows_endpoint.flynn.models import Portal
from flows_endpoint.flynn.operations import EINVOICE, EWAY, PortalUser, read_portal_user
from flows_endpoint.flynn.sandbox import einvoice, eway

_Handler = Callable[[Call, str], JSONValue]

_HANDLERS: Final[Mapping[str, _Handler]] = {
    f"{EINVOICE}.generate": einvoice.generate,
    f"{EINVOICE}.get": lambda call, _: einvoice.get(call),
    f"{EINVOICE}.cancel": lambda call, _: einvoice.cancel(call),
    f"{EINVOICE}.eway_bill": lambda call, _: einvoice.eway_bill(call),
    f"{EWAY}.generate": eway.generate,
    f"{EWAY}.get": eway.get,
    f"{EWAY}.cancel": lambda call, _: eway.cancel(call),
    f"{EWAY}.update_part_b": lambda call, _: eway.update_part_b(call),
    f"{EWAY}.extend_validity": lambda call, _: eway.extend_validity(call),
    f"{EWAY}.update_transporter": lambda call, _: eway.update_transporter(call),
}


class FlynnSandbox(Backend):
    """Both portals. Knows one user a flow: its GSTIN, portal user name and password."""

    def handle(self, call: Call) -> Answer:
        """Check the portal credentials, then do the operation. Raises Refusal."""
        portal = Portal.IRP if call.operation.startswith(EINVOICE) else Portal.EWB
        user = read_portal_user(portal, call.payload)
        self._require(call, portal, user)
        return Answer(_HANDLERS[call.operation](call, user.gstin))

    @staticmethod
    def _require(call: Call, portal: Portal, user: PortalUser) -> None:
        """Refuse wrong credentials, whichever of the three is wrong, with one error."""
        identity = call.flow.identity
        known = user.gstin == identity["gstin"] and user.name == identity["portal_username"]
        # None: the portal session stands in for the password.
        if user.password is not None:
            credentials = call.flow.credentials(call.received_at)
            matched = tokens.match_secret(tokens.PORTAL_PASSWORD, user.password, credentials)
            known = known and matched is not None
        if not known:
            raise irp_refused("1008") if portal is Portal.IRP else ewb_refused("108")
