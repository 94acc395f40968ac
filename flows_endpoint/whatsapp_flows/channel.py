"""The way out of messages to users: the Cloud API, in place of the callback URL.

The engine claims, posts, retries and keeps the messages of one user in order; here stands what a
message is and what each answer means. What was accepted is not sent again: neither when a delivery
is replayed, nor when a status told of it before its answer was recorded.
"""

from __future__ import annotations

import logging
import re
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from django.db import transaction

from callbacks import outbox, retry_after
from callbacks.channels import Channel, Message, Result
from callbacks.models import DeliveryState
from crypto_schemes.scheme import write_json
from flows_endpoint.whatsapp_flows import alerts, message_queue, message_states
from flows_endpoint.whatsapp_flows.cloud import client
from flows_endpoint.whatsapp_flows.cloud.accounts import NotConfiguredError, account_of
from flows_endpoint.whatsapp_flows.cloud.client import CloudApiError
from flows_endpoint.whatsapp_flows.cloud.dispositions import Disposition, pair_wait
from flows_endpoint.whatsapp_flows.models import AlertSource, MessageState, WhatsappMessage
from tenants.key_use import note_use
from tenants.keyring import keyring

if TYPE_CHECKING:
    from callbacks.models import Delivery
    from callbacks.transport import HttpAnswer

logger = logging.getLogger(__name__)

#: States from which a message is (still, or again) to be sent.
_TO_SEND: Final = (MessageState.QUEUED, MessageState.FAILED)
#: How a refusal for the pair limit stands on the delivery, with how many came before it.
_PAIR_LIMIT = re.compile(r"cloud_131056 n=([0-9]{1,3})")


@dataclass(frozen=True, slots=True)
class CloudResult(Result):
    """A result with what only this channel knows."""

    wamid: str = field(default="", repr=False)
    code: int | None = None
    is_refused_login: bool = False


class WhatsappChannel(Channel):
    """Posts messages to the Cloud API."""

    name = message_queue.CHANNEL

    def prepare(self, delivery: Delivery, now: float) -> Message | Result:
        """Return the message as it was queued; what is missing is tried again on the schedule."""
        message = _message_of(delivery)
        if message is None:
            return Result(error="message_gone", is_permanent=True)
        if message.state not in _TO_SEND:
            return Result()
        content = message_queue.opened(message)
        if "message" not in content:
            # It was accepted, failed afterwards, and its content is forgotten.
            return Result(error="message_gone", is_permanent=True)
        flow = keyring.by_flow_id(str(delivery.flow_id))
        if flow is None:
            return Result(error="flow_disabled")
        try:
            account = account_of(flow, now)
        except NotConfiguredError as error:
            return Result(error=error.code)
        with transaction.atomic():
            note_use(account.key_ids)
        return Message(
            url=account.url(client.MESSAGES),
            body=write_json(content["message"]),
            headers={
                **account.headers,
                "Content-Type": "application/json",
                "User-Agent": client.USER_AGENT,
            },
            # The platform repeats whom it is for.
            secrets=(str(content["recipient"]),),
        )

    def judge(self, delivery: Delivery, answer: HttpAnswer) -> Result:
        """Return what the platform's error code says, or the id of the accepted message."""
        try:
            return CloudResult(status=answer.status, wamid=client.accepted_id(answer))
        except CloudApiError as refused:
            return _judged(delivery, answer, refused)

    def settled(self, delivery: Delivery, result: Result) -> None:
        """Write on the message what became of it."""
        said = result if isinstance(result, CloudResult) else CloudResult(error=result.error)
        message_id = _message_id(delivery)
        if message_id is None:
            return
        if result.is_delivered:
            if said.wamid:
                message_states.accepted(message_id, said.wamid)
                _end_stop(delivery)
        elif delivery.state == DeliveryState.PENDING:
            WhatsappMessage.objects.filter(pk=message_id, state=MessageState.QUEUED).update(
                error=result.error[:64], code=said.code
            )
        else:
            message_states.failed(message_id, result.error, said.code, at=datetime.now(UTC))
        if said.is_refused_login:
            _stop(delivery, said)


def _judged(delivery: Delivery, answer: HttpAnswer, refused: CloudApiError) -> Result:
    if refused.disposition is Disposition.PAIR_LIMIT:
        before = _PAIR_LIMIT.fullmatch(delivery.last_error)
        count = int(before[1]) + 1 if before else 0
        return CloudResult(
            status=answer.status,
            error=f"{refused.error} n={count}",
            wait=timedelta(seconds=pair_wait(count)),
            code=refused.code,
        )
    is_outage = refused.disposition is Disposition.BACK_OFF and answer.status >= 500
    may_ask_for_rest = refused.disposition is Disposition.BACK_OFF
    return CloudResult(
        status=answer.status,
        error=refused.error,
        is_permanent=refused.disposition is Disposition.NEVER,
        rest=retry_after.read(answer.headers.get("retry-after")) if may_ask_for_rest else None,
        is_outage=is_outage,
        disables=refused.disposition is Disposition.CREDENTIALS,
        code=refused.code,
        is_refused_login=refused.disposition is Disposition.CREDENTIALS,
    )


def _message_id(delivery: Delivery) -> uuid.UUID | None:
    try:
        return uuid.UUID(delivery.subject)
    except ValueError:
        return None


def _message_of(delivery: Delivery) -> WhatsappMessage | None:
    message_id = _message_id(delivery)
    if message_id is None:
        return None
    return WhatsappMessage.objects.filter(pk=message_id, flow_id=delivery.flow_id).first()


def _stop(delivery: Delivery, said: CloudResult) -> None:
    """Tell people, and once the company, that nothing is sent until the login is mended."""
    is_new = alerts.raise_alert(
        str(delivery.flow_id),
        AlertSource.SEALGATE,
        alerts.CREDENTIALS_REFUSED,
        at=datetime.now(UTC),
        message=client.told(said.error, said.code),
    )
    if is_new:
        logger.error("The Cloud API refuses the access token of flow %s.", delivery.flow_id)
        outbox.enqueue(
            str(delivery.flow_id),
            "whatsapp.credentials_refused",
            {"event": "whatsapp.credentials_refused", "code": said.code},
        )


def _end_stop(delivery: Delivery) -> None:
    alerts.end_alert(
        str(delivery.flow_id),
        AlertSource.SEALGATE,
        alerts.CREDENTIALS_REFUSED,
        at=datetime.now(UTC),
    )
