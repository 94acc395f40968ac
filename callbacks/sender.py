"""One attempt of one delivery: have its channel prepare it, post it, have its channel judge.

Whatever goes wrong is a :class:`Result` with a short class of failure, never an exception and
never lost.
"""

from __future__ import annotations

import logging
import time
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from callbacks import channels, masking, schedule, transport
from callbacks.attempt import Call
from callbacks.channels import Message, Result
from callbacks.errors import Kind, TransportError
from callbacks.models import Delivery
from callbacks.timings import Timings
from callbacks.transport import TimeLimits
from crypto_schemes.errors import SchemeError, SealError
from tenants.at_rest import AtRestError

logger = logging.getLogger(__name__)

LIMITS = TimeLimits(
    connect=min(5.0, settings.CALLBACK_SECONDS),
    read=settings.CALLBACK_SECONDS,
    total=settings.CALLBACK_SECONDS,
)
#: Largest answer read, in bytes.
MAX_ACKNOWLEDGEMENT = 256 * 1024

#: Failures of an address, or of what this process was told about it.
_SETTINGS = frozenset({Kind.BAD_URL, Kind.REFUSED_ADDRESS, Kind.INSECURE})


def prepare(delivery: Delivery) -> Message | Result:
    """Return the message of ``delivery``, sealed and signed now, or why there is none.

    Reads the database. A flow that is disabled or has lost its URL, a body that cannot be
    read and a key that is missing go on along the schedule: somebody may mend them.
    """
    if delivery.step > schedule.most_attempts(delivery.endpoint.schedule):
        # The last attempt never came back: whoever made it died, as did those before, perhaps.
        return Result(error="worker_lost", is_permanent=True)
    try:
        channel = channels.get(delivery.channel)
    except KeyError:
        return Result(error="unknown_channel")  # of a newer version, or of an app taken out
    try:
        return channel.prepare(delivery, time.time())
    except AtRestError as error:
        logger.error("The body of delivery %s cannot be read: %s", delivery.pk, error.code)  # noqa: TRY400
        return Result(error=f"unreadable:{error.code}")
    except SealError as error:
        return Result(error=error.code, is_permanent=True)
    except SchemeError as error:
        return Result(error=error.code)
    except Exception as error:  # noqa: BLE001 - one bad delivery must not stop the others
        logger.error("Delivery %s: unexpected %s", delivery.pk, type(error).__name__)  # noqa: TRY400
        return Result(error=f"internal:{type(error).__name__}")


def post(delivery: Delivery, message: Message) -> tuple[Result, Call | None]:
    """Send ``message`` and have the channel judge the answer. Touches the network only.

    Nothing is sent where the lease could run out meanwhile, as when this process stood still
    after it had claimed: somebody else may soon be at it.
    """
    started_at = timezone.now()
    until = delivery.leased_until
    if until is not None and (until - started_at).total_seconds() < LIMITS.total:
        return Result(error="worker_late", wait=timedelta(0)), None
    timings, body = Timings(), b""
    try:
        answer = transport.shared.post(
            message.url,
            message.body,
            message.headers,
            limits=LIMITS,
            max_answer=MAX_ACKNOWLEDGEMENT,
            require_tls=message.require_tls,
        )
        timings, body = answer.timings, answer.body
        result = channels.get(delivery.channel).judge(delivery, answer)
    except TransportError as error:
        timings = error.timings
        if error.kind in _SETTINGS:
            logger.warning("Delivery %s was not sent: %s", delivery.pk, error.what)
        result = Result(
            status=error.status,
            error=error.kind.value,
            why=error.what,
            is_permanent=error.permanent,
            is_outage=error.is_outage,
        )
    except Exception as error:  # noqa: BLE001 - one bad delivery must not stop the others
        logger.error("A callback met an unexpected %s", type(error).__name__)  # noqa: TRY400
        result = Result(error=f"internal:{type(error).__name__}")
    return result, Call(started_at, timings, _kept(body, message))


def _kept(answer: bytes, message: Message) -> bytes:
    """Return what is kept of ``answer``: nothing rather than what ought to be masked."""
    try:
        return masking.excerpt(
            answer,
            message.headers,
            message.secrets,
            lambda: (
                masking.Said()
                if message.payload is None
                else masking.said_in(message.body, message.payload)
            ),
        )
    except Exception as error:  # noqa: BLE001 - one bad answer must not stop the others
        logger.error("An answer could not be masked: %s", type(error).__name__)  # noqa: TRY400
        return b""
