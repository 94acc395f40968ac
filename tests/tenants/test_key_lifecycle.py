"""Each verb on a key from each state: what happens, what is audited, who notices."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tenants import at_rest, lifecycle
from tenants.actors import Actor, NotAllowedError
from tenants.keyring import keyring
from tenants.lifecycle import IssuedFlow, LifecycleError
from tenants.models import AuditEntry, Flow, Key, KeyringEpoch
from tests.support import key_life

pytestmark = pytest.mark.django_db
Make = Callable[..., IssuedFlow]
Verb = Callable[[Actor, Key], Key]
EXPIRY = timezone.now() + timedelta(days=100)

VERBS: dict[str, Verb] = {
    "promote": lifecycle.promote_key,
    "retire": lambda actor, key: lifecycle.retire_key(actor, key, reason="done"),
    "revoke": lambda actor, key: lifecycle.revoke_key(actor, key, reason="leaked"),
    "set_expiry": lambda actor, key: lifecycle.set_key_expiry(actor, key, expires_at=EXPIRY),
    "schedule_destruction": lambda actor, key: lifecycle.schedule_destruction(
        actor, key, days=7, reason="old"
    ),
    "cancel_destruction": lifecycle.cancel_destruction,
}
#: What becomes of a version: a state, "same" for done already, None for refused.
TABLE: dict[str, dict[str, str | None]] = {
    "staged": {"promote": "active", "retire": "retired", "revoke": "revoked"},
    "active": {"promote": "same", "revoke": "revoked"},
    "retiring": {"retire": "retired", "revoke": "revoked"},
    "retired": {"retire": "same", "revoke": "revoked"},
    "revoked": {"revoke": "same"},
    "destroyed": {},
}
for _state in ("staged", "active", "retiring"):
    TABLE[_state] |= {"set_expiry": _state}
for _state in ("retired", "revoked"):
    TABLE[_state] |= {"schedule_destruction": _state, "cancel_destruction": "same"}
#: Verbs that requests need not notice: they count no epoch.
UNNOTICED = {"set_expiry", "schedule_destruction", "cancel_destruction"}
DELETING = {"schedule_destruction", "cancel_destruction"}


def key_in(state: str, flow: Flow, actor: Actor) -> Key:
    """Return an API key version of ``flow`` in ``state``, brought there by the verbs."""
    if state == "active":
        return flow.keys.get(purpose="api_key", state="active")
    if state == "retiring":
        old = flow.keys.get(purpose="api_key", state="active")
        lifecycle.promote_key(actor, lifecycle.generate_key(actor, flow, "api_key").key)
        return Key.objects.get(pk=old.pk)
    key = lifecycle.generate_key(actor, flow, "api_key").key
    if state in {"retired", "destroyed"}:
        key = lifecycle.retire_key(actor, key)
    if state == "revoked":
        key = lifecycle.revoke_key(actor, key, reason="test")
    if state == "destroyed":
        key = key_life.destroyed(actor, key)
    return key


def everything() -> tuple[Any, ...]:
    return (
        list(Key.objects.values().order_by("pk")),
        list(Flow.objects.values().order_by("pk")),
        AuditEntry.objects.count(),
        KeyringEpoch.objects.get().value,
    )


CASES = [(state, verb, TABLE[state].get(verb)) for state in TABLE for verb in VERBS]


@pytest.mark.parametrize(("state", "verb", "becomes"), CASES)
def test_each_verb_from_each_state(
    make_flow: Make, actor: Actor, state: str, verb: str, becomes: str | None
) -> None:
    flow = make_flow("citcall").flow
    key = key_in(state, flow, actor)
    assert key.state == state
    assert (verb in lifecycle.allowed_verbs(key)) is (becomes not in {"same", None})
    before = everything()
    if becomes is None:
        with pytest.raises(LifecycleError, match=f"API key version {key.version} is {state}"):
            VERBS[verb](actor, key)
        assert everything() == before
        return
    after = VERBS[verb](actor, key)
    if becomes == "same":
        assert after.state == state
        assert everything() == before
        return
    stored = Key.objects.get(pk=key.pk)
    assert (after.state, stored.state) == (becomes, becomes)
    epoch = before[3] + (verb not in UNNOTICED)
    assert KeyringEpoch.objects.get().value == epoch
    assert verb in UNNOTICED or Flow.objects.get(pk=flow.pk).changed_epoch == epoch
    entry = AuditEntry.objects.filter(key=key).latest("pk")
    assert entry.verb == f"key.{verb}"
    assert entry.verb in lifecycle.VERBS
    assert (entry.before["state"], entry.after["state"]) == (state, becomes)
    assert (entry.actor, entry.flow, entry.client) == ("tester", flow, flow.client)
    assert entry.before["fingerprint"] == key.fingerprint[:16]


@pytest.mark.parametrize(("state", "verb", "becomes"), CASES)
def test_each_verb_needs_its_permission(
    make_flow: Make, actor: Actor, state: str, verb: str, becomes: str | None
) -> None:
    key = key_in(state, make_flow("citcall").flow, actor)
    needed = f"tenants.{'delete' if verb in DELETING else 'change'}_key"
    before = everything()
    stranger = Actor(name="stranger", may=lambda permission: permission != needed)
    with pytest.raises(NotAllowedError, match=needed):
        VERBS[verb](stranger, key)
    assert everything() == before


def test_a_version_that_ended_says_when_and_why(make_flow: Make, actor: Actor) -> None:
    flow = make_flow("citcall").flow
    key = lifecycle.revoke_key(actor, flow.keys.get(purpose="api_key"), reason="  leaked  ")
    assert key.end_reason == "leaked"
    assert key.ended_at is not None
    assert timezone.now() - key.ended_at < timedelta(minutes=1)
    destroyed = key_life.destroyed(actor, key)
    assert destroyed.end_reason == "leaked"
    assert (bytes(destroyed.material), destroyed.lookup_digest) == (b"", "")
    assert destroyed.fingerprint == key.fingerprint


@pytest.mark.parametrize("reason", ["", " ", "\n\t"])
def test_revoking_needs_a_reason(make_flow: Make, actor: Actor, reason: str) -> None:
    key = make_flow("citcall").flow.keys.get(purpose="api_key")
    before = everything()
    with pytest.raises(LifecycleError, match="needs a reason"):
        lifecycle.revoke_key(actor, key, reason=reason)
    assert everything() == before


def test_promoting_moves_the_predecessor_on_and_audits_both(make_flow: Make, actor: Actor) -> None:
    flow = make_flow("citcall").flow
    old = flow.keys.get(purpose="api_key")
    new = lifecycle.generate_key(actor, flow, "api_key").key
    audited = AuditEntry.objects.count()
    lifecycle.promote_key(actor, new, overlap=timedelta(days=90))
    old.refresh_from_db()
    assert old.state == "retiring"
    assert old.accept_until is not None
    assert abs(old.accept_until - timezone.now() - timedelta(days=90)) < timedelta(minutes=1)
    entries = AuditEntry.objects.order_by("pk")[audited:]
    assert [(entry.verb, entry.key_id) for entry in entries] == [
        ("key.retire", old.pk),
        ("key.promote", new.pk),
    ]


def test_without_an_overlap_the_predecessor_is_retired_at_once(
    make_flow: Make, actor: Actor
) -> None:
    flow = make_flow("citcall").flow
    old = flow.keys.get(purpose="api_key")
    new = lifecycle.generate_key(actor, flow, "api_key").key
    lifecycle.promote_key(actor, new, overlap=timedelta(0))
    old.refresh_from_db()
    assert (old.state, old.accept_until) == ("retired", None)
    snapshot = keyring.by_flow_id(str(flow.pk))
    assert snapshot is not None
    assert [v.version for v in snapshot.credentials().accepted("api_key")] == [2]


@pytest.mark.parametrize(
    "overlap", [timedelta(seconds=-1), timedelta(days=90, seconds=1), timedelta.max]
)
def test_an_overlap_out_of_range(make_flow: Make, actor: Actor, overlap: timedelta) -> None:
    flow = make_flow("citcall").flow
    new = lifecycle.generate_key(actor, flow, "api_key").key
    before = everything()
    with pytest.raises(LifecycleError, match="0 to 90 days"):
        lifecycle.promote_key(actor, new, overlap=overlap)
    assert everything() == before


def test_a_new_version_is_active_only_where_there_is_none(make_flow: Make, actor: Actor) -> None:
    flow = make_flow("kairos").flow
    first = lifecycle.generate_key(actor, flow, "callback_basic_password")
    second = lifecycle.generate_key(actor, flow, "callback_basic_password")
    assert (first.key.state, second.key.state) == ("active", "staged")
    lifecycle.revoke_key(actor, first.key, reason="leaked")
    third = lifecycle.generate_key(actor, flow, "callback_basic_password")
    assert (third.key.version, third.key.state) == (3, "active")
    assert first.secret != second.secret != third.secret


def test_use_counted_meanwhile_is_not_lost(make_flow: Make, actor: Actor) -> None:
    key = make_flow("citcall").flow.keys.get(purpose="api_key")
    Key.objects.filter(pk=key.pk).update(use_count=5, last_used_at=timezone.now())
    lifecycle.revoke_key(actor, key, reason="leaked", confirmed_use="api_key v1")
    stored = Key.objects.get(pk=key.pk)
    assert stored.use_count == 5
    assert stored.last_used_at is not None


def test_versions_whose_overlap_is_over_are_retired(make_flow: Make, actor: Actor) -> None:
    over, running = make_flow("citcall").flow, make_flow("citcall").flow
    for flow in (over, running):
        lifecycle.promote_key(actor, lifecycle.generate_key(actor, flow, "api_key").key)
    past = timezone.now() - timedelta(seconds=1)
    over.keys.filter(state="retiring").update(accept_until=past)
    before = KeyringEpoch.objects.get().value
    assert lifecycle.retire_expired_keys() == 1
    assert lifecycle.retire_expired_keys() == 0
    key = over.keys.get(version=1, purpose="api_key")
    assert (key.state, key.accept_until, key.end_reason) == (
        "retired",
        None,
        "The overlap is over.",
    )
    assert running.keys.get(version=1, purpose="api_key").state == "retiring"
    assert KeyringEpoch.objects.get().value == before + 1
    entry = AuditEntry.objects.latest("pk")
    assert (entry.actor, entry.verb, entry.reason) == (
        "sealgate",
        "key.retire",
        "The overlap is over.",
    )


def test_an_asked_for_version_is_made_once(make_flow: Make, actor: Actor) -> None:
    flow = make_flow("citcall").flow
    assert lifecycle.generate_key(actor, flow, "api_key", version=2).key.version == 2
    before = everything()
    for version in (1, 2, 4, 0, -1):
        with pytest.raises(LifecycleError, match="was made already"):
            lifecycle.generate_key(actor, flow, "api_key", version=version)
    assert everything() == before


def test_an_unknown_purpose(make_flow: Make, actor: Actor) -> None:
    flow = make_flow("citcall").flow
    before = everything()
    with pytest.raises(LifecycleError, match=r"no purpose isu_aes. It has api_key"):
        lifecycle.generate_key(actor, flow, "isu_aes")
    assert everything() == before


@pytest.mark.parametrize("verb", ["generate", "import"])
def test_making_a_version_needs_its_permission(make_flow: Make, verb: str) -> None:
    flow = make_flow("citcall").flow
    stranger = Actor(name="stranger", may=lambda permission: permission != "tenants.add_key")
    before = everything()
    with pytest.raises(NotAllowedError):
        if verb == "generate":
            lifecycle.generate_key(stranger, flow, "api_key")
        else:
            lifecycle.import_key(stranger, flow, "api_key", b"0123456789abcdef0123456789abcdef")
    assert everything() == before


def test_the_material_of_a_version_is_what_was_handed_over(make_flow: Make, actor: Actor) -> None:
    issued = lifecycle.generate_key(actor, make_flow("citcall").flow, "api_key")
    stored = Key.objects.get(pk=issued.key.pk)
    opened = at_rest.open_sealed(stored.material, stored.at_rest_context)
    assert opened.decode("ascii") == issued.secret
    assert issued.secret not in repr(issued)
    assert opened not in bytes(stored.material)
