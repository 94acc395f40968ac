"""More query parameters than Django takes are the contract's own error, not Django's page."""

from __future__ import annotations

import pytest
from django.test import Client as HttpClient

from flows_endpoint.models import ExchangeRow

pytestmark = pytest.mark.django_db


def test_a_flood_of_parameters_is_answered_by_the_contract(client: HttpClient) -> None:
    flood = "&".join(f"p{number}=1" for number in range(1500))
    reply = client.post(f"/v2/asynccall?{flood}", data=b"{}", content_type="application/json")
    assert reply.status_code == 200
    assert set(reply.json()) == {"rc", "info"}
    row = ExchangeRow.objects.get()
    assert (row.outcome, row.reason, row.step) == ("refused", "malformed", "query")
