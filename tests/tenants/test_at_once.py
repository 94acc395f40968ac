"""Many verbs at once: none is lost, none waits for another forever, every epoch counts once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError

from tenants import lifecycle
from tenants.actors import Actor
from tenants.at_rest import AtRestError
from tenants.keyring import Keyring
from tenants.lifecycle import IssuedFlow, LifecycleError
from tenants.models import AuditEntry, Client, Flow, Key, KeyringEpoch
from tests.support.at_once import at_once

pytestmark = pytest.mark.django_db(transaction=True)
Make = Callable[..., IssuedFlow]


def test_every_change_has_an_epoch_of_its_own(make_flow: Make, actor: Actor) -> None:
    flows = [make_flow("citcall").flow for _ in range(4)]
    before = KeyringEpoch.objects.get().value

    def change(flow: Flow) -> Callable[[], None]:
        def work() -> None:
            for number in range(5):
                lifecycle.update_flow(actor, flow, {"options": {"max_skew": 100 + number}})

        return work

    assert at_once(*(change(flow) for flow in flows)) == []
    assert KeyringEpoch.objects.get().value == before + 20
    epochs = list(Flow.objects.values_list("changed_epoch", flat=True))
    assert len(set(epochs)) == 4
    assert max(epochs) == before + 20
    assert AuditEntry.objects.filter(verb="flow.update").count() == 20


def test_verbs_on_client_flow_and_keys_do_not_wait_in_a_circle(
    make_flow: Make, actor: Actor, client_row: Client
) -> None:
    flows = [make_flow("citcall").flow for _ in range(2)]

    def toggle_client() -> None:
        for number in range(6):
            lifecycle.update_client(actor, client_row, {"notes": f"note {number}"})

    def rotate(flow: Flow) -> Callable[[], None]:
        def work() -> None:
            for _ in range(3):
                key = lifecycle.generate_key(actor, flow, "api_key").key
                lifecycle.promote_key(actor, key, overlap=timedelta(days=1))

        return work

    def create() -> None:
        for _ in range(3):
            lifecycle.create_flow(actor, client_row, "citcall")

    def sweep() -> None:
        for _ in range(6):
            lifecycle.retire_expired_keys()

    works = [toggle_client, create, sweep, *(rotate(flow) for flow in flows)]
    assert at_once(*works) == []
    for flow in flows:
        states = flow.keys.filter(purpose="api_key").order_by("version")
        assert [key.state for key in states] == ["retiring"] * 3 + ["active"]
    assert Flow.objects.count() == 5


def test_two_who_promote_leave_one_active(make_flow: Make, actor: Actor) -> None:
    flow = make_flow("citcall").flow
    staged = [lifecycle.generate_key(actor, flow, "api_key").key for _ in range(4)]

    def promote(key: Key) -> Callable[[], object]:
        return lambda: lifecycle.promote_key(actor, key)

    assert at_once(*(promote(key) for key in staged)) == []
    states = list(flow.keys.filter(purpose="api_key").values_list("state", flat=True))
    assert sorted(states) == ["active", *["retiring"] * 4]


def test_one_address_asked_for_by_many_is_given_once(
    client_row: Client, actor: Actor, make_flow: Make
) -> None:
    made: list[IssuedFlow] = []

    def create() -> None:
        made.append(lifecycle.create_flow(actor, client_row, "citcall", address="partner01"))

    raised = at_once(*[create] * 5)
    assert len(made) == 1
    assert [type(error) for error in raised] == [LifecycleError] * 4
    assert all("partner01 is in use" in str(error) for error in raised)
    assert Flow.objects.count() == 1
    assert Key.objects.count() == 3
    assert AuditEntry.objects.filter(verb="flow.create").count() == 1


def test_one_new_client_asked_for_by_many_is_made_once(actor: Actor) -> None:
    def create() -> None:
        lifecycle.create_flow(actor, Client(slug="new"), "citcall")

    raised = at_once(*[create] * 4)
    assert [type(error) for error in raised] == [ValidationError] * 3
    assert Client.objects.count() == 1
    assert Flow.objects.count() == 1
    assert Key.objects.count() == Key.objects.filter(flow__client__slug="new").count()


def test_one_button_pressed_by_many_makes_one_version(make_flow: Make, actor: Actor) -> None:
    flow = make_flow("citcall").flow

    def generate() -> None:
        lifecycle.generate_key(actor, flow, "api_key", version=2)

    raised = at_once(*[generate] * 4)
    assert [type(error) for error in raised] == [LifecycleError] * 3
    assert flow.keys.filter(purpose="api_key").count() == 2


def test_a_keyring_read_during_changes_ends_with_the_last_one(
    make_flow: Make, actor: Actor
) -> None:
    flow = make_flow("citcall", address="partner01").flow
    ring = Keyring()
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            snapshot = ring.by_wire_id("citcall", "partner01")
            assert snapshot is not None
            assert snapshot.credentials().accepted("api_key")

    def rotate() -> None:
        try:
            for _ in range(5):
                key = lifecycle.generate_key(actor, flow, "api_key").key
                lifecycle.promote_key(actor, key, overlap=timedelta(0))
        finally:
            stop.set()

    assert at_once(read, read, rotate) == []
    snapshot = ring.by_wire_id("citcall", "partner01")
    assert snapshot is not None
    assert [v.version for v in snapshot.credentials().accepted("api_key")] == [6]


def test_a_first_secret_of_the_product_made_by_many_is_one(db: None) -> None:
    from tenants import digests  # noqa: PLC0415
    from tenants.models import InternalSecret  # noqa: PLC0415

    InternalSecret.objects.filter(name="other").delete()
    seen: list[bytes] = []
    try:
        raised = at_once(*[lambda: seen.append(digests._load_or_make("other"))] * 4)
    except AtRestError:  # pragma: no cover - would mean two were made
        pytest.fail("two secrets of one name")
    assert raised == []
    assert len(set(seen)) == 1
    assert InternalSecret.objects.filter(name="other").count() == 1
