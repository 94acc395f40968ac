"""A link opens once; for every reason not to open it says the same words."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from tenants import lifecycle
from tenants.actors import Actor
from tenants.at_rest import AtRestError
from tenants.lifecycle import (
    HandOverClosedError,
    IssuedFlow,
    IssuedHandOver,
)
from tenants.models import AuditEntry, Flow, HandOver, Key, KeyringEpoch
from tests.support import key_life
from tests.tenants.handovers import CLOSED, SOURCE, open_, state, switch_off

pytestmark = pytest.mark.django_db
Make = Callable[..., IssuedFlow]


@pytest.fixture
def flow(make_flow: Make) -> Flow:
    return make_flow("citcall", address="partner01").flow


def test_opening_burns_it_and_is_audited_with_the_address(flow: Flow, link: IssuedHandOver) -> None:
    epoch = KeyringEpoch.objects.get().value
    count = AuditEntry.objects.count()
    open_(link.token)
    row = HandOver.objects.get()
    assert row.opened_at is not None
    assert timezone.now() - row.opened_at < timedelta(seconds=30)
    assert (row.opened_from, row.withdrawn_at) == (SOURCE, None)
    entry = AuditEntry.objects.latest("pk")
    assert (entry.verb, entry.actor, entry.actor_address) == (
        "handover.open",
        "hand-over link",
        SOURCE,
    )
    assert (entry.flow, entry.request_id) == (flow, "request-1")
    assert entry.after == {"handover": str(row.pk), "keys": ["api_key/1", "callback_signing/1"]}
    assert AuditEntry.objects.count() == count + 1
    assert KeyringEpoch.objects.get().value == epoch


def test_from_an_unknown_address_it_opens_too(link: IssuedHandOver) -> None:
    lifecycle.open_handover(link.token, address="")
    assert HandOver.objects.get().opened_from is None
    assert AuditEntry.objects.latest("pk").actor_address is None


def close(case: str, link: IssuedHandOver, flow: Flow, actor: Actor) -> None:
    key = flow.keys.get(purpose="api_key", version=1)
    if case == "opened":
        open_(link.token)
    elif case == "withdrawn":
        lifecycle.withdraw_handover(actor, link.handover)
    elif case == "expired":
        HandOver.objects.update(expires_at=timezone.now())
    elif case == "revoked":
        lifecycle.revoke_key(actor, key, reason="leaked")
    elif case in {"retired", "overlap over"}:
        staged = lifecycle.generate_key(actor, flow, "api_key").key
        lifecycle.promote_key(actor, staged, overlap=timedelta(days=1))
        if case == "retired":
            lifecycle.retire_key(actor, key)
        else:  # the worker has not written it down yet
            Key.objects.filter(pk=key.pk).update(accept_until=timezone.now())
    elif case == "destroyed":
        lifecycle.revoke_key(actor, key, reason="leaked")
        key_life.destroyed(actor, key)
    else:
        switch_off(flow, actor, case)


@pytest.mark.parametrize(
    ("case", "why"),
    [
        ("opened", "opened"),
        ("withdrawn", "withdrawn"),
        ("expired", "expired"),
        ("revoked", "closed"),
        ("retired", "closed"),
        ("overlap over", "closed"),
        ("destroyed", "closed"),
        ("flow", "switched_off"),
        ("client", "switched_off"),
    ],
)
def test_every_reason_not_to_open_has_the_same_words(
    flow: Flow, actor: Actor, link: IssuedHandOver, case: str, why: str
) -> None:
    close(case, link, flow, actor)
    before = state()
    with pytest.raises(HandOverClosedError) as raised:
        open_(link.token)
    assert str(raised.value) == CLOSED
    assert (raised.value.why, raised.value.handover_id) == (why, link.handover.pk)
    assert state() == before


@pytest.mark.parametrize("damage", ["", "other", "cut", "longer", "slash", "nul", "wide", "digest"])
def test_a_token_that_is_none_has_the_same_words_too(link: IssuedHandOver, damage: str) -> None:
    token = {
        "": "",
        "other": "A" * 43,
        "cut": link.token[:-1],
        "longer": link.token + "A",
        "slash": link.token[:-1] + "/",
        "nul": link.token[:-1] + "\0",
        "wide": link.token[:-1] + "\u0661",
        "digest": link.handover.token_digest,
    }[damage]
    before = state()
    with pytest.raises(HandOverClosedError) as raised:
        open_(token)
    assert (str(raised.value), raised.value.why) == (CLOSED, "unknown")
    assert raised.value.handover_id is None
    assert state() == before


def test_switched_on_again_it_opens(flow: Flow, actor: Actor, link: IssuedHandOver) -> None:
    switch_off(flow, actor, "flow")
    with pytest.raises(HandOverClosedError):
        open_(link.token)
    lifecycle.update_flow(actor, flow, {"is_enabled": True})
    assert list(open_(link.token).bundle.credentials) == ["userid", "api_key"]


def test_what_cannot_be_read_is_not_burned(flow: Flow, link: IssuedHandOver) -> None:
    key = flow.keys.get(purpose="api_key")
    whole = bytes(key.material)
    Key.objects.filter(pk=key.pk).update(material=whole[:-1] + bytes([whole[-1] ^ 1]))
    before = state()
    with pytest.raises(AtRestError):
        open_(link.token)
    assert state() == before
    Key.objects.filter(pk=key.pk).update(material=whole)
    assert "api_key" in open_(link.token).bundle.credentials
