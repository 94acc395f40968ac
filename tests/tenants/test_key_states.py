"""Whatever is done in whatever order: one active version, no gap in a rotation, no way back.

A model of the states is walked beside the real thing; after each step what may open,
what seals, what is readable, the rows and the audit trail must be what the model says.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from datetime import datetime, timedelta

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from crypto_schemes.errors import KeyUnavailableError
from tenants import at_rest, digests, key_use, lifecycle
from tenants.actors import Actor
from tenants.at_rest import AtRestError
from tenants.keyring import Keyring
from tenants.lifecycle import LifecycleError, UseNotConfirmedError
from tenants.models import AuditEntry, Key, KeyringEpoch
from tests.support.examples import examples

DAY = 86_400.0
OPENING = {"staged", "active", "retiring"}


class KeyLife(RuleBasedStateMachine):
    """One purpose of one flow, from its first version on."""

    def __init__(self) -> None:
        super().__init__()
        digests.forget_cached()
        self.example = transaction.atomic()
        self.example.__enter__()
        self.actor = Actor(name="model")
        client = lifecycle.create_client(self.actor, slug="acme")
        self.issued = lifecycle.create_flow(self.actor, client, "citcall", address="partner01")
        self.flow = self.issued.flow
        self.secrets = {1: self.issued.credentials["api_key"]}
        self.states = {1: "active"}
        self.ends: dict[int, float] = {}
        self.due: dict[int, datetime] = {}
        self.cancelled: set[int] = set()
        self.used: set[int] = set()
        self.later = 0.0
        self.keyring = Keyring(now=self.now)
        self.audited = AuditEntry.objects.count()
        self.epoch = KeyringEpoch.objects.get().value

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.example.__exit__(None, None, None)
        digests.forget_cached()

    def now(self) -> float:
        return time.time() + self.later

    def moment(self) -> datetime:
        return timezone.now() + timedelta(seconds=self.later)

    def key(self, version: int) -> Key:
        return self.flow.keys.get(purpose="api_key", version=version)

    def pick(self, choice: int, among: Collection[int] = ()) -> int:
        versions = sorted(among or self.states)
        return versions[choice % len(versions)]

    def ended(self) -> set[int]:
        """Return the versions whose material can be scheduled for destruction."""
        return {
            version for version, state in self.states.items() if state in {"retired", "revoked"}
        }

    def moved(self, entries: int, epochs: int = 1) -> None:
        self.audited += entries
        self.epoch += epochs

    # -- the verbs -------------------------------------------------------------------------

    @precondition(lambda self: len(self.states) < 5)
    @rule()
    def generate(self) -> None:
        issued = lifecycle.generate_key(self.actor, self.flow, "api_key")
        version = max(self.states) + 1
        assert issued.key.version == version
        self.states[version] = "staged" if "active" in self.states.values() else "active"
        self.secrets[version] = issued.secret
        self.moved(1)

    def in_use(self, version: int) -> bool:
        """Return whether ending the version must be confirmed."""
        return version in self.used and self.states[version] in OPENING

    @rule(choice=st.integers(0, 7))
    def use(self, choice: int) -> None:
        version = self.pick(choice)
        if version in self.openers():
            with transaction.atomic():
                key_use.note_use((str(self.key(version).pk),))
            self.used.add(version)

    @rule(choice=st.integers(0, 7), days=st.sampled_from([0, 1, 7, 90]))
    def promote(self, choice: int, days: int) -> None:
        version = self.pick(choice)
        verb = lifecycle.promote_key
        if self.states[version] == "active":
            verb(self.actor, self.key(version), overlap=timedelta(days=days))
        elif self.states[version] != "staged":
            with pytest.raises(LifecycleError):
                verb(self.actor, self.key(version), overlap=timedelta(days=days))
        else:
            olds = [old for old, state in self.states.items() if state == "active"]
            said: dict[str, str] = {}
            if not days and any(self.in_use(old) for old in olds):
                with pytest.raises(UseNotConfirmedError):
                    verb(self.actor, self.key(version), overlap=timedelta(0))
                said = {"reason": "model", "confirmed_use": f"api_key v{olds[0]}"}
            verb(self.actor, self.key(version), overlap=timedelta(days=days), **said)
            for old in olds:
                self.states[old] = "retiring" if days else "retired"
                if days:
                    self.ends[old] = time.time() + days * DAY
            self.states[version] = "active"
            self.moved(1 + len(olds))

    @rule(choice=st.integers(0, 7))
    def retire(self, choice: int) -> None:
        version = self.pick(choice)
        if self.states[version] in {"staged", "retiring"}:
            self.end(version, lifecycle.retire_key)
            self.states[version] = "retired"
            self.moved(1)
        elif self.states[version] == "retired":
            lifecycle.retire_key(self.actor, self.key(version))
        else:
            with pytest.raises(LifecycleError):
                lifecycle.retire_key(self.actor, self.key(version))

    @rule(choice=st.integers(0, 7))
    def revoke(self, choice: int) -> None:
        version = self.pick(choice)
        if self.states[version] == "destroyed":
            with pytest.raises(LifecycleError):
                lifecycle.revoke_key(self.actor, self.key(version), reason="leaked")
            return
        if self.states[version] != "revoked":
            self.moved(1)
        self.end(version, lifecycle.revoke_key)
        self.states[version] = "revoked"

    def end(self, version: int, verb: Callable[..., Key]) -> None:
        said = {"reason": "leaked"}
        if self.in_use(version):
            with pytest.raises(UseNotConfirmedError):
                verb(self.actor, self.key(version), **said)
            said["confirmed_use"] = f"api_key v{version}"
        verb(self.actor, self.key(version), **said)

    @precondition(lambda self: self.ended())
    @rule(choice=st.integers(0, 7), days=st.sampled_from([7, 8, 30]))
    def schedule(self, choice: int, days: int) -> None:
        version = self.pick(choice, self.ended())
        earliest = timezone.now() + timedelta(days=days)
        key = lifecycle.schedule_destruction(
            self.actor, self.key(version), days=days, reason="model"
        )
        assert key.destroy_at is not None
        if version in self.due and self.due[version].date() == key.destroy_at.date():
            assert key.destroy_at == self.due[version]
            return
        assert earliest <= key.destroy_at <= timezone.now() + timedelta(days=days)
        self.due[version] = key.destroy_at
        self.cancelled.discard(version)
        self.moved(1, 0)

    @precondition(lambda self: self.ended())
    @rule(choice=st.integers(0, 7))
    def cancel(self, choice: int) -> None:
        version = self.pick(choice, self.ended())
        lifecycle.cancel_destruction(self.actor, self.key(version))
        if self.due.pop(version, None):
            self.cancelled.add(version)
            self.moved(1, 0)

    @precondition(lambda self: len(self.ended()) < len(self.states))
    @rule(choice=st.integers(0, 7))
    def what_opens_or_is_gone_is_not_destroyed(self, choice: int) -> None:
        version = self.pick(choice, set(self.states) - self.ended())
        with pytest.raises(LifecycleError):
            lifecycle.schedule_destruction(self.actor, self.key(version), days=7, reason="model")
        with pytest.raises(LifecycleError):
            lifecycle.cancel_destruction(self.actor, self.key(version))

    @precondition(lambda self: self.due or self.cancelled)
    @rule(days=st.sampled_from([0, 6, 8, 31]))
    def destroy_due(self, days: float) -> None:
        self.wait(days)
        due = [version for version, at in self.due.items() if at <= self.moment()]
        assert lifecycle.destroy_due_keys(self.moment()) == len(due)
        for version in due:
            assert self.states[version] in {"retired", "revoked"}
            self.states[version] = "destroyed"
            del self.due[version]
        self.moved(len(due), len(due))

    @rule(days=st.sampled_from([0.5, 5, 30]))
    def wait(self, days: float) -> None:
        self.later += days * DAY

    @rule()
    def sweep(self) -> None:
        expired = [
            version
            for version, state in self.states.items()
            if state == "retiring" and self.ends[version] <= self.now()
        ]
        assert lifecycle.retire_expired_keys(self.moment()) == len(expired)
        for version in expired:
            self.states[version] = "retired"
        self.moved(len(expired), len(expired))

    # -- what must hold ----------------------------------------------------------------------

    def openers(self) -> set[int]:
        return {
            version
            for version, state in self.states.items()
            if state in {"staged", "active"}
            or (state == "retiring" and self.now() < self.ends[version])
        }

    @invariant()
    def rows_are_what_the_model_says(self) -> None:
        rows = dict(self.flow.keys.filter(purpose="api_key").values_list("version", "state"))
        assert rows == self.states
        assert list(rows.values()).count("active") <= 1
        assert AuditEntry.objects.count() == self.audited
        assert KeyringEpoch.objects.get().value == self.epoch

    @invariant()
    def the_keyring_opens_and_seals_with_the_right_ones(self) -> None:
        snapshot = self.keyring.by_flow_id(str(self.flow.pk))
        assert snapshot is not None
        credentials = snapshot.credentials(self.now())
        accepted = credentials.accepted("api_key")
        assert {version.version for version in accepted} == self.openers()
        active = [version for version, state in self.states.items() if state == "active"]
        if active:
            assert credentials.active("api_key").version == active[0]
            assert accepted[0].version == active[0]
        else:
            with pytest.raises(KeyUnavailableError):
                credentials.active("api_key")
        for version in accepted:
            assert version.text == self.secrets[version.version]

    @invariant()
    def a_secret_finds_the_flow_exactly_while_it_opens(self) -> None:
        for version, secret in self.secrets.items():
            found = self.keyring.by_secret("citcall", "api_key", secret)
            assert (found is not None) is (version in self.openers())

    @invariant()
    def a_rotation_leaves_no_gap(self) -> None:
        if "revoked" not in self.states.values() and "destroyed" not in self.states.values():
            assert list(self.states.values()).count("active") == 1

    @invariant()
    def material_is_there_until_it_is_destroyed(self) -> None:
        for key in self.flow.keys.filter(purpose="api_key"):
            assert bool(key.material) is (self.states[key.version] != "destroyed")
            assert key.fingerprint

    @invariant()
    def what_is_destroyed_is_not_readable(self) -> None:
        for key in self.flow.keys.filter(purpose="api_key", state="destroyed"):
            with pytest.raises(AtRestError):
                at_rest.open_sealed(key.material, key.at_rest_context)
            assert (bytes(key.material), key.lookup_digest) == (b"", "")

    @invariant()
    def nothing_is_destroyed_early_or_after_it_was_cancelled(self) -> None:
        rows = self.flow.keys.filter(purpose="api_key")
        waiting = rows.exclude(destroy_at=None).values_list("version", "destroy_at")
        assert dict(waiting) == self.due
        for key in rows.filter(version__in=[*self.due, *self.cancelled]):
            assert key.state in {"retired", "revoked"}
            opened = at_rest.open_sealed(key.material, key.at_rest_context)
            assert opened.decode() == self.secrets[key.version]


@pytest.mark.django_db
def test_any_order_of_verbs() -> None:
    run_state_machine_as_test(
        KeyLife,
        settings=settings(
            max_examples=examples(25),
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
