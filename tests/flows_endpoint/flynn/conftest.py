"""A Flynn flow and its partner, over Django's test client."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from django.test import Client as Http

from tenants.lifecycle import IssuedFlow
from tests.flows_endpoint.flynn.partner import Clock, Partner


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that the test moves."""
    moved = Clock(time.time)
    monkeypatch.setattr(time, "time", moved)
    return moved


@pytest.fixture
def make_partner(make_flow: Callable[..., IssuedFlow], client: Http) -> Callable[..., Partner]:
    """Make a flow with the given details, and return its partner."""
    return lambda **details: Partner(make_flow("flynn", **details), client)


@pytest.fixture
def partner(make_partner: Callable[..., Partner]) -> Partner:
    """The partner of a sandbox flow with the default options."""
    return make_partner()
