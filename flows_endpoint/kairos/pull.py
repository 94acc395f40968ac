"""Kairos: ask how calls went."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Final

from crypto_schemes.envelope import OpenedRequest
from crypto_schemes.json_text import JSONValue
from flows_endpoint.backends.base import Call
from flows_endpoint.exchange import Exchange
from flows_endpoint.kairos.calls import refuse
from flows_endpoint.kairos.errors import Code
from flows_endpoint.kairos.protocol import KairosProtocol
from tenants.keyring import FlowSnapshot

#: Ids in one request.
MOST_IDS: Final = 200


class PullCalls(KairosProtocol):
    """The address that tells the status of calls."""

    def call(self, exchange: Exchange, flow: FlowSnapshot, opened: OpenedRequest) -> Call:
        """Return what the backend sees, ``details`` being ``ids`` (UUIDs) and ``last_only``.

        Raises Refusal: 302 without ids, 303 above 200, 210 for anything of another type.
        """
        payload = opened.payload
        ids = _read_ids(payload.get("phonon-uuids"))
        attempts = payload.get("fetch-attempt")
        if attempts not in ("ALL", "LAST"):
            raise refuse(Code.INVALID_MANDATORY_PARAMETERS, "fetch-attempt")
        call = super().call(exchange, flow, opened)
        return replace(call, details={"ids": ids, "last_only": attempts == "LAST"})


def _read_ids(texts: JSONValue) -> tuple[uuid.UUID, ...]:
    """Return the ids in order, each once; what is no UUID names no call and is left out."""
    if texts is None or texts == []:
        raise refuse(Code.EMPTY_CALL_LIST)
    if not isinstance(texts, list):
        raise refuse(Code.INVALID_MANDATORY_PARAMETERS, "phonon-uuids")
    if len(texts) > MOST_IDS:
        raise refuse(Code.MAX_DATA_LIST_SIZE_EXCEEDED)
    ids: dict[uuid.UUID, None] = {}
    for text in texts:
        if not isinstance(text, str):
            raise refuse(Code.INVALID_MANDATORY_PARAMETERS, "phonon-uuids")
        try:
            ids[uuid.UUID(text)] = None
        except ValueError:
            continue
    return tuple(ids)
