"""A promotion waits until every live process has loaded the version."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from tenants import lifecycle, rollout, tasks
from tenants.actors import Actor
from tenants.lifecycle import IssuedFlow, LifecycleError
from tenants.models import AuditEntry, Flow, Key, KeyringEpoch, ProcessReport
from tests.tenants.reports import report

pytestmark = pytest.mark.django_db
Make = Callable[..., IssuedFlow]


@pytest.fixture
def staged(make_flow: Make, actor: Actor) -> Key:
    """Version 2 of an API key, staged."""
    key = lifecycle.generate_key(actor, make_flow("citcall").flow, "api_key").key
    assert key.state == "staged"
    return key


def everything(flow: Flow) -> tuple[Any, ...]:
    """Return all that a promotion would change."""
    keys = flow.keys.order_by("pk").values_list("pk", "state", "activated_at", "accept_until")
    epochs = (KeyringEpoch.objects.get(pk=1).value, Flow.objects.get(pk=flow.pk).changed_epoch)
    return list(keys), AuditEntry.objects.count(), epochs


def refusal(actor: Actor, key: Key, **how: Any) -> str:
    """Return why the promotion was refused; asserts that nothing happened."""
    before = everything(key.flow)
    with pytest.raises(LifecycleError) as refused:
        lifecycle.promote_key(actor, key, **how)
    assert everything(key.flow) == before
    return re.sub(r"report \d+ s ago", "report … s ago", str(refused.value))


def test_without_any_process_there_is_nobody_to_wait_for(staged: Key, actor: Actor) -> None:
    assert rollout.rollout_of(staged).is_complete
    assert lifecycle.promote_key(actor, staged).state == "active"


def test_one_process_that_lags_is_named(staged: Key, actor: Actor) -> None:
    report(11)
    report(12, behind=1, silent=7)
    assert refusal(actor, staged) == (
        "API key version 2 cannot be promoted yet. Loaded by 1 of 2 processes. web node-a:12 has "
        "not loaded it yet (last report … s ago): wait a second and try again; if it hangs, end "
        "it, and it stops counting 15 s after its last report. If there is no time for that, "
        "promote it with a reason; such a process may then refuse requests. "
        f"Fingerprint: {staged.short_fingerprint}."
    )


def test_it_goes_through_once_the_last_one_has_loaded_it(staged: Key, actor: Actor) -> None:
    report(11)
    late = report(12, kind="worker", behind=1)
    assert "worker node-a:12" in refusal(actor, staged)
    ProcessReport.objects.filter(pk=late.pk).update(epoch=staged.since_epoch)
    assert lifecycle.promote_key(actor, staged).state == "active"


def test_changes_of_other_flows_are_not_waited_for(
    staged: Key, actor: Actor, make_flow: Make
) -> None:
    report(11)
    make_flow("isu")
    assert lifecycle.promote_key(actor, staged).state == "active"


def test_later_changes_of_the_same_flow_are_not_waited_for(
    staged: Key, actor: Actor, make_flow: Make
) -> None:
    """A flow that changes all the time cannot hold up its own rotation."""
    report(11)
    lifecycle.update_flow(actor, staged.flow, {"callback_url": "https://hooks.example.com/a"})
    lifecycle.generate_key(actor, staged.flow, "callback_signing")
    assert rollout.rollout_of(staged).is_complete
    assert lifecycle.promote_key(actor, staged).state == "active"


def test_versions_staged_since_are_waited_for(staged: Key, actor: Actor) -> None:
    """What a process knew before does not vouch for what came after."""
    report(11)
    later = lifecycle.generate_key(actor, staged.flow, "api_key").key
    assert later.since_epoch == staged.since_epoch + 1
    assert "web node-a:11" in refusal(actor, later)


def test_a_process_that_is_silent_for_long_does_not_count(
    staged: Key, actor: Actor, settings: Any
) -> None:
    report(12, behind=1, silent=9)
    assert "web node-a:12" in refusal(actor, staged)
    settings.PROCESS_REPORT_SECONDS = 2.0  # after three times that it is gone
    assert rollout.live_processes() == ()
    assert lifecycle.promote_key(actor, staged).state == "active"


def test_a_node_that_cannot_load_the_keys_blocks(
    staged: Key, actor: Actor, make_flow: Make
) -> None:
    report(11)
    report(12, cannot_load=(staged.flow,))
    assert refusal(actor, staged).startswith(
        "API key version 2 cannot be promoted yet. Loaded by 1 of 2 processes. web node-a:12 "
        "cannot load the keys of this flow (last report … s ago): see its log, compare its "
        "SEALGATE_MASTER_KEYS with the others', and restart it. If"
    )
    other = lifecycle.generate_key(actor, make_flow("isu").flow, "pass_key").key
    ProcessReport.objects.update(epoch=KeyringEpoch.objects.get(pk=1).value)
    assert lifecycle.promote_key(actor, other).state == "active"


def test_a_reason_overrides_it_and_stands_in_the_audit_trail(staged: Key, actor: Actor) -> None:
    report(11)
    report(12, behind=1)
    report(13, cannot_load=(staged.flow,))
    promoted = lifecycle.promote_key(actor, staged, override=" node-a is unreachable ")
    assert promoted.state == "active"
    entry = AuditEntry.objects.get(verb="key.promote")
    assert entry.reason == "node-a is unreachable"
    assert entry.after["state"] == "active"
    assert entry.after["not_loaded_by"] == [
        "web node-a:12: has not loaded it yet",
        "web node-a:13: cannot load the keys of this flow",
    ]


def test_blanks_are_no_reason(staged: Key, actor: Actor) -> None:
    report(12, behind=1)
    assert "web node-a:12" in refusal(actor, staged, override="  ")


def test_a_reason_that_was_not_needed_is_not_told(staged: Key, actor: Actor) -> None:
    report(11)
    lifecycle.promote_key(actor, staged, override="just in case")
    entry = AuditEntry.objects.get(verb="key.promote")
    assert entry.reason == ""
    assert "not_loaded_by" not in entry.after


def test_the_active_version_promoted_again_waits_for_nobody(staged: Key, actor: Actor) -> None:
    first = staged.flow.keys.get(purpose="api_key", version=1)
    report(12, behind=1)
    assert lifecycle.promote_key(actor, first).state == "active"


def test_what_becomes_active_at_once_waits_for_nobody(make_flow: Make, actor: Actor) -> None:
    flow = make_flow("isu").flow
    report(12, behind=9)
    first = lifecycle.generate_key(actor, flow, "isu_payload_aes").key
    assert (first.version, first.state) == (1, "active")


def test_waiting_ends_as_soon_as_everybody_has_loaded_it(staged: Key) -> None:
    late = report(12, behind=1)
    looks: list[str] = []

    def look(seen: rollout.Rollout) -> None:
        looks.append(seen.summary)
        if len(looks) == 3:
            epoch = KeyringEpoch.objects.get(pk=1).value
            ProcessReport.objects.filter(pk=late.pk).update(epoch=epoch)

    seen = rollout.wait(staged.flow_id, staged.since_epoch, 60, look)
    assert seen.is_complete
    assert seen.summary == "Loaded by 1 of 1 process"
    assert looks == ["Loaded by 0 of 1 process"] * 3


def test_waiting_ends_when_the_time_is_over(staged: Key) -> None:
    report(11)
    report(12, behind=1)
    seen = rollout.wait(staged.flow_id, staged.since_epoch, 0)
    assert [(str(process.name), stands) for process, stands in seen.missing] == [
        ("web node-a:12", rollout.Standing.BEHIND)
    ]


def test_rows_of_the_dead_are_deleted_in_the_end(db: None) -> None:
    report(11)
    report(12, silent=3500)
    report(13, silent=3700)
    assert tasks.forget_gone_processes() == 1
    pids = ProcessReport.objects.order_by("pid").values_list("pid", flat=True)
    assert list(pids) == [11, 12]
