"""One attempt of one delivery: seal, sign, post, judge.

The body is sealed and signed at each attempt, so its time stamps are fresh; the ``webhook-id`` is
the delivery's and the same at every attempt, so a receiver can recognise a repetition. Whatever
goes wrong is a :class:`Result` with a short class of failure, never an exception and never lost.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from callbacks import schedule, signing, transport
from callbacks.errors import TransportError
from callbacks.models import Delivery
from callbacks.transport import TimeLimits
from crypto_schemes.errors import KeyUnavailableError, SchemeError, SealError
from crypto_schemes.scheme import read_json
from tenants import at_rest
from tenants.at_rest import AtRestError
from tenants.keyring import keyring

logger = logging.getLogger(__name__)

USER_AGENT = "Sealgate-Callbacks/1"
LIMITS = TimeLimits(connect=5, read=15, total=15)
#: Largest acknowledgement read, in bytes.
MAX_ACKNOWLEDGEMENT = 256 * 1024


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one attempt. ``error`` is a class of failure, empty for a success.

    ``is_permanent``: trying again cannot help until somebody changes something.
    """

    status: int | None = None
    error: str = ""
    is_permanent: bool = False

    @property
    def is_delivered(self) -> bool:
        """Return whether the receiver took it."""
        return not self.error


@dataclass(frozen=True, slots=True)
class Message:
    """A delivery sealed, signed and ready to post."""

    url: str = field(repr=False)
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    acknowledged: Callable[[bytes], bool] = field(repr=False)


def prepare(delivery: Delivery) -> Message | Result:
    """Return the message of ``delivery``, sealed and signed now, or why there is none.

    Reads the database. A flow that is disabled or has lost its URL, a body that cannot be
    read and a key that is missing go on along the schedule: somebody may mend them.
    """
    if delivery.step > schedule.MOST_ATTEMPTS:
        # The last attempt never came back: whoever made it died, as did those before, perhaps.
        return Result(error="worker_lost", is_permanent=True)
    try:
        return _message(delivery)
    except AtRestError as error:
        logger.error("The body of delivery %s cannot be read: %s", delivery.pk, error.code)  # noqa: TRY400
        return Result(error=f"unreadable:{error.code}")
    except KeyUnavailableError as error:
        return Result(error=error.code)
    except SealError as error:
        return Result(error=error.code, is_permanent=True)
    except SchemeError as error:
        return Result(error=error.code)
    except Exception as error:  # noqa: BLE001 - one bad delivery must not stop the others
        logger.error("Delivery %s: unexpected %s", delivery.pk, type(error).__name__)  # noqa: TRY400
        return Result(error=f"internal:{type(error).__name__}")


def post(message: Message) -> Result:
    """Send ``message`` and judge the answer. Touches the network only."""
    try:
        answer = transport.shared.post(
            message.url,
            message.body,
            message.headers,
            limits=LIMITS,
            max_answer=MAX_ACKNOWLEDGEMENT,
        )
        if not answer.is_success:
            return Result(status=answer.status, error=f"http_{answer.status}")
        if not message.acknowledged(answer.body):
            return Result(status=answer.status, error="not_acknowledged")
        return Result(status=answer.status)
    except TransportError as error:
        return Result(status=error.status, error=error.kind.value, is_permanent=error.permanent)
    except Exception as error:  # noqa: BLE001 - one bad delivery must not stop the others
        logger.error("A callback met an unexpected %s", type(error).__name__)  # noqa: TRY400
        return Result(error=f"internal:{type(error).__name__}")


def _message(delivery: Delivery) -> Message | Result:
    flow = keyring.by_flow_id(str(delivery.flow_id))
    if flow is None:
        return Result(error="flow_disabled")
    if not flow.callback_url:
        return Result(error="no_callback_url")
    now = time.time()
    credentials, scheme = flow.credentials(now), flow.scheme
    payload = read_json(at_rest.open_sealed(delivery.body, delivery.at_rest_context))
    sealed = scheme.seal_callback(payload, credentials, flow.options, now=now)
    signed = signing.headers(credentials, str(delivery.pk), int(now), sealed.body)
    return Message(
        url=flow.callback_url,
        body=sealed.body,
        headers={
            **sealed.headers,
            "Content-Type": sealed.content_type,
            "User-Agent": USER_AGENT,
            **signed,
        },
        acknowledged=scheme.callback_acknowledged,
    )
