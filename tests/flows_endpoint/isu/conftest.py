"""The partner every test of the endpoint starts from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from crypto_schemes.isu import IsuOptions
from tests.flows_endpoint.isu.partner import Partner

MakePartner = Callable[..., Partner]


@pytest.fixture
def make_partner(make_flow: Callable[..., Any], client: Client) -> MakePartner:
    """Make a flow and its partner: ``make_partner(options={…}, callback_url=…)``."""

    def make(**details: Any) -> Partner:
        issued = make_flow("isu", **details)
        options = IsuOptions.from_mapping(details.get("options") or {})
        return Partner(client, issued.flow, issued.credentials, options)

    return make


@pytest.fixture
def partner(make_partner: MakePartner) -> Partner:
    return make_partner(callback_url="https://partner.example/upi")
