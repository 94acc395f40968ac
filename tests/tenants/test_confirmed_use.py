"""A version in use ends only for who typed which one it is, and said why."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tenants import key_use, lifecycle
from tenants.actors import Actor, NotAllowedError
from tenants.lifecycle import IssuedFlow, LifecycleError, UseNotConfirmedError
from tenants.models import AuditEntry, Flow, Key, KeyringEpoch

pytestmark = pytest.mark.django_db
Make = Callable[..., IssuedFlow]


def everything() -> tuple[Any, ...]:
    return (
        list(Key.objects.values().order_by("pk")),
        AuditEntry.objects.count(),
        KeyringEpoch.objects.get().value,
    )


def used(key: Key, ago: timedelta = timedelta(0), times: int = 1) -> Key:
    for _ in range(times):
        key_use.note_use((str(key.pk),), timezone.now() - ago)
    return Key.objects.get(pk=key.pk)


@pytest.fixture
def flow(make_flow: Make, actor: Actor) -> Flow:
    """A rotation under way: version 1 is retiring, 2 active, 3 staged."""
    made = make_flow("citcall", address="p1").flow
    lifecycle.promote_key(actor, lifecycle.generate_key(actor, made, "api_key").key)
    lifecycle.generate_key(actor, made, "api_key")
    return made


Ending = Callable[..., Key]
ENDINGS: dict[str, tuple[int, Ending]] = {
    "retire retiring": (1, lifecycle.retire_key),
    "retire staged": (3, lifecycle.retire_key),
    "revoke retiring": (1, lifecycle.revoke_key),
    "revoke active": (2, lifecycle.revoke_key),
    "revoke staged": (3, lifecycle.revoke_key),
    "promote without overlap": (
        2,
        lambda actor, key, **said: lifecycle.promote_key(
            actor, key.flow.keys.get(purpose="api_key", version=3), overlap=timedelta(0), **said
        ),
    ),
}


@pytest.mark.parametrize("name", ENDINGS)
def test_without_confirmation_nothing_happens(flow: Flow, actor: Actor, name: str) -> None:
    version, end = ENDINGS[name]
    key = used(flow.keys.get(purpose="api_key", version=version), times=3)
    before = everything()
    with pytest.raises(UseNotConfirmedError) as caught:
        end(actor, key, reason="leaked")
    assert everything() == before
    error = caught.value
    assert (error.phrase, error.problem) == (f"api_key v{version}", "")
    assert (error.use.recent, error.use.in_all, error.use.days) == (3, 3, 7)
    assert error.use.last_at == key.last_used_at
    assert f"last {key.last_used_at:%Y-%m-%d %H:%M} UTC, 3 times within 7 days" in str(error)
    assert isinstance(error, LifecycleError)


@pytest.mark.parametrize("name", ENDINGS)
@pytest.mark.parametrize(
    "typed", ["api_key v9", "api_key", "v1", "API_KEY V1 V2 V3", "callback_signing v1", "yes"]
)
def test_something_else_typed_is_no_confirmation(
    flow: Flow, actor: Actor, name: str, typed: str
) -> None:
    version, end = ENDINGS[name]
    key = used(flow.keys.get(purpose="api_key", version=version))
    before = everything()
    with pytest.raises(UseNotConfirmedError, match="not what stands there"):
        end(actor, key, reason="leaked", confirmed_use=typed)
    assert everything() == before


@pytest.mark.parametrize("name", ENDINGS)
@pytest.mark.parametrize("reason", ["", "  "])
def test_a_confirmation_needs_a_reason(flow: Flow, actor: Actor, name: str, reason: str) -> None:
    version, end = ENDINGS[name]
    key = used(flow.keys.get(purpose="api_key", version=version))
    before = everything()
    with pytest.raises(UseNotConfirmedError, match="Say why"):
        end(actor, key, reason=reason, confirmed_use=f"api_key v{version}")
    assert everything() == before


@pytest.mark.parametrize("name", ENDINGS)
@pytest.mark.parametrize("spaces", ["{}", " {} ", "{}\n"])
def test_typed_and_explained_it_is_done(flow: Flow, actor: Actor, name: str, spaces: str) -> None:
    version, end = ENDINGS[name]
    key = used(flow.keys.get(purpose="api_key", version=version))
    end(actor, key, reason=" leaked ", confirmed_use=spaces.format(f"api_key v{version}"))
    ended = Key.objects.get(pk=key.pk)
    assert ended.state == ("revoked" if name.startswith("revoke") else "retired")
    assert ended.end_reason == "leaked"
    entry = AuditEntry.objects.filter(key=key).latest("pk")
    assert (entry.reason, entry.after["state"]) == ("leaked", ended.state)


@pytest.mark.parametrize("name", ENDINGS)
def test_out_of_use_it_is_done_without(flow: Flow, actor: Actor, name: str) -> None:
    version, end = ENDINGS[name]
    key = used(flow.keys.get(purpose="api_key", version=version), ago=timedelta(days=7))
    end(actor, key, reason="moved on")
    assert Key.objects.get(pk=key.pk).state in {"retired", "revoked"}


def test_how_recent_counts_is_a_setting(flow: Flow, actor: Actor, settings: Any) -> None:
    key = used(flow.keys.get(purpose="api_key", version=1), ago=timedelta(days=20))
    settings.USED_RECENTLY_DAYS = 21
    with pytest.raises(UseNotConfirmedError):
        lifecycle.retire_key(actor, key)
    settings.USED_RECENTLY_DAYS = 0
    key = used(key)
    assert lifecycle.retire_key(actor, key).state == "retired"


def test_the_name_typed_is_the_one_in_the_partners_bundle(make_flow: Make, actor: Actor) -> None:
    flow = make_flow("isu").flow
    names = {lifecycle.use_phrase(key) for key in flow.keys.all()}
    assert "aes_key_base64 v1" in names
    assert "isu_aes v1" not in names


def test_a_version_that_opens_nothing_any_more_needs_none(flow: Flow, actor: Actor) -> None:
    key = used(flow.keys.get(purpose="api_key", version=1))
    key = lifecycle.retire_key(actor, key, reason="x", confirmed_use="api_key v1")
    assert lifecycle.revoke_key(actor, key, reason="leaked").state == "revoked"
    Key.objects.filter(version=3, purpose="api_key").update(
        state="retiring", activated_at=timezone.now(), accept_until=timezone.now()
    )
    over = used(flow.keys.get(purpose="api_key", version=3))
    assert lifecycle.retire_key(actor, over).state == "retired"


def test_the_end_of_the_overlap_is_not_stopped(flow: Flow, actor: Actor) -> None:
    key = used(flow.keys.get(purpose="api_key", version=1))
    assert key.accept_until is not None
    assert lifecycle.retire_expired_keys(key.accept_until) == 1
    assert Key.objects.get(pk=key.pk).state == "retired"


def test_a_promotion_with_an_overlap_asks_for_nothing(flow: Flow, actor: Actor) -> None:
    used(flow.keys.get(purpose="api_key", version=2))
    staged = flow.keys.get(purpose="api_key", version=3)
    assert lifecycle.promote_key(actor, staged, overlap=timedelta(days=1)).state == "active"


def test_who_may_not_end_a_version_learns_no_figures(flow: Flow) -> None:
    key = used(flow.keys.get(purpose="api_key", version=1))
    stranger = Actor(name="stranger", may=lambda permission: False)
    before = everything()
    with pytest.raises(NotAllowedError):
        lifecycle.revoke_key(stranger, key, reason="x", confirmed_use="api_key v1")
    assert everything() == before
