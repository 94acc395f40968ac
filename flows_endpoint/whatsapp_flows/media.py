"""Pictures and documents a user attached: found in a request, fetched, checked and decrypted.

A file lies encrypted on the platform's CDN; its keys are inside the opened request. It is fetched
only when somebody wants it: a phone waits ten seconds for the next screen, and thirty files of
25 MiB take longer.

- A backend in Python asks :func:`files` for what is attached and :func:`download` for the content.
- An upstream service gets, with the option ``fetch_media``, an address here for each file and one
  ticket for all of them, both good for an hour, in ``Sealgate-Details`` (:func:`offer`). The
  ticket travels in a header, never in an address.

What is downloaded passes through and is not kept.

Source: Meta, "WhatsApp Flows: media upload components" (endpoint handling).
"""

from __future__ import annotations

import logging
import secrets
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.urls import reverse

from callbacks import transport
from callbacks.errors import TransportError
from callbacks.transport import TimeLimits
from crypto_schemes.ciphers import mac
from crypto_schemes.errors import EnvelopeError, OpenError
from crypto_schemes.json_text import JSONValue
from crypto_schemes.scheme import read_json, write_json
from crypto_schemes.whatsapp_flows.media import (
    MAX_FILE,
    MAX_FILES,
    Attachment,
    open_media,
    read_attachments,
)
from flows_endpoint.whatsapp_flows.models import MediaFile
from tenants import at_rest, digests

logger = logging.getLogger(__name__)

USER_AGENT: Final = "Sealgate-Media/1"
LIMITS: Final = TimeLimits(connect=5, read=10, total=60)
#: Bytes of a file on the CDN: its plaintext, at most one block of padding, and the tail.
MAX_DOWNLOAD: Final = MAX_FILE + 16 + 10
#: How long a file is offered; its address at the CDN lives about as long.
OFFERED: Final = timedelta(hours=1)
#: Lists of a request that are looked into.
_DEEPEST: Final = 8


class MediaError(Exception):
    """A file cannot be had. ``code`` is a class of failure; nothing of the file is quoted."""

    def __init__(self, code: str) -> None:
        super().__init__(f"The attached file cannot be had ({code}).")
        self.code = code


@dataclass(frozen=True, slots=True)
class FoundFile:
    """One attached file; ``at`` says where in ``data``, such as ``photos[0]``."""

    at: str
    attachment: Attachment


def files(payload: JSONValue) -> tuple[FoundFile, ...]:
    """Return the files attached to an opened request, at most thirty.

    Lists that look like files and are none are left out, and logged by their place.
    """
    data = payload.get("data") if isinstance(payload, dict) else None
    found: list[FoundFile] = []
    for at, value in _media_lists(data, "", _DEEPEST):
        try:
            attached = read_attachments(value)
        except EnvelopeError as error:
            logger.warning("A list of attached files is not of the contract's form: %s", error.what)
            continue
        found += [FoundFile(f"{at}[{number}]", one) for number, one in enumerate(attached)]
    return tuple(found[:MAX_FILES])


def download(attachment: Attachment) -> bytes:
    """Return the content of a file, fetched over the guarded transport, every check passed.

    Raises MediaError: what the transport says, ``http_404`` and the like, or what did not fit
    (``media_hash``, ``media_mac``…).
    """
    try:
        answer = transport.shared.get(
            attachment.cdn_url,
            {"User-Agent": USER_AGENT},
            limits=LIMITS,
            max_answer=MAX_DOWNLOAD,
        )
    except TransportError as error:
        raise MediaError(error.kind.value) from None
    if not answer.is_success:
        raise MediaError(f"http_{answer.status}")
    try:
        return open_media(answer.body, attachment.keys)
    except OpenError as error:
        raise MediaError(error.code) from None


def offer(
    flow_id: str, payload: JSONValue, request_id: str, now: datetime
) -> dict[str, JSONValue] | None:
    """Return what the service is told about the files of a request, or None without any.

    Writes a row for each, in one statement.
    """
    found = files(payload)
    if not found:
        return None
    ticket = secrets.token_urlsafe(32)
    rows = []
    for one in found:
        row = MediaFile(
            id=uuid.uuid4(),
            flow_id=flow_id,
            ticket_digest=_digest(ticket),
            request_id=request_id,
            expires_at=now + OFFERED,
        )
        row.body = at_rest.seal(write_json(_as_json(one.attachment)), row.at_rest_context)
        rows.append(row)
    MediaFile.objects.bulk_create(rows)
    return {
        "ticket": ticket,
        "files": [
            {"at": one.at, "url": url_of(row.pk)} for one, row in zip(found, rows, strict=True)
        ],
    }


def url_of(file_id: uuid.UUID) -> str:
    """Return the address at which a file is offered. It is no secret."""
    return f"{settings.PUBLIC_URL}{reverse('whatsapp-media', args=[file_id])}"


def offered(file_id: uuid.UUID, ticket: str, now: datetime) -> MediaFile | None:
    """Return the file that ``ticket`` opens at ``now``, or None."""
    row = MediaFile.objects.filter(
        pk=file_id,
        expires_at__gt=now,
        flow__is_enabled=True,
        flow__client__is_enabled=True,
    ).first()
    if row is None or not mac.equal(row.ticket_digest, _digest(ticket)):
        return None
    return row


def attachment_of(row: MediaFile) -> Attachment:
    """Return what is sealed in a row. Raises AtRestError."""
    said = read_json(at_rest.open_sealed(row.body, row.at_rest_context))
    return read_attachments([said])[0]


def _digest(ticket: str) -> str:
    return digests.lookup_digest("whatsapp_flows", "media_ticket", ticket)


def _as_json(attachment: Attachment) -> dict[str, Any]:
    return {
        "media_id": attachment.media_id,
        "cdn_url": attachment.cdn_url,
        "file_name": attachment.file_name,
        "encryption_metadata": attachment.keys.as_json(),
    }


def _media_lists(value: JSONValue, at: str, deep: int) -> Iterator[tuple[str, JSONValue]]:
    """Yield each list of files in ``value``, with where it stands."""
    if deep == 0:
        return
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _media_lists(inner, f"{at}.{name}" if at else name, deep - 1)
    elif isinstance(value, list) and value:
        if all(
            isinstance(one, dict) and {"cdn_url", "encryption_metadata"} <= one.keys()
            for one in value
        ):
            yield at, value
        else:
            for number, inner in enumerate(value):
                yield from _media_lists(inner, f"{at}[{number}]", deep - 1)
