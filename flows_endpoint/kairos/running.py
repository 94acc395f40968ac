"""The life of a sandbox call: it starts at its time, rings, ends, and is reported.

Each step is a timer; its work and the timer's end are one transaction, so a worker that dies
leaves the call where it was. Handlers look at the status first, so doing one twice changes
nothing.
"""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import Final

from django.conf import settings
from django.utils import timezone

from callbacks import outbox
from crypto_schemes.kairos import KairosOptions
from flows_endpoint import timers
from flows_endpoint.kairos import story
from flows_endpoint.kairos.calls import digits
from flows_endpoint.kairos.models import CallAttempt, FlowStatus, OutboundCall
from flows_endpoint.models import Timer
from tenants.keyring import FlowSnapshot, keyring

START: Final = "kairos.start_call"
END: Final = "kairos.end_attempt"
#: What the callback is called in the outbox.
EVENT: Final = "call.ended"

#: How many numbers of a call are tried.
_MOST_ATTEMPTS: Final = 5
#: Simulated seconds between two attempts.
_PAUSE: Final = 30.0


@timers.handler(START)
def start_call(timer: Timer) -> None:
    """Dial the next number of the call that ``timer`` is about, or end it unplaced."""
    call = _locked(timer, FlowStatus.SCHEDULED, FlowStatus.REATTEMPT_SCHEDULED)
    if call is None:
        return
    flow = keyring.by_flow_id(str(call.flow_id))
    if flow is None:  # switched off since
        _finish(call, FlowStatus.FAILURE)
        return
    details = call.details()
    start_at = datetime.fromisoformat(details["start-time"])
    if start_at.date() < call.request.accepted_at.astimezone(start_at.tzinfo).date():
        _finish(call, FlowStatus.INVALID_CALL_START_TIME)
        return
    numbers, obstacle = _numbers_to_dial(call, details["contact-numbers"], flow.options)
    attempt = call.attempts.count() + 1
    if attempt > len(numbers):
        _finish(call, obstacle)
        return
    number, identifier = numbers[attempt - 1], details["client-identifier"]
    ending = story.ending_of(settings.SANDBOX_SEED, identifier, digits(number), attempt)
    row = CallAttempt(call=call, number=attempt, started_at=timezone.now())
    _dial(flow, row, number, ending, start_at.tzinfo)


@timers.handler(END)
def end_attempt(timer: Timer) -> None:
    """End the attempt under way; try the next number where there is one, else report."""
    call = _locked(timer, FlowStatus.IN_PROGRESS)
    if call is None:
        return
    flow = keyring.by_flow_id(str(call.flow_id))
    attempt = call.attempts.filter(ended_at=None).get()
    outcome = attempt.details()
    attempt.ended_at = timezone.now()
    attempt.save(update_fields=["ended_at"])
    numbers: list[str] = []
    if flow is not None and outcome["is_worth_another"]:
        numbers, _ = _numbers_to_dial(call, call.details()["contact-numbers"], flow.options)
    if attempt.number < len(numbers):
        call.status = FlowStatus.REATTEMPT_SCHEDULED
        call.save(update_fields=["status"])
        again_at = attempt.ended_at + timers.sandbox_delay(_PAUSE)
        timers.schedule(str(call.flow_id), START, str(call.pk), again_at)
    else:
        _finish(call, FlowStatus(outcome["leads_to"]))


def report(call: OutboundCall, *, last_only: bool = False) -> list[dict[str, object]]:
    """Return the ``callDetails`` of the attempts that ended, in order, or of the last alone."""
    ended = [attempt for attempt in call.attempts.all() if attempt.ended_at is not None]
    ended.sort(key=lambda attempt: attempt.number)
    return [attempt.details()["call_details"] for attempt in (ended[-1:] if last_only else ended)]


def _locked(timer: Timer, *states: FlowStatus) -> OutboundCall | None:
    return (
        OutboundCall.objects.select_for_update(of=("self",))
        .select_related("request")
        .filter(pk=timer.subject, status__in=states)
        .first()
    )


def _numbers_to_dial(
    call: OutboundCall, numbers: list[str], options: KairosOptions
) -> tuple[list[str], FlowStatus]:
    """Return the numbers to try and the status of a call that runs out of them.

    The flow's options are those of now: a number taken off a list since is not dialled.
    """
    if call.request.is_test:
        allowed = {digits(number) for number in options.test_phone_numbers}
        numbers = [number for number in numbers if digits(number) in allowed]
        if not numbers:
            return [], FlowStatus.PHONE_NOT_WHITELISTED
    if not options.international_calls:
        numbers = [n for n in numbers if digits(n).startswith(options.country_code)]
        if not numbers:
            return [], FlowStatus.INTERNATIONAL_CALLS_DISABLED
    in_service = [number for number in numbers if story.is_in_service(number)]
    return in_service[:_MOST_ATTEMPTS], FlowStatus.INVALID_CONTACT_NUMBER


def _dial(
    flow: FlowSnapshot,
    attempt: CallAttempt,
    number: str,
    ending: story.Ending,
    zone: tzinfo | None,
) -> None:
    """Put ``number`` on the line; how it ends is settled now and told when it has ended.

    ``zone`` is the partner's, for the report alone: not every offset can be stored.
    """
    did = story.did_of(settings.SANDBOX_SEED, flow.identity["flow_id"], flow.options.country_code)
    call = attempt.call
    told = attempt.started_at.astimezone(zone)
    attempt.seal(
        {
            "leads_to": ending.leads_to.value,
            "is_worth_another": ending.is_worth_another,
            "call_details": story.call_details(attempt.pk, number, did, told, ending),
        }
    )
    attempt.save(force_insert=True)
    call.status = FlowStatus.IN_PROGRESS
    call.save(update_fields=["status"])
    ends_at = attempt.started_at + timers.sandbox_delay(ending.seconds)
    timers.schedule(flow.id, END, str(call.pk), ends_at)


def _finish(call: OutboundCall, status: FlowStatus) -> None:
    """End the call and put its report into the outbox, in the transaction of the timer.

    A call that was never placed is reported too, with no ``callDetails`` in the list: its
    status stands in the answer to a pull.
    """
    call.status, call.ended_at = status, timezone.now()
    call.save(update_fields=["status", "ended_at"])
    body = {"phonon-uuid": str(call.pk), "callDetails": report(call)}
    outbox.enqueue(str(call.flow_id), EVENT, {"body": body}, subject=str(call.pk))
