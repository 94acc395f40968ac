"""A Flynn flow and its partner, over Django's test client."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from django.test import Client as Http

from crypto_schemes.ciphers import rsa
from tenants.lifecycle import IssuedFlow
from tests.flows_endpoint.flynn.partner import Clock, Partner
from tests.support.test_keys import committed_rsa_key

_generate = rsa.generate


@cache
def _key(bits: int, number: int) -> RSAPrivateKey:
    """Return the n-th key a test gets; generating each anew would cost more than the tests."""
    return committed_rsa_key(bits) if number == 0 else _generate(bits)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that the test moves."""
    moved = Clock(time.time)
    monkeypatch.setattr(time, "time", moved)
    return moved


@pytest.fixture
def make_partner(
    make_flow: Callable[..., IssuedFlow], client: Http, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Partner]:
    """Make a flow with the given details, and return its partner."""
    made: list[int] = []

    def generate(bits: int) -> RSAPrivateKey:
        made.append(bits)
        return _key(bits, made.count(bits) - 1)

    monkeypatch.setattr(rsa, "generate", generate)
    return lambda **details: Partner(make_flow("flynn", **details), client)


@pytest.fixture
def partner(make_partner: Callable[..., Partner]) -> Partner:
    """The partner of a sandbox flow with the default options."""
    return make_partner()
