"""Clients, their flows, the versions of their secrets, and the record of what was done to them."""

from tenants.models.approvals import ApprovalRequest, ApprovalState
from tenants.models.audit import AuditEntry, AuditHead
from tenants.models.clients import Client
from tenants.models.flows import Backend, Flow, scheme_choices
from tenants.models.handovers import HandOver, HandOverState
from tenants.models.installation import InternalSecret, KeyringEpoch, ProcessReport
from tenants.models.keys import (
    ENDED_STATES,
    OPENING_STATES,
    Key,
    KeyState,
    KeyUseDay,
)
from tenants.models.notices import OperatorNotice

__all__ = [
    "ENDED_STATES",
    "OPENING_STATES",
    "ApprovalRequest",
    "ApprovalState",
    "AuditEntry",
    "AuditHead",
    "Backend",
    "Client",
    "Flow",
    "HandOver",
    "HandOverState",
    "InternalSecret",
    "Key",
    "KeyState",
    "KeyUseDay",
    "KeyringEpoch",
    "OperatorNotice",
    "ProcessReport",
    "scheme_choices",
]
