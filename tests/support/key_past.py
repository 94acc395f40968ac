"""Flows whose keys have a past and plans, made by the verbs at moments long over.

For the page in a browser: ``manage.py shell -c "from tests.support import key_past; …write()"``.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from unittest import mock

from django.db import transaction
from django.utils import timezone

from tenants import key_use, lifecycle
from tenants.actors import Actor
from tenants.models import Flow, Key, KeyUseDay

DAY = timedelta(days=1)


@contextmanager
def days_ago(days: float) -> Iterator[datetime]:
    """Have the product's clock stand in the past."""
    past = timezone.now() - days * DAY
    with mock.patch("django.utils.timezone.now", lambda: past):
        yield past


def write(slug: str = "acme") -> Flow:
    """Make a flow of four API keys: erased soon, revoked, about to end, and in force."""
    actor = Actor(name="key.officer")
    with days_ago(70):
        client = lifecycle.create_client(actor, slug=slug, name="Acme Ltd")
        flow = lifecycle.create_flow(actor, client, "citcall", address="acme-calls").flow
    _rotate(actor, flow, made=48, promoted=45, overlap=10)
    with days_ago(35):
        lifecycle.retire_expired_keys()
    with days_ago(20):
        lifecycle.schedule_destruction(
            actor, _key(flow, 1), days=30, reason="the partner has moved"
        )
    with days_ago(30):
        staged = lifecycle.generate_key(actor, flow, "api_key").key
    with days_ago(26):
        lifecycle.revoke_key(actor, staged, reason="sent to the wrong person")
    _rotate(actor, flow, made=9, promoted=3, overlap=14)
    expires_at = timezone.now() + 23 * DAY
    lifecycle.set_key_expiry(actor, _key(flow, 4), expires_at=expires_at)
    dice = random.Random(7)
    for version, first, last, most in ((1, 69, 36, 60), (2, 45, 0, 90), (4, 3, 0, 70)):
        for ago in range(first, last - 1, -1):
            _use(_key(flow, version), ago, dice.randint(most // 3, most))
    return flow


def _rotate(actor: Actor, flow: Flow, *, made: float, promoted: float, overlap: int) -> None:
    with days_ago(made):
        key = lifecycle.generate_key(actor, flow, "api_key").key
    with days_ago(promoted):
        lifecycle.promote_key(actor, key, overlap=overlap * DAY, override="this happened long ago")


def _use(key: Key, days: int, times: int) -> None:
    at = timezone.now() - days * DAY
    with transaction.atomic():
        key_use.note_use((str(key.pk),), at)
    day: dict[str, Any] = {"key": key, "day": key_use.day_of(at)}
    KeyUseDay.objects.filter(**day).update(count=times)
    Key.objects.filter(pk=key.pk).update(use_count=key.use_count + times)


def _key(flow: Flow, version: int) -> Key:
    return flow.keys.get(purpose="api_key", version=version)
