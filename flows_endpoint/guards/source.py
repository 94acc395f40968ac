"""Whose request is it: flows that take calls from certain networks only."""

from __future__ import annotations

from flows_endpoint.exchange import Reason, Refusal
from tenants.keyring import FlowSnapshot
from tenants.source_address import caller_address, is_within, parse_address

__all__ = ["admit", "caller_address"]


def admit(flow: FlowSnapshot, source: str) -> None:
    """Raise Refusal (source) unless the flow's allow-list is empty or holds ``source``."""
    if not flow.networks:
        return
    address = parse_address(source)
    if address is None or not is_within(address, flow.networks):
        raise Refusal(Reason.SOURCE, step=source)
