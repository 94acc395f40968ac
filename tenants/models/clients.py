"""Partner organisations."""

from __future__ import annotations

import uuid

from django.db import models


class Client(models.Model):
    """A partner organisation (a tenant)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    slug = models.SlugField(
        max_length=64, unique=True, help_text="Short name used on the command line and in logs."
    )
    name = models.CharField(max_length=200)
    contact_email = models.EmailField(blank=True, help_text="Whom to tell about rotations.")
    notes = models.TextField(blank=True)
    is_enabled = models.BooleanField(
        default=True, help_text="Off: every flow of this client refuses at once."
    )
    needs_second_person = models.BooleanField(
        default=False,
        help_text="On: revoking, importing, destroying and handing over a key of this client, and "
        "changing where the data of its flows goes, is asked for by one person and approved by "
        "another.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("slug",)

    def __str__(self) -> str:
        return self.name or self.slug
