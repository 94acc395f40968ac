"""What the hot path reads: no query when warm, every change within the interval, bounded memory."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from crypto_schemes import keys
from crypto_schemes.keys import Material, PurposeSpec
from tenants import lifecycle
from tenants.actors import Actor
from tenants.keyring import Keyring
from tenants.lifecycle import IssuedFlow
from tenants.models import Client, Flow, KeyringEpoch
from tests.tenants.clocks import Clock

pytestmark = pytest.mark.django_db
Make = Callable[..., IssuedFlow]
Queries = Callable[..., Any]


def versions(ring: Keyring, flow: Flow, purpose: str, now: float | None = None) -> list[int]:
    snapshot = ring.by_flow_id(str(flow.pk))
    assert snapshot is not None
    return [version.version for version in snapshot.credentials(now).accepted(purpose)]


def test_a_warm_look_up_asks_the_database_nothing(
    make_flow: Make, ring: Keyring, django_assert_num_queries: Queries
) -> None:
    issued = make_flow("isu")
    wired = make_flow("citcall", address="partner01").flow
    secret = issued.credentials["pass_key"]
    ring.by_secret("isu", "pass_key", secret)
    ring.by_wire_id("citcall", "partner01")
    with django_assert_num_queries(0):
        for _ in range(50):
            found = ring.by_secret("isu", "pass_key", secret)
            assert found is not None
            assert found.id == str(issued.flow.pk)
            named = ring.by_wire_id("citcall", "partner01")
            assert named is not None
            assert named.id == str(wired.pk)
            assert ring.by_flow_id(str(wired.pk)) is named


def test_a_cold_look_up_is_four_queries_whatever_there_is(
    make_flow: Make, ring: Keyring, actor: Actor, django_assert_num_queries: Queries
) -> None:
    for number in range(12):
        make_flow("citcall", address=f"partner{number}")
    flow = make_flow("citcall", address="partner99").flow
    for _ in range(3):
        lifecycle.generate_key(actor, flow, "api_key")
    with django_assert_num_queries(4):  # epoch, name, flow, keys
        assert ring.by_wire_id("citcall", "partner99") is not None


def test_the_epoch_is_looked_at_once_an_interval(
    make_flow: Make, ring: Keyring, clock: Clock, django_assert_num_queries: Queries
) -> None:
    make_flow("citcall", address="partner01")
    ring.by_wire_id("citcall", "partner01")
    clock.at += 0.99
    with django_assert_num_queries(0):
        ring.by_wire_id("citcall", "partner01")
    clock.at += 0.01
    with django_assert_num_queries(1):
        for _ in range(10):
            ring.by_wire_id("citcall", "partner01")


def test_a_revocation_is_in_force_after_the_interval(
    make_flow: Make, ring: Keyring, clock: Clock, actor: Actor
) -> None:
    flow = make_flow("citcall").flow
    assert versions(ring, flow, "api_key") == [1]
    lifecycle.revoke_key(actor, flow.keys.get(purpose="api_key"), reason="leaked")
    clock.at += 1.0
    assert versions(ring, flow, "api_key") == []


CHANGES: dict[str, Callable[[Actor, Flow], object]] = {
    "flow off": lambda actor, flow: lifecycle.update_flow(actor, flow, {"is_enabled": False}),
    "client off": lambda actor, flow: lifecycle.update_client(
        actor, flow.client, {"is_enabled": False}
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_switched_off_is_gone_and_comes_back(
    make_flow: Make,
    ring: Keyring,
    clock: Clock,
    actor: Actor,
    django_assert_num_queries: Queries,
    change: str,
) -> None:
    issued = make_flow("isu")
    flow, secret = issued.flow, issued.credentials["pass_key"]
    assert ring.by_secret("isu", "pass_key", secret) is not None
    CHANGES[change](actor, flow)
    clock.at += 1.0
    assert ring.by_secret("isu", "pass_key", secret) is None
    assert ring.by_flow_id(str(flow.pk)) is None
    with django_assert_num_queries(0):
        assert ring.by_secret("isu", "pass_key", secret) is None
    lifecycle.update_flow(actor, flow, {"is_enabled": True})
    lifecycle.update_client(actor, flow.client, {"is_enabled": True})
    clock.at += 1.0
    assert ring.by_secret("isu", "pass_key", secret) is not None


def test_settings_are_seen_after_the_interval(
    make_flow: Make, ring: Keyring, clock: Clock, actor: Actor
) -> None:
    flow = make_flow("citcall").flow
    before = ring.by_flow_id(str(flow.pk))
    lifecycle.update_flow(
        actor,
        flow,
        {
            "options": {"max_skew": 60},
            "backend": "upstream",
            "upstream_url": "http://orders:8080/",
            "callback_url": "https://partner.example/",
            "allowed_networks": ["10.0.0.0/8"],
        },
    )
    assert ring.by_flow_id(str(flow.pk)) is before
    clock.at += 1.0
    after = ring.by_flow_id(str(flow.pk))
    assert before is not None
    assert after is not None
    assert (before.options.max_skew, after.options.max_skew) == (480, 60)
    assert (before.is_sandbox, after.is_sandbox) == (True, False)
    assert (after.upstream_url, after.callback_url) == (
        "http://orders:8080/",
        "https://partner.example/",
    )
    assert [str(network) for network in after.networks] == ["10.0.0.0/8"]


def test_a_change_of_one_flow_leaves_the_others_in_memory(
    make_flow: Make,
    ring: Keyring,
    clock: Clock,
    actor: Actor,
    django_assert_num_queries: Queries,
) -> None:
    kept, changed = make_flow("citcall").flow, make_flow("citcall").flow
    snapshot = ring.by_flow_id(str(kept.pk))
    ring.by_flow_id(str(changed.pk))
    lifecycle.generate_key(actor, changed, "api_key")
    clock.at += 1.0
    with django_assert_num_queries(2):  # epoch, changed flows
        assert ring.by_flow_id(str(kept.pk)) is snapshot
    assert versions(ring, changed, "api_key") == [1, 2]


def test_a_rotation_parses_the_new_version_only(
    make_flow: Make,
    ring: Keyring,
    clock: Clock,
    actor: Actor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flow = make_flow("whatsapp_flows").flow
    before = ring.by_flow_id(str(flow.pk))
    parsed: list[str] = []
    parse = keys.parse_material

    def counting(spec: PurposeSpec, stored: bytes, *, trusted: bool) -> Material:
        parsed.append(spec.name)
        return parse(spec, stored, trusted=trusted)

    monkeypatch.setattr("tenants.flow_loading.parse_material", counting)
    lifecycle.generate_key(actor, flow, "app_secret")
    clock.at += 1.0
    after = ring.by_flow_id(str(flow.pk))
    assert parsed == ["app_secret"]
    assert before is not None
    assert after is not None
    assert after.keys["whatsapp_rsa"][0].version.material is (
        before.keys["whatsapp_rsa"][0].version.material
    )


def test_what_may_no_longer_open_is_forgotten(
    make_flow: Make, ring: Keyring, clock: Clock, actor: Actor
) -> None:
    flow = make_flow("citcall").flow
    key = flow.keys.get(purpose="api_key")
    versions(ring, flow, "api_key")
    assert str(key.pk) in ring._parsed[str(flow.pk)]
    lifecycle.revoke_key(actor, key, reason="leaked")
    clock.at += 1.0
    versions(ring, flow, "api_key")
    assert str(key.pk) not in ring._parsed[str(flow.pk)]
    lifecycle.update_flow(actor, flow, {"is_enabled": False})
    clock.at += 1.0
    assert ring.by_flow_id(str(flow.pk)) is None
    assert str(flow.pk) not in ring._parsed


def test_a_retiring_version_stops_at_its_time_without_a_query(
    make_flow: Make, settings: Any, actor: Actor, django_assert_num_queries: Queries
) -> None:
    settings.KEYRING_EPOCH_SECONDS = 1.0
    issued = make_flow("isu")
    flow, old = issued.flow, issued.credentials["pass_key"]
    new = lifecycle.generate_key(actor, flow, "pass_key")
    lifecycle.promote_key(actor, new.key, overlap=timedelta(days=3))
    until = flow.keys.get(purpose="pass_key", state="retiring").accept_until
    assert until is not None
    now = Clock(until.timestamp() - 0.001)
    ring = Keyring(Clock(), now)
    assert ring.by_secret("isu", "pass_key", old) is not None
    assert ring.by_secret("isu", "pass_key", new.secret) is not None
    with django_assert_num_queries(0):
        now.at = until.timestamp()
        assert ring.by_secret("isu", "pass_key", old) is None
        assert ring.by_secret("isu", "pass_key", new.secret) is not None
    assert versions(ring, flow, "pass_key", until.timestamp() - 0.001) == [2, 1]
    assert versions(ring, flow, "pass_key", until.timestamp()) == [2]


def test_memory_is_bounded_and_strangers_push_nobody_out(
    make_flow: Make, ring: Keyring, settings: Any, django_assert_num_queries: Queries
) -> None:
    settings.KEYRING_CACHED_FLOWS = 3
    flows = [make_flow("citcall", address=f"partner{n}").flow for n in range(5)]
    for flow in flows:
        ring.by_wire_id("citcall", flow.address)
    assert list(ring._snapshots) == [str(flow.pk) for flow in flows[2:]]
    assert len(ring._parsed) == 3
    for number in range(50):
        assert ring.by_wire_id("citcall", f"stranger{number}") is None
        assert ring.by_secret("isu", "pass_key", f"stranger{number}") is None
    assert len(ring._unknown_names) == 3
    with django_assert_num_queries(0):
        for flow in flows[2:]:
            assert ring.by_wire_id("citcall", flow.address) is not None
    ring.by_wire_id("citcall", flows[2].address)
    ring.by_wire_id("citcall", flows[0].address)
    assert set(ring._snapshots) == {str(flows[n].pk) for n in (0, 2, 4)}


def test_what_is_kept_is_bounded_by_its_weight(
    make_flow: Make, ring: Keyring, settings: Any, django_assert_num_queries: Queries
) -> None:
    flows = [make_flow("citcall", address=f"partner{n}").flow for n in range(4)]
    rsa = make_flow("whatsapp_flows").flow
    light = ring.by_flow_id(str(flows[0].pk))
    heavy = ring.by_flow_id(str(rsa.pk))
    assert light is not None
    assert heavy is not None
    assert 3_000 < light.weight < 8_000
    assert heavy.weight > light.weight + 2_000
    assert light.weight_of_thread == 0
    assert 2_000 < heavy.weight_of_thread < 3_000
    ring.forget()
    settings.KEYRING_MEGABYTES = 3 * light.weight / 1e6
    for flow in flows:
        ring.by_flow_id(str(flow.pk))
    assert list(ring._snapshots) == [str(flow.pk) for flow in flows[1:]]
    assert ring._weight == 3 * light.weight
    assert set(ring._parsed) == set(ring._snapshots)
    # One that is heavier than all may weigh is kept alone.
    ring.by_flow_id(str(rsa.pk))
    assert list(ring._snapshots) == [str(rsa.pk)]
    with django_assert_num_queries(0):
        assert ring.by_flow_id(str(rsa.pk)) is not None
    ring.forget()
    assert ring._weight == 0


def test_flows_with_the_same_options_share_them(make_flow: Make, ring: Keyring) -> None:
    one, two = (make_flow("isu").flow for _ in range(2))
    other = make_flow("isu", options={"epoch_window": 60}).flow
    first, second, third = (ring.by_flow_id(str(flow.pk)) for flow in (one, two, other))
    assert first is not None
    assert second is not None
    assert third is not None
    assert first.options is second.options
    assert (first.options.epoch_window, third.options.epoch_window) == (300, 60)


def test_a_change_of_one_flow_costs_the_others_no_look_up(
    make_flow: Make, ring: Keyring, clock: Clock, actor: Actor, django_assert_num_queries: Queries
) -> None:
    changed, other = (make_flow("citcall", address=name).flow for name in ("one", "other"))
    for flow in (changed, other):
        assert ring.by_wire_id("citcall", flow.address) is not None
    lifecycle.update_flow(actor, changed, {"is_enabled": False})
    clock.at += 1.0
    assert ring.by_wire_id("citcall", changed.address) is None
    with django_assert_num_queries(0):
        assert ring.by_wire_id("citcall", other.address) is not None


def test_a_database_restored_to_an_earlier_epoch_is_noticed(
    make_flow: Make, ring: Keyring, clock: Clock
) -> None:
    flow = make_flow("citcall").flow
    before = ring.by_flow_id(str(flow.pk))
    KeyringEpoch.objects.update(value=0)
    Flow.objects.update(options={"max_skew": 61}, changed_epoch=0)
    clock.at += 1.0
    after = ring.by_flow_id(str(flow.pk))
    assert after is not before
    assert after is not None
    assert after.options.max_skew == 61


def test_an_empty_database_serves_nobody(db: None, ring: Keyring) -> None:
    KeyringEpoch.objects.all().delete()
    assert ring.by_wire_id("citcall", "partner01") is None
    assert ring.by_secret("isu", "pass_key", "x") is None
    assert ring.by_flow_id("00000000-0000-4000-8000-000000000000") is None


def test_a_change_noticed_while_rows_are_read_is_not_cached(
    make_flow: Make, ring: Keyring, clock: Clock, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = make_flow("citcall").flow
    load = Keyring._load

    def slow_load(self: Keyring, flow_id: str) -> Any:
        snapshot = load(self, flow_id)
        monkeypatch.setattr(Keyring, "_load", load)
        lifecycle.generate_key(actor, flow, "api_key")
        clock.at += 1.0
        ring.by_wire_id("citcall", "somebody else")  # another thread looks at the epoch
        return snapshot

    monkeypatch.setattr(Keyring, "_load", slow_load)
    assert versions(ring, flow, "api_key") == [1]
    assert versions(ring, flow, "api_key") == [1, 2]


def test_a_snapshot_cannot_be_changed(make_flow: Make, ring: Keyring) -> None:
    snapshot = ring.by_flow_id(str(make_flow("citcall").flow.pk))
    assert snapshot is not None
    for change in (
        lambda: setattr(snapshot, "backend", "upstream"),
        lambda: snapshot.identity.update(userid="x"),  # type: ignore[attr-defined]
        lambda: snapshot.keys.pop("api_key"),  # type: ignore[attr-defined]
        lambda: setattr(snapshot.options, "max_skew", 1),
    ):
        with pytest.raises(Exception, match=r"frozen|cannot assign|no attribute|immutable"):
            change()


def test_a_snapshot_shows_no_secret(make_flow: Make, ring: Keyring) -> None:
    issued = make_flow("isu")
    snapshot = ring.by_flow_id(str(issued.flow.pk))
    assert snapshot is not None
    texts = [repr(snapshot), repr(snapshot.credentials()), repr(snapshot.keys)]
    for name in ("pass_key", "client_secret", "aes_key_base64"):
        assert not any(issued.credentials[name] in text for text in texts)


def test_many_threads_look_at_the_epoch_once(
    client_row: Client, clock: Clock, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.KEYRING_EPOCH_SECONDS = 1.0
    ring = Keyring(clock)
    looked = []
    entered, go_on = threading.Event(), threading.Event()

    class Epochs:
        def filter(self, **_: object) -> Epochs:
            return self

        def values_list(self, *_: object, **__: object) -> Epochs:
            return self

        def first(self) -> int:
            looked.append(1)
            entered.set()
            go_on.wait(10)
            return 7

    monkeypatch.setattr(KeyringEpoch, "objects", Epochs())
    threads = [threading.Thread(target=ring._refresh) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert entered.wait(10)
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert len(looked) == 1
    assert ring._epoch == 7
