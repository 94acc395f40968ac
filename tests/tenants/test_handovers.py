"""What a hand-over link shows, who gets one, and how it is withdrawn."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from tenants import at_rest, lifecycle
from tenants.actors import Actor, NotAllowedError
from tenants.lifecycle import (
    IssuedFlow,
    IssuedHandOver,
    LifecycleError,
)
from tenants.models import AuditEntry, Flow, HandOver
from tests.tenants.handovers import covered, open_, state, switch_off

pytestmark = pytest.mark.django_db
Make = Callable[..., IssuedFlow]


@pytest.fixture
def flow(make_flow: Make) -> Flow:
    return make_flow("citcall", address="partner01").flow


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
    assert list(written) == ["aes_key_hex", "callback_signing"]
    key = made.flow.keys.get(purpose="isu_aes")
    assert written["aes_key_hex"] == at_rest.open_sealed(key.material, key.at_rest_context).hex()


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
