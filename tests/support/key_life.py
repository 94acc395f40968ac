"""A key's life in seconds instead of weeks."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from tenants import lifecycle
from tenants.actors import Actor
from tenants.models import Key


def destroyed(actor: Actor, key: Key) -> Key:
    """Return an ended version after it was scheduled and its waiting time is over."""
    lifecycle.schedule_destruction(actor, key, days=7, reason="test")
    assert lifecycle.destroy_due_keys(timezone.now() + timedelta(days=7)) == 1
    return Key.objects.get(pk=key.pk)


def retire(actor: Actor, key: Key, *, reason: str = "test") -> Key:
    """Retire a version as who typed which one it is: the test's traffic used it just now."""
    phrase = lifecycle.use_phrase(key)
    return lifecycle.retire_key(actor, key, reason=reason, confirmed_use=phrase)


def revoke(actor: Actor, key: Key, *, reason: str = "test") -> Key:
    """Revoke a version, in the same way."""
    phrase = lifecycle.use_phrase(key)
    return lifecycle.revoke_key(actor, key, reason=reason, confirmed_use=phrase)
