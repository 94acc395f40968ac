"""A CitCall flow and its partner, over Django's test client."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client as Http

from tenants.lifecycle import IssuedFlow
from tests.flows_endpoint.citcall.partner import Partner


@pytest.fixture
def make_partner(make_flow: Callable[..., IssuedFlow], client: Http) -> Callable[..., Partner]:
    """Make a flow with the given details, and return its partner."""

    def make(**details: Any) -> Partner:
        details.setdefault("address", "partner01")
        return Partner(make_flow("citcall", **details), client)

    return make


@pytest.fixture
def partner(make_partner: Callable[..., Partner]) -> Partner:
    """The partner of a sandbox flow with a callback URL and the default options."""
    return make_partner(callback_url="https://partner.example/citcall")
