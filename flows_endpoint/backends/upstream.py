"""The upstream backend: POST the opened JSON to the flow's own service and return its answer.

The body is the exact text the partner sealed. Beside it travel headers that say where it came from,
and two signatures under the flow's ``upstream_signing`` secret, both in the form of the Standard
Webhooks specification (callbacks/signing.py) with the request id as ``webhook-id``:

``webhook-signature``
    signs the body, so any Standard Webhooks library can check it;
``Sealgate-Signature``
    signs everything: its content is the JSON array of seven texts
    ``["sealgate-upstream",client,flow,scheme,operation,details,digest]``, where ``details`` is the
    value of ``Sealgate-Details`` (empty when there is none) and ``digest`` the SHA-256 of the
    body in lower-case hex. None of the texts can hold a quotation mark, a backslash or a control
    character, so the array has one form only: the texts in quotation marks, separated by
    commas, without blanks.

The secret is the company's alone: partners hold the one that signs callbacks, and must not be able
to sign calls. The first member says what the array is for, so that a secret imported from elsewhere
signs nothing by accident. The array binds the details, flow and operation to this body, id and
time: no header can be exchanged.

A request is sent at most once. docs/upstream.md is for those who write the service.
"""

from __future__ import annotations

import hashlib
import re
import time
from typing import Final

from django.conf import settings

from callbacks import signing, transport
from callbacks.errors import Kind, TransportError
from callbacks.transport import TimeLimits
from crypto_schemes import base64_text, json_text
from crypto_schemes.json_text import JSONTextError
from crypto_schemes.scheme import UPSTREAM_SIGNING, write_json
from flows_endpoint.backends.base import Answer, Backend, Call
from flows_endpoint.backends.places import Places
from flows_endpoint.exchange import Reason, Refusal
from tenants import trace
from tenants.serving_threads import seats

USER_AGENT: Final = "Sealgate-Upstream/1"
#: Largest answer taken, in bytes.
MAX_ANSWER: Final = 10 * 1024 * 1024
_PURPOSE: Final = "sealgate-upstream"
_TEXT = re.compile(r"[\x20\x21\x23-\x5b\x5d-\x7e]*")

_REASON_OF: Final = {
    Kind.BAD_URL: Reason.UPSTREAM_DOWN,
    Kind.REFUSED_ADDRESS: Reason.UPSTREAM_DOWN,
    Kind.INSECURE: Reason.UPSTREAM_DOWN,
    Kind.DNS: Reason.UPSTREAM_DOWN,
    Kind.CONNECT: Reason.UPSTREAM_DOWN,
    Kind.TLS: Reason.UPSTREAM_DOWN,
    Kind.TIMEOUT: Reason.UPSTREAM_SLOW,
    # The service may have done the work: its answer is what is missing.
    Kind.PROTOCOL: Reason.UPSTREAM_ANSWER,
    Kind.TOO_LARGE: Reason.UPSTREAM_ANSWER,
}


class UpstreamBackend(Backend):
    """POST the opened JSON to the flow's own service."""

    atomic = False

    def __init__(self) -> None:
        self._places = Places(settings.UPSTREAM_CALLS)

    def handle(self, call: Call) -> Answer:
        """Return the service's answer.

        Raises Refusal: upstream_down (also where too many calls are under way), upstream_slow, or
        upstream_answer for anything but a success with JSON; its ``step`` names what happened,
        never what was said. Raises KeyUnavailableError without a signing secret.
        """
        connect, read = settings.UPSTREAM_CONNECT_SECONDS, settings.UPSTREAM_READ_SECONDS
        headers = request_headers(call, now=time.time())
        try:
            with self._places.taken(call.flow.id), seats.left():
                answer = transport.shared.post(
                    call.flow.upstream_url,
                    call.raw,
                    headers,
                    limits=TimeLimits(connect=connect, read=read, total=connect + read),
                    max_answer=MAX_ANSWER,
                    require_tls=True,
                )
        except TransportError as error:
            raise Refusal(_REASON_OF[error.kind], step=error.kind.value) from None
        if not answer.is_success:
            raise Refusal(Reason.UPSTREAM_ANSWER, step=f"http_{answer.status}")
        try:
            return Answer(json_text.parse(answer.body))
        except JSONTextError:
            raise Refusal(Reason.UPSTREAM_ANSWER, step="not_json") from None


def request_headers(call: Call, *, now: float) -> dict[str, str]:
    """Return the headers of the call to the service, signed at Unix time ``now``.

    Raises KeyUnavailableError, or Refusal (internal) for a text that could not be signed safely.
    """
    flow, timestamp = call.flow, int(now)
    credentials = flow.credentials(now)
    details = written_details(call)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        "X-Request-Id": call.request_id,
        **(span.headers if (span := trace.current()) else {}),
        "Sealgate-Client": flow.client_slug,
        "Sealgate-Flow": flow.id,
        "Sealgate-Scheme": flow.scheme_name,
        "Sealgate-Operation": call.operation,
        **signing.headers(
            credentials, call.request_id, timestamp, call.raw, purpose=UPSTREAM_SIGNING
        ),
        "Sealgate-Signature": signing.signatures(
            credentials,
            call.request_id,
            timestamp,
            signed_context(call, details),
            purpose=UPSTREAM_SIGNING,
        ),
    }
    if details:
        headers["Sealgate-Details"] = details
    return headers


def written_details(call: Call) -> str:
    """Return ``Sealgate-Details``: base64 of compact JSON, empty when there is nothing to say.

    Values that are no JSON are objects for backends in this process, and stay here.
    """
    said = {}
    for name, value in call.details.items():
        try:
            json_text.compact(value)
        except JSONTextError:
            continue
        said[name] = value
    return base64_text.encode(write_json(said, ascii_only=True)) if said else ""


def signed_context(call: Call, details: str) -> bytes:
    """Return the content that ``Sealgate-Signature`` signs. Raises Refusal (internal)."""
    texts = [
        _PURPOSE,
        call.flow.client_slug,
        call.flow.id,
        call.flow.scheme_name,
        call.operation,
        details,
        hashlib.sha256(call.raw).hexdigest(),
    ]
    if not all(_TEXT.fullmatch(text) for text in texts):
        raise Refusal(Reason.INTERNAL, step="upstream:unsignable")
    return write_json(texts)
