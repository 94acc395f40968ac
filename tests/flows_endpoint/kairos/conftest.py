"""Flows of the Kairos contract and their partners."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client as HttpClient

from tenants.lifecycle import IssuedFlow
from tests.flows_endpoint.kairos.partner import Partner


@pytest.fixture
def make_partner(
    client: HttpClient, make_flow: Callable[..., IssuedFlow]
) -> Callable[..., Partner]:
    """Make a flow and its partner; ``options`` are the flow's, 2048 bits unless they say else."""

    def make(*, options: dict[str, Any] | None = None, **details: Any) -> Partner:
        chosen = {"rsa_bits": 2048, **(options or {})}
        issued = make_flow("kairos", options=chosen, **details)
        return Partner(client, issued, **chosen)

    return make


@pytest.fixture
def partner(make_partner: Callable[..., Partner]) -> Partner:
    """The partner of a sandbox flow that takes callbacks."""
    return make_partner(callback_url="https://partner.example/kairos")
