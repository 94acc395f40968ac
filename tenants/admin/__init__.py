"""The admin over clients, flows, keys and the audit trail.

Django's admin under the theme django-unfold. Whatever changes anything goes through
:mod:`tenants.lifecycle`, by POST only; nothing can be deleted here; no page but the direct answer
to the POST that made a secret ever shows one.
"""

from tenants.admin.approval import ApprovalRequestAdmin
from tenants.admin.audit import AuditEntryAdmin
from tenants.admin.client import ClientAdmin
from tenants.admin.flow import FlowAdmin
from tenants.admin.handover import HandOverAdmin
from tenants.admin.key import KeyAdmin

__all__ = [
    "ApprovalRequestAdmin",
    "AuditEntryAdmin",
    "ClientAdmin",
    "FlowAdmin",
    "HandOverAdmin",
    "KeyAdmin",
]
