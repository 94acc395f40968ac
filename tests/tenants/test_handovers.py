"""A hand-over link shows the right credentials, once, or the same words for every reason not to."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from tenants import at_rest, lifecycle
from tenants.actors import Actor, NotAllowedError
from tenants.at_rest import AtRestError
from tenants.lifecycle import (
    HandedOver,
    HandOverClosedError,
    IssuedFlow,
    IssuedHandOver,
    LifecycleError,
)
from tenants.models import AuditEntry, Flow, HandOver, Key, KeyringEpoch
from tests.support import key_life

pytestmark = pytest.mark.django_db
Make = Callable[..., IssuedFlow]
CLOSED = (
    "This link does not open: it was opened before, has expired, was withdrawn, or is not "
    "complete. Ask whoever sent it for a new one."
)
SOURCE = "203.0.113.7"


def open_(token: str) -> HandedOver:
    return lifecycle.open_handover(token, address=SOURCE, request_id="request-1")


def state() -> tuple[Any, ...]:
    """Return everything a verb on hand-overs could have changed."""
    return (
        list(HandOver.objects.values().order_by("pk")),
        list(HandOver.keys.through.objects.values_list("handover_id", "key_id").order_by("pk")),
        list(Key.objects.values().order_by("pk")),
        AuditEntry.objects.count(),
        KeyringEpoch.objects.get().value,
    )


def covered(issued: IssuedHandOver) -> list[tuple[str, int]]:
    return [(key.purpose, key.version) for key in issued.keys]


@pytest.fixture
def flow(make_flow: Make) -> Flow:
    return make_flow("citcall", address="partner01").flow


@pytest.fixture
def link(flow: Flow, actor: Actor) -> IssuedHandOver:
    return lifecycle.create_handover(actor, flow)


# --- what it shows ---------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["kairos", "citcall", "isu", "whatsapp_flows", "flynn"])
def test_it_shows_what_was_shown_when_the_flow_was_made(
    make_flow: Make, actor: Actor, scheme: str
) -> None:
    made = make_flow(scheme)
    handed = open_(lifecycle.create_handover(actor, made.flow).token)
    assert list(handed.bundle.credentials.items()) == list(made.credentials.items())
    assert handed.bundle.extra == made.extra
    assert [item.name for item in handed.bundle.extra] == ["callback_signing"]
    assert handed.bundle.extra[0].value == made.callback_secret
    assert handed.url.startswith("http://127.0.0.1:")
    assert handed.url.endswith(made.flow.main_path)
    assert handed.ends == ()


@pytest.mark.parametrize("scheme", ["kairos", "citcall", "isu", "whatsapp_flows", "flynn"])
def test_nothing_but_the_partners_own_is_covered(
    make_flow: Make, actor: Actor, scheme: str
) -> None:
    made = make_flow(scheme)
    purposes = {key.purpose for key in lifecycle.create_handover(actor, made.flow).keys}
    specs = made.flow.contract.all_purposes()
    kept = {spec.name for spec in specs if spec.for_own_service or not spec.shared}
    assert "upstream_signing" in kept
    assert purposes == {spec.name for spec in specs if spec.issued_at_creation} - kept


def test_a_key_in_the_partners_own_writing_is_shown_beside_the_common_one(
    make_flow: Make, actor: Actor
) -> None:
    made = make_flow("isu", options={"key_encoding": "hex"})
    bundle = open_(lifecycle.create_handover(actor, made.flow).token).bundle
    assert bundle.credentials == made.credentials
    written = {item.name: item.value for item in bundle.extra}
    assert list(written) == ["isu_aes", "callback_signing"]
    key = made.flow.keys.get(purpose="isu_aes")
    assert written["isu_aes"] == at_rest.open_sealed(key.material, key.at_rest_context).hex()


def test_a_staged_version_is_handed_over_before_the_active_one(flow: Flow, actor: Actor) -> None:
    staged = lifecycle.generate_key(actor, flow, "api_key")
    issued = lifecycle.create_handover(actor, flow)
    assert covered(issued) == [("api_key", 2), ("callback_signing", 1)]
    assert open_(issued.token).bundle.credentials["api_key"] == staged.secret


def test_a_staged_version_that_was_overtaken_is_not(flow: Flow, actor: Actor) -> None:
    lifecycle.generate_key(actor, flow, "api_key")
    third = lifecycle.generate_key(actor, flow, "api_key").key
    lifecycle.promote_key(actor, third)
    issued = lifecycle.create_handover(actor, flow)
    assert covered(issued) == [("api_key", 3), ("callback_signing", 1)]


def test_what_it_shows_is_fixed_when_it_is_made(make_flow: Make, actor: Actor) -> None:
    made = make_flow("citcall")
    issued = lifecycle.create_handover(actor, made.flow)
    lifecycle.generate_key(actor, made.flow, "api_key")
    assert open_(issued.token).bundle.credentials == made.credentials


def test_one_chosen_version_goes_with_the_public_names_alone(flow: Flow, actor: Actor) -> None:
    staged = lifecycle.generate_key(actor, flow, "api_key")
    issued = lifecycle.create_handover(actor, flow, keys=[staged.key.pk])
    bundle = open_(issued.token).bundle
    assert bundle.credentials == {"userid": flow.identity["userid"], "api_key": staged.secret}
    assert bundle.extra == ()


def test_a_version_replaced_meanwhile_is_shown_with_its_end(
    flow: Flow, actor: Actor, link: IssuedHandOver
) -> None:
    staged = lifecycle.generate_key(actor, flow, "api_key").key
    lifecycle.promote_key(actor, staged, overlap=timedelta(days=3))
    old = flow.keys.get(purpose="api_key", version=1)
    assert open_(link.token).ends == (("API key version 1", old.accept_until),)


# --- making one ------------------------------------------------------------------------------


def test_only_the_digest_of_the_token_is_kept(flow: Flow, link: IssuedHandOver) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", link.token)
    row = HandOver.objects.get()
    assert row.token_digest == hashlib.sha256(link.token.encode()).hexdigest()
    assert link.token not in repr(link)
    assert link.url == f"http://127.0.0.1:8000/handover#{link.token}"
    assert lifecycle.create_handover(Actor(name="x"), flow).token != link.token


def test_it_is_audited_and_lives_for_three_days(flow: Flow, link: IssuedHandOver) -> None:
    row = HandOver.objects.get()
    left = row.expires_at - timezone.now()
    assert timedelta(hours=71, minutes=59) < left <= timedelta(hours=72)
    assert (row.flow, row.created_by) == (flow, "tester")
    assert (row.opened_at, row.opened_from, row.withdrawn_at) == (None, None, None)
    entry = AuditEntry.objects.latest("pk")
    assert (entry.verb, entry.actor, entry.flow) == ("handover.create", "tester", flow)
    assert entry.after == {
        "handover": str(row.pk),
        "keys": ["api_key/1", "callback_signing/1"],
        "expires_at": row.expires_at.isoformat(),
    }


@pytest.mark.parametrize("lifetime", [timedelta(hours=1), timedelta(days=14)])
def test_the_shortest_and_the_longest_lifetime(
    flow: Flow, actor: Actor, lifetime: timedelta
) -> None:
    row = lifecycle.create_handover(actor, flow, lifetime=lifetime).handover
    assert abs(row.expires_at - row.created_at - lifetime) < timedelta(seconds=5)


@pytest.mark.parametrize(
    "lifetime",
    [timedelta(0), timedelta(minutes=59), timedelta(days=14, seconds=1), timedelta(hours=-1)],
)
def test_another_lifetime_makes_no_link(flow: Flow, actor: Actor, lifetime: timedelta) -> None:
    before = state()
    with pytest.raises(LifecycleError, match="1 hour to 14 days"):
        lifecycle.create_handover(actor, flow, lifetime=lifetime)
    assert state() == before


@pytest.mark.parametrize(
    ("purpose", "version", "words"),
    [
        ("upstream_signing", 1, "Upstream signing secret version 1 is not for the partner"),
        ("token_signing", 1, "Token signing key version 1 is not for the partner"),
        (
            "password",
            1,
            "Log-in password version 1 is retiring. Hand over a staged or active version",
        ),
        ("portal_password", 2, "version 2 is retired. Hand over a staged or active version"),
    ],
)
def test_a_version_a_partner_must_not_or_should_not_get_is_refused(
    make_flow: Make, actor: Actor, purpose: str, version: int, words: str
) -> None:
    flow = make_flow("flynn").flow
    lifecycle.promote_key(actor, lifecycle.generate_key(actor, flow, "password").key)
    lifecycle.retire_key(actor, lifecycle.generate_key(actor, flow, "portal_password").key)
    key = flow.keys.get(purpose=purpose, version=version)
    before = state()
    with pytest.raises(LifecycleError, match=words):
        lifecycle.create_handover(actor, flow, keys=[key.pk])
    assert state() == before


def test_a_version_of_another_flow_is_refused(make_flow: Make, flow: Flow, actor: Actor) -> None:
    other = make_flow("citcall").flow.keys.get(purpose="api_key")
    own = flow.keys.get(purpose="api_key")
    for chosen in ([other.pk], [own.pk, other.pk], [uuid4()]):
        before = state()
        with pytest.raises(LifecycleError, match="none of this flow"):
            lifecycle.create_handover(actor, flow, keys=chosen)
        assert state() == before


def test_two_versions_of_one_purpose_need_two_links(flow: Flow, actor: Actor) -> None:
    lifecycle.generate_key(actor, flow, "api_key")
    both = list(flow.keys.filter(purpose="api_key").values_list("pk", flat=True))
    before = state()
    with pytest.raises(LifecycleError, match="one version for each purpose"):
        lifecycle.create_handover(actor, flow, keys=both)
    assert state() == before


def test_nothing_chosen_makes_no_link(flow: Flow, actor: Actor) -> None:
    before = state()
    with pytest.raises(LifecycleError, match="nothing to hand over"):
        lifecycle.create_handover(actor, flow, keys=[])
    assert state() == before


@pytest.mark.parametrize("switch", ["flow", "client"])
def test_what_is_switched_off_gets_no_link(flow: Flow, actor: Actor, switch: str) -> None:
    switch_off(flow, actor, switch)
    before = state()
    with pytest.raises(LifecycleError, match="switched off"):
        lifecycle.create_handover(actor, flow)
    assert state() == before


@pytest.mark.parametrize("permission", ["tenants.add_handover", "tenants.change_handover"])
def test_each_verb_needs_its_permission(flow: Flow, link: IssuedHandOver, permission: str) -> None:
    somebody = Actor(name="somebody", may=lambda asked: asked != permission)
    before = state()
    with pytest.raises(NotAllowedError, match=permission):
        if permission == "tenants.add_handover":
            lifecycle.create_handover(somebody, flow)
        else:
            lifecycle.withdraw_handover(somebody, link.handover)
    assert state() == before


# --- opening one -----------------------------------------------------------------------------


def switch_off(flow: Flow, actor: Actor, switch: str) -> None:
    if switch == "flow":
        lifecycle.update_flow(actor, flow, {"is_enabled": False})
    else:
        lifecycle.update_client(actor, flow.client, {"is_enabled": False})


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


# --- withdrawing one -------------------------------------------------------------------------


def test_a_withdrawal_is_audited_once(flow: Flow, actor: Actor, link: IssuedHandOver) -> None:
    lifecycle.withdraw_handover(actor, link.handover)
    row = HandOver.objects.get()
    assert row.withdrawn_at is not None
    entry = AuditEntry.objects.latest("pk")
    assert (entry.verb, entry.actor, entry.flow) == ("handover.withdraw", "tester", flow)
    assert entry.after == {"handover": str(row.pk), "keys": ["api_key/1", "callback_signing/1"]}
    before = state()
    lifecycle.withdraw_handover(actor, link.handover)
    assert state() == before


def test_what_was_opened_cannot_be_withdrawn(actor: Actor, link: IssuedHandOver) -> None:
    open_(link.token)
    before = state()
    with pytest.raises(LifecycleError, match=r"was opened at \d{4}-.* revoke what it contains"):
        lifecycle.withdraw_handover(actor, link.handover)
    assert state() == before
