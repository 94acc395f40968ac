"""The channel ``callback``: the contract's body, signed, to the flow's callback URL.

The body is sealed and signed at each attempt, so its time stamps are fresh; the ``webhook-id`` is
the delivery's and the same at every attempt, so a receiver can recognise a repetition. Each
attempt is a span of its own in the trace that made the delivery due (``traceparent``).
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from callbacks import channels, endpoint_auth, retry_after, signing
from callbacks.channels import Channel, Message, Result
from tenants import trace
from tenants.keyring import keyring

if TYPE_CHECKING:
    from callbacks.models import Delivery
    from callbacks.transport import HttpAnswer
    from tenants.models import Flow

USER_AGENT = "Sealgate-Callbacks/1"
#: Answers that say the receiver as a whole is away or overrun; every 5xx is one of them too.
_AWAY = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})


class CallbackChannel(Channel):
    """Posts what the flow's contract makes of the body."""

    name = channels.CALLBACK

    def is_wanted(self, flow: Flow) -> bool:
        """Return whether the flow has a callback URL."""
        return bool(flow.callback_url)

    def prepare(self, delivery: Delivery, now: float) -> Message | Result:
        """Seal, sign and authenticate.

        A flow that is disabled or has lost its URL goes on along the schedule. Where the contract
        and the endpoint both set a header, the endpoint's stands.
        """
        flow = keyring.by_flow_id(str(delivery.flow_id))
        if flow is None:
            return Result(error="flow_disabled")
        if not flow.callback_url:
            return Result(error="no_callback_url")
        credentials = flow.credentials(now)
        payload = channels.opened_body(delivery)
        sealed = flow.scheme.seal_callback(payload, credentials, flow.options, now=now)
        own = endpoint_auth.headers(delivery.endpoint, credentials)
        taken = {name.lower() for name in own}
        return Message(
            url=flow.callback_url,
            body=sealed.body,
            headers={
                **trace.begin(delivery.traceparent).headers,
                **{
                    name: text for name, text in sealed.headers.items() if name.lower() not in taken
                },
                **own,
                "Content-Type": sealed.content_type,
                "User-Agent": USER_AGENT,
                **signing.headers(credentials, str(delivery.pk), int(now), sealed.body),
            },
            require_tls=not flow.is_sandbox,
            payload=payload,
        )

    def judge(self, delivery: Delivery, answer: HttpAnswer) -> Result:
        """Return success for a 2xx answer with the contract's own acknowledgement, if it has one.

        410 says that the receiver wants nothing more, ever (Standard Webhooks): the endpoint is
        disabled. Redirects are not followed.
        """
        status = answer.status
        if answer.is_success:
            taken = delivery.flow.contract.callback_acknowledged(answer.body)
            return Result(status=status, error="" if taken else "not_acknowledged")
        if status == HTTPStatus.GONE:
            return Result(status=status, error="http_410", is_permanent=True, disables=True)
        is_outage = status in _AWAY or status >= 500
        return Result(
            status=status,
            error=f"http_{status}",
            is_outage=is_outage,
            rest=retry_after.read(answer.headers.get("retry-after")) if is_outage else None,
        )
