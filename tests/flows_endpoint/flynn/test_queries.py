"""How many queries a call takes; a number may fall, never rise without a reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.flows_endpoint.flynn.partner import EINV, EWAY, SECRETS, Partner

pytestmark = pytest.mark.django_db


def queries(call: Callable[[], Any]) -> int:
    """Return the queries of a call, without savepoints and the keyring's look at its epoch."""
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert call().status_code == 200
    ignored = ("SAVEPOINT", "RELEASE", "ROLLBACK", "BEGIN", "COMMIT")
    return sum(
        not query["sql"].upper().startswith(ignored) and "keyringepoch" not in query["sql"]
        for query in captured.captured_queries
    )


def test_calls_take_few(partner: Partner) -> None:
    partner.register("warm/up")
    headers = partner.headers({"data": "x"})
    # Two of each are the exchange log and the use count of the keys.
    assert queries(lambda: partner.send("GET", SECRETS, headers=headers)) == 3
    assert queries(lambda: partner.call(EINV, partner.invoice("B/1"))) == 5
    assert queries(lambda: partner.call(f"{EWAY}/gen-ewb", partner.eway_bill("B/2"))) <= 7
    number = partner.make_eway_bill("B/3")
    path = f"{EWAY}/GetEwayBill?ewbNo={number}"
    assert queries(lambda: partner.call(path, method="GET")) == 5
    assert queries(partner.log_in) == 8
