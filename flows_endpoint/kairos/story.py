"""How a simulated call goes. Pure: the same seed, call and number tell the same story.

Some numbers always end the same way, so that a partner can test each case (the last four
digits): 0016 answers, 0017 is busy, 0018 rings out, 0099 is cancelled, 0001 is not in service.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from crypto_schemes.ciphers import mac
from flows_endpoint.kairos.models import FlowStatus

CONNECTED: Final = 16
BUSY: Final = 17
RING_TIMEOUT: Final = 18
CANCELLED: Final = -1

_ALWAYS: Final = {"0016": CONNECTED, "0017": BUSY, "0018": RING_TIMEOUT, "0099": CANCELLED}
_NOT_IN_SERVICE: Final = "0001"
#: Out of 256, for all other numbers: answered, busy, rang out; the rest is cancelled.
_OF_256: Final = ((180, CONNECTED), (212, BUSY), (246, RING_TIMEOUT))
#: Seconds a phone rings before the network gives up.
_RINGS_OUT: Final = 30.0
#: Below so many seconds of talk the caller's script cannot have finished.
_EARLY: Final = 10.0


@dataclass(frozen=True, slots=True)
class Ending:
    """What becomes of one dialling; times in seconds, 0 ringing where the line was busy."""

    hangup_cause: int
    ringing: float
    talking: float
    remote_hangup: bool
    pressed: tuple[str, ...]

    @property
    def leads_to(self) -> FlowStatus:
        """Return the status of the call should there be no further attempt."""
        if self.hangup_cause == CONNECTED:
            early = self.talking < _EARLY
            return FlowStatus.PARTIAL_COMPLETE if early else FlowStatus.COMPLETED
        return FlowStatus.REJECTED if self.hangup_cause == CANCELLED else FlowStatus.FAILURE

    @property
    def is_worth_another(self) -> bool:
        """Return whether the next number should be tried."""
        return self.hangup_cause in (BUSY, RING_TIMEOUT)

    @property
    def seconds(self) -> float:
        """Return how long it takes from dialling to the end."""
        return 1.0 + self.ringing + self.talking


def is_in_service(number: str) -> bool:
    """Return whether the network knows ``number``."""
    return not number.endswith(_NOT_IN_SERVICE)


def ending_of(seed: str, identifier: str, number: str, attempt: int) -> Ending:
    """Return how attempt ``attempt`` to reach ``number`` for ``identifier`` ends."""
    dice = _dice(seed, identifier, number, str(attempt))
    cause = _ALWAYS.get(number[-4:])
    if cause is None:
        cause = next((cause for below, cause in _OF_256 if dice[0] < below), CANCELLED)
    if cause == BUSY:
        return Ending(cause, 0.0, 0.0, remote_hangup=True, pressed=())
    if cause == RING_TIMEOUT:
        return Ending(cause, _RINGS_OUT, 0.0, remote_hangup=False, pressed=())
    ringing = 2.0 + dice[1] % 16
    if cause == CANCELLED:
        return Ending(cause, ringing, 0.0, remote_hangup=False, pressed=())
    is_early = dice[2] < 26
    talking = 2.0 + dice[3] % 7 if is_early else 12.0 + dice[3] % 90 + dice[4] / 256
    pressed = () if is_early or dice[5] < 96 else (str(1 + dice[6] % 3),)
    return Ending(cause, ringing, talking, remote_hangup=is_early or dice[7] < 160, pressed=pressed)


def did_of(seed: str, flow_id: str, country_code: str) -> str:
    """Return the number that calls of a flow seem to come from."""
    number = int.from_bytes(_dice(seed, "did", flow_id)[:4], "big") % 10**6
    return f"{country_code}1140{number:06}"


def call_details(
    cdr: uuid.UUID, number: str, did: str, started: datetime, ending: Ending
) -> dict[str, Any]:
    """Return the element of ``callDetails``; members without data are left out.

    Times are ISO 8601 with milliseconds in the offset of ``started``; ``duration`` is the
    time connected, in milliseconds, as text.
    """
    ringing_from = started + timedelta(seconds=1)
    connected = ringing_from + timedelta(seconds=ending.ringing)
    ended = started + timedelta(seconds=ending.seconds)
    details: dict[str, Any] = {"cdrId": f"{cdr}##pbx-1", "startTime": _text(started)}
    if ending.talking:
        details["connectTime"] = _text(connected)
    details["endTime"] = _text(ended)
    details["calleeNumber"] = number
    details["didNumber"] = did
    details["hangupCause"] = str(ending.hangup_cause)
    details["duration"] = str(round(ending.talking * 1000))
    if ending.pressed:
        details["dtmfPressesd"] = list(ending.pressed)
    details["incoming"] = False
    details["calleeType"] = "VISITOR"
    details["remoteHangup"] = ending.remote_hangup
    details["is_ringing"] = "true" if ending.ringing else "false"
    if ending.ringing:
        details["ringingStartTime"] = _text(ringing_from)
    details["foreignCallIds"] = []
    return details


def _dice(seed: str, *parts: str) -> bytes:
    key = hashlib.sha256(f"kairos|{seed}".encode()).digest()
    return mac.sha256(key, "\x1f".join(parts).encode())


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")
