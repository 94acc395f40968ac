"""The sandbox: a complete appointment form, as a business would serve it.

APPOINTMENT (service, branch, date and time, each depending on the one before) → DETAILS (who)
→ SUMMARY (terms) → SUCCESS. The form keeps nothing between steps: what the user chose travels
with the screens and is checked anew each time, so a phone may go back or start again at will.
``appointment.json`` is the Flow JSON to publish for it.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from django.db import IntegrityError, transaction

from crypto_schemes.json_text import JSONValue
from crypto_schemes.scheme import write_json
from crypto_schemes.whatsapp_flows.flow_json import FlowJSON
from crypto_schemes.whatsapp_flows.payload import (
    BACK,
    DATA_EXCHANGE,
    INIT,
    SUCCESS,
    FlowRequest,
    read_request,
)
from flows_endpoint.backends import Answer, Backend, Call
from flows_endpoint.exchange import Reason, Refusal
from flows_endpoint.whatsapp_flows.errors import INVALID_TOKEN
from flows_endpoint.whatsapp_flows.models import Appointment
from flows_endpoint.whatsapp_flows.slots import (
    BRANCHES,
    SERVICES,
    Selection,
    appointment_data,
    look_up,
    read_selection,
    slot_digest,
)
from flows_endpoint.whatsapp_flows.steps import SHARED_TOKENS
from tenants import at_rest, digests

#: The Flow JSON of the sandbox's form.
FLOW_JSON: Final = FlowJSON.parse(
    (Path(__file__).parent / "appointment.json").read_text(encoding="utf-8")
)
#: Flow tokens that begin so are expired from the start, to try out status 427.
EXPIRED_PREFIX: Final = "expired-"

_EMAIL = re.compile(r"[^@\s]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}")
#: What must be chosen before each question of the form, and what the user reads otherwise.
_QUESTIONS: Final[Mapping[str, str]] = {
    "service": "Please choose a service.",
    "branch": "Please choose a branch that offers the service.",
    "date": "Please choose a day from the list.",
    "time": "Please choose a free time.",
}
#: The screen whose step writes something.
_BOOKS: Final = "SUMMARY"
_JUST_TAKEN: Final = "This time has just been taken. Please go back and choose another."


class AppointmentSandbox(Backend):
    """Answers each step of the appointment form."""

    def is_safe(self, operation: str, payload: JSONValue) -> bool:
        """Return whether it is not the step that books."""
        books: bool = payload["action"] == DATA_EXCHANGE and payload.get("screen") == _BOOKS
        return not books

    def handle(self, call: Call) -> Answer:
        """Return the next screen. Raises Refusal with code 427 for a used or expired token."""
        request = read_request(call.payload)
        today = datetime.fromtimestamp(call.received_at, UTC).date()
        token_digest = _token_digest(call.flow.id, request.flow_token)
        form = _Form(call.flow.id, request, today, token_digest)
        if request.action == INIT:
            return form.appointment(Selection())
        if request.action == BACK:
            return form.back()
        steps = {"APPOINTMENT": form.choose, "DETAILS": form.details, _BOOKS: form.book}
        step = steps.get(request.screen)
        if step is None:
            return form.appointment(Selection(), "Please start again.")
        return step()


def _token_digest(flow_id: str, token: str | None) -> str:
    """Return the digest of ``token``, empty for one that all users share.

    Raises Refusal for one that is expired.
    """
    if token is None or token in SHARED_TOKENS:
        return ""
    if token.startswith(EXPIRED_PREFIX):
        raise _no_longer_valid("This form has expired. Please ask for a new one.")
    return digests.lookup_digest("whatsapp_flows", "flow_token", f"{flow_id}|{token}")


def _completed() -> Refusal:
    return _no_longer_valid("This form has already been completed.")


def _no_longer_valid(message: str) -> Refusal:
    return Refusal(Reason.BUSINESS, INVALID_TOKEN, extra=message)


class _Form:
    """One step of one user. Raises Refusal for a token under which something was booked."""

    def __init__(self, flow_id: str, request: FlowRequest, today: date, token_digest: str) -> None:
        self._flow_id = flow_id
        self._data = request.data
        self._screen = request.screen
        self._token = request.flow_token
        self._token_digest = token_digest
        self._today = today
        self._selection = read_selection(request.data, today)
        chosen = Selection() if request.action == INIT else self._selection
        bookings = look_up(flow_id, chosen, token_digest)
        if bookings.has_token:
            raise _completed()
        self._free = bookings.free

    def appointment(self, selection: Selection, error: str = "") -> Answer:
        data = appointment_data(selection, self._today, self._free)
        return _screen("APPOINTMENT", data, error)

    def choose(self) -> Answer:
        """Fill the drop-downs that depend on the one just used, or go on when all are."""
        trigger = self._data.get("trigger")
        asked = list(_QUESTIONS)
        if trigger is not None:
            # A changed answer puts everything after it back to be chosen.
            if trigger not in ("service", "branch", "date"):
                return self.appointment(self._selection, "Please choose again.")
            asked = asked[: asked.index(trigger) + 1]
        chosen = {name: value for name, value in self._selection.as_data().items() if name in asked}
        selection = Selection(**chosen)
        for name in asked:
            if not chosen[name]:
                return self.appointment(selection, _QUESTIONS[name])
        if trigger is not None:
            return self.appointment(selection)
        if not self._is_free(selection):
            return self.appointment(selection, _QUESTIONS["time"])
        return _screen("DETAILS", _details_data(selection))

    def details(self) -> Answer:
        """Take the user's name and address, or say what is wrong with them."""
        if not self._selection.is_complete:
            return _screen("DETAILS", {}, "Please go back and choose a time.")
        person, error = _read_person(self._data)
        if error:
            return _screen("DETAILS", {}, error)
        return _screen("SUMMARY", _summary_data(self._selection, person))

    def book(self) -> Answer:
        """Book, once per slot and once per token."""
        person, error = _read_person(self._data)
        if error or not self._selection.is_complete:
            return _screen("SUMMARY", {}, "Please go back and fill in the form again.")
        if self._data.get("terms") is not True:
            return _screen("SUMMARY", {}, "Please accept the terms.")
        if not self._is_free(self._selection):
            return _screen("SUMMARY", {}, _JUST_TAKEN)
        row = self._insert(person)
        if row is None:
            if self._token_digest and (
                Appointment.objects.filter(token_digest=self._token_digest).exists()
            ):
                raise _completed()
            return _screen("SUMMARY", {}, _JUST_TAKEN)
        return self._success(row)

    def back(self) -> Answer:
        """Return the screen before the one the user leaves."""
        if self._screen == "SUMMARY":
            return _screen("DETAILS", _details_data(self._selection))
        return self.appointment(Selection(**self._selection.as_data() | {"time": ""}))

    def _is_free(self, selection: Selection) -> bool:
        return selection.time in self._free

    def _insert(self, person: Mapping[str, str]) -> Appointment | None:
        """Return the new row, or None where slot or token were taken in the meantime."""
        chosen = self._selection
        row = Appointment(
            id=uuid.uuid4(),
            flow_id=self._flow_id,
            slot_digest=slot_digest(self._flow_id, chosen.branch, chosen.date, chosen.time),
            token_digest=self._token_digest,
        )
        row.body = at_rest.seal(write_json(chosen.as_data() | dict(person)), row.at_rest_context)
        try:
            with transaction.atomic():
                row.save(force_insert=True)
        except IntegrityError:
            return None
        return row

    def _success(self, row: Appointment) -> Answer:
        chosen = self._selection
        params: dict[str, Any] = {
            "appointment_id": str(row.id),
            "service": SERVICES[chosen.service][0],
            "branch": BRANCHES[chosen.branch],
            "date": chosen.date,
            "time": chosen.time,
        }
        if self._token is not None:
            params = {"flow_token": self._token, **params}
        return _screen(SUCCESS, {"extension_message_response": {"params": params}})


def _screen(name: str, data: Mapping[str, Any], error: str = "") -> Answer:
    return Answer(
        {"screen": name, "data": {**data, "error_message": error} if error else dict(data)}
    )


def _details_data(selection: Selection) -> dict[str, str]:
    return {"heading": selection.heading, **selection.as_data()}


def _summary_data(selection: Selection, person: Mapping[str, str]) -> dict[str, str]:
    contact = f"{person['name']}, {person['email']}"
    return {"heading": selection.heading, "contact": contact, **selection.as_data(), **person}


def _read_person(data: Mapping[str, Any]) -> tuple[dict[str, str], str]:
    """Return name, email and note, and what is wrong with them (empty: nothing)."""
    name, email = _text(data, "name", 80), _text(data, "email", 254)
    note = _text(data, "note", 500) if data.get("note") else ""
    person = {"name": name or "", "email": email or "", "note": note or ""}
    if not name:
        return person, "Please write your name, at most 80 characters."
    if not email or not _EMAIL.fullmatch(email):
        return person, "Please write a valid e-mail address."
    if note is None:
        return person, "Please keep the note below 500 characters."
    return person, ""


def _text(data: Mapping[str, Any], name: str, longest: int) -> str | None:
    """Return the trimmed text; None where it is missing, too long or not printable."""
    value = data.get(name)
    if not isinstance(value, str):
        return None
    value = value.strip()
    lines = value.splitlines() if name == "note" else [value]
    if len(value) > longest or not all(line.isprintable() for line in lines):
        return None
    return value
