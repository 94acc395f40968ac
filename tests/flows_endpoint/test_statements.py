"""How many SQL statements a warm request takes, contract by contract: a ratchet.

A number may fall; one that rises needs a reason, and this file changed. Two figures each: on
PostgreSQL with Redis, and on SQLite alone, where the replay guards are rows too and no two
statements go in one. Beginnings and ends of transactions are not counted.

The exchange log and the use counts of keys are written behind the requests' backs, and a process
looks for changes of flows once a second at most: no request waits for either.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test import Client as HttpClient
from django.test.utils import CaptureQueriesContext

from flows_endpoint.log_writer import LogWriter
from flows_endpoint.models import ExchangeRow
from tenants.lifecycle import IssuedFlow
from tests.flows_endpoint.citcall.partner import Partner as CitCallPartner
from tests.flows_endpoint.flynn.partner import EINV, EWAY, SECRETS
from tests.flows_endpoint.flynn.partner import Partner as FlynnPartner
from tests.flows_endpoint.isu import partner as isu
from tests.flows_endpoint.isu.partner import Partner as IsuPartner
from tests.flows_endpoint.kairos.partner import Partner as KairosPartner
from tests.flows_endpoint.kairos.partner import a_call
from tests.flows_endpoint.whatsapp_flows.platform import Phone

pytestmark = pytest.mark.django_db

Make = Callable[..., IssuedFlow]
Action = Callable[[], Any]
_FRAME: Final = ("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT", "ROLLBACK")
_CALLBACK: Final = "https://partner.example/callback"


def _next_monday() -> str:
    today = datetime.now(UTC).date()
    return (today + timedelta(days=7 - today.weekday())).isoformat()


def whatsapp(make_flow: Make, http: HttpClient) -> dict[str, Action]:
    phone = Phone(http, make_flow("whatsapp_flows", callback_url=_CALLBACK))
    chosen = {"service": "repair", "branch": "north", "date": _next_monday(), "time": "10:00"}
    person = {"name": "Zoë", "email": "zoe@example.org", "note": ""}
    phone.step("DETAILS", chosen | person)
    return {
        "ping": lambda: phone.send({"version": "3.0", "action": "ping"}),
        # The bookings, the mark of what is sealed.
        "init": lambda: phone.step("", {}, action="INIT"),
        # The bookings, remember the reply and mark it.
        "choose": lambda: phone.step("APPOINTMENT", chosen),
        # And: take the step; the appointment, the session; the endpoint, its place, the delivery.
        "book": lambda: phone.step("SUMMARY", {**chosen, **person, "terms": True}),
        # The bookings, remember in vain, read the first reply, mark it.
        "repeat": lambda: phone.step("DETAILS", chosen | person),
        "webhook": lambda: phone.deliver({"entry": [{"changes": [person] * 5}]}),
    }


def kairos(make_flow: Make, http: HttpClient) -> dict[str, Action]:
    partner = KairosPartner(http, make_flow("kairos"))
    answer = partner.sealed(partner.request(a_call("warm-up")))
    ids = [answer["call-details"][0]["phonon-uuid"]]
    return {
        # Claim the text; request, calls and timers.
        "create": lambda: partner.sealed(partner.request(a_call("one"))),
        "create 500": lambda: partner.sealed(
            partner.request(*(a_call(f"order-{number}") for number in range(500)))
        ),
        # The calls, their attempts.
        "pull": lambda: partner.pull(ids),
    }


def isu_products(make_flow: Make, http: HttpClient) -> dict[str, Action]:
    issued = make_flow("isu", callback_url=_CALLBACK)
    partner = IsuPartner(http, issued.flow, issued.credentials)
    partner.ask("electricity_bill", isu.BILL)
    return {
        "bill": lambda: partner.ask("electricity_bill", isu.BILL),
        "payout": lambda: partner.ask("payout", isu.payout()),
        # The payout and the timer that ends it.
        "payout in progress": lambda: partner.ask("payout", isu.payout(amount="100.02")),
        "collection": lambda: partner.ask("dynamic_upi", isu.upi()),
        "status": lambda: partner.ask("status", isu.status()),
    }


def citcall(make_flow: Make, http: HttpClient) -> dict[str, Action]:
    partner = CitCallPartner(make_flow("citcall", callback_url=_CALLBACK), http)
    partner.call({"msisdn": "081200000009", "gateway": 1})
    return {
        # The call before; lock the number, call and timer.
        "call": lambda: partner.call({"msisdn": "081200000001", "gateway": 1}),
        # And: was it served, claim it, the reply, the timer that forgets it.
        "call with an id": lambda: partner.call(
            {"msisdn": "081200000002", "gateway": 1, "clientUniqueId": "A-1"}
        ),
        "the id again": lambda: partner.call(
            {"msisdn": "081200000002", "gateway": 2, "clientUniqueId": "A-1"}
        ),
    }


def flynn(make_flow: Make, http: HttpClient) -> dict[str, Action]:
    partner = FlynnPartner(make_flow("flynn"), http)
    partner.register("warm/up")
    headers = partner.headers({"data": "x"})
    number = partner.make_eway_bill("B/0")
    path = f"{EWAY}/GetEwayBill?ewbNo={number}"
    return {
        # Of all: does the session live?
        "secrets": lambda: partner.send("GET", SECRETS, headers=headers),
        "invoice": lambda: partner.call(EINV, partner.invoice("B/1")),
        "e-way bill": lambda: partner.call(f"{EWAY}/gen-ewb", partner.eway_bill("B/2")),
        "get e-way bill": lambda: partner.call(path, method="GET"),
        "log in": partner.log_in,
    }


STATEMENTS: Final[dict[Callable[..., dict[str, Action]], dict[str, tuple[int, int]]]] = {
    whatsapp: {
        "ping": (0, 0),
        "init": (2, 2),
        "choose": (2, 3),
        "book": (10, 11),
        "repeat": (3, 3),
        "webhook": (1, 1),
    },
    kairos: {"create": (2, 4), "create 500": (2, 4), "pull": (2, 2)},
    isu_products: {
        "bill": (0, 1),
        "payout": (1, 2),
        "payout in progress": (1, 3),
        "collection": (1, 3),
        "status": (1, 2),
    },
    citcall: {"call": (2, 5), "call with an id": (6, 9), "the id again": (1, 2)},
    flynn: {
        "secrets": (1, 1),
        "invoice": (3, 3),
        "e-way bill": (3, 3),
        "get e-way bill": (3, 3),
        "log in": (5, 5),
    },
}


@pytest.fixture(autouse=True)
def held_log(settings: Any, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Take the log's entries away, and have the keyring look for changes once."""
    settings.KEYRING_EPOCH_SECONDS = 60
    settings.EXCHANGE_LOG_BATCHES = True
    taken: list[Any] = []
    writer = LogWriter(taken.extend, lambda _: None, runs_by_itself=False)
    monkeypatch.setattr("flows_endpoint.log_writer.writer", writer)
    monkeypatch.setattr("flows_endpoint.whatsapp_flows.slots._TAKEN_BEFOREHAND", 0)
    return taken


@pytest.mark.parametrize("contract", STATEMENTS, ids=lambda contract: str(contract.__name__))
def test_a_warm_request_takes_no_more(
    contract: Callable[[Make, HttpClient], dict[str, Action]], make_flow: Make, client: HttpClient
) -> None:
    place = 0 if connection.vendor == "postgresql" and django_settings.REDIS_URL else 1
    expected = {name: figures[place] for name, figures in STATEMENTS[contract].items()}
    taken: dict[str, int] = {}
    said: dict[str, list[str]] = {}
    for name, action in contract(make_flow, client).items():
        with CaptureQueriesContext(connection) as queries:
            action()
        said[name] = [q["sql"][:90] for q in queries if not q["sql"].startswith(_FRAME)]
        taken[name] = len(said[name])
    assert taken == expected, said


def test_no_request_writes_the_log_itself(
    make_flow: Make, client: HttpClient, held_log: list[Any]
) -> None:
    actions = whatsapp(make_flow, client)
    actions["ping"]()
    assert not ExchangeRow.objects.exists()
    from flows_endpoint import log_writer  # noqa: PLC0415 - the one of this test

    assert log_writer.writer.flush()
    assert [entry.operation for entry in held_log] == ["data_exchange", "ping"]
    assert all(uuid.UUID(entry_key.id) for entry in held_log for entry_key in entry.keys)
