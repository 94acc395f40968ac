"""The record of what was done to clients, flows and keys."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from tenants.indexes import NewestFirst
from tenants.models.clients import Client
from tenants.models.flows import Flow
from tenants.models.keys import Key


class AuditEntry(models.Model):
    """Who did what to which client, flow or key, written with the change itself.

    Numbered without gaps, chained by keyed digests, never changed: tenants.audit_chain appends,
    and nothing else writes here.
    """

    at = models.DateTimeField(default=timezone.now, db_index=True)
    actor = models.CharField(max_length=150)
    actor_address = models.GenericIPAddressField(null=True, blank=True)
    verb = models.CharField(max_length=64)
    client = models.ForeignKey(Client, null=True, blank=True, on_delete=models.PROTECT)
    flow = models.ForeignKey(Flow, null=True, blank=True, on_delete=models.PROTECT)
    key = models.ForeignKey(Key, null=True, blank=True, on_delete=models.PROTECT)
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    reason = models.CharField(max_length=200, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    #: Digest of the entry before; empty in the first.
    previous_digest = models.CharField(max_length=64, blank=True, editable=False)
    #: Keyed digest of everything above and the number; 64 hex digits.
    digest = models.CharField(max_length=64, editable=False)

    class Meta:
        ordering = ("-id",)
        verbose_name_plural = "audit entries"
        # One for each way the list may be narrowed; tests/scale holds them to it.
        indexes = [
            models.Index(fields=("request_id",), name="audit_request_id"),
            NewestFirst("verb", name="audit_verb"),
            NewestFirst("actor", name="audit_actor"),
            NewestFirst("actor", "verb", name="audit_actor_verb"),
            NewestFirst("client", name="audit_client"),
            NewestFirst("client", "verb", name="audit_client_verb"),
            NewestFirst("flow", name="audit_flow"),
            NewestFirst("key", name="audit_key"),
        ]
        constraints = [
            models.CheckConstraint(condition=~Q(digest=""), name="audit_entry_is_chained")
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.actor} {self.verb}"


class AuditHead(models.Model):
    """One row that says how long the audit trail is; its lock is the right to append."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    length = models.BigIntegerField(default=0)
    digest = models.CharField(max_length=64, blank=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="audit_head_single")]

    def __str__(self) -> str:
        return str(self.length)
