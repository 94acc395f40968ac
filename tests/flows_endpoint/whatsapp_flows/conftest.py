"""Fixtures of the WhatsApp Flows tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client as HttpClient

from tenants.lifecycle import IssuedFlow
from tests.flows_endpoint.whatsapp_flows import backends
from tests.flows_endpoint.whatsapp_flows.platform import Phone

MakePhone = Callable[..., Phone]


@pytest.fixture
def make_phone(client: HttpClient, make_flow: Callable[..., IssuedFlow]) -> MakePhone:
    """Make a flow and its phone: ``make_phone(options={…}, callback_url=…, backend=…)``."""

    def make(**details: Any) -> Phone:
        return Phone(client, make_flow("whatsapp_flows", **details))

    return make


@pytest.fixture
def phone(make_phone: MakePhone) -> Phone:
    """A phone of a sandbox flow with the default options and a callback URL."""
    return make_phone(callback_url="https://partner.example/callback")


@pytest.fixture(params=[backends.ATOMIC, backends.REMOTE], ids=["atomic", "remote"])
def scripted(request: pytest.FixtureRequest, make_phone: MakePhone) -> Iterator[MakePhone]:
    """Make a flow whose backend answers ``{"screen": "NEXT", "data": {"n": <calls so far>}}``."""
    path: str = request.param

    def make(script: Callable[..., Any] | None = None, **details: Any) -> Phone:
        backends.AtomicBackend.script = staticmethod(
            script or (lambda _: {"screen": "NEXT", "data": {"n": len(calls())}})
        )
        return make_phone(backend="python", backend_class=path, **details)

    backends.AtomicBackend.calls.clear()
    yield make
    backends.AtomicBackend.calls.clear()


@pytest.fixture
def safe(make_phone: MakePhone) -> Iterator[MakePhone]:
    """Make a flow whose backend says that answering changes nothing; it runs the script given."""

    def make(script: Callable[..., Any], **details: Any) -> Phone:
        backends.AtomicBackend.script = staticmethod(script)
        return make_phone(backend="python", backend_class=backends.SAFE, **details)

    backends.AtomicBackend.calls.clear()
    yield make
    backends.AtomicBackend.calls.clear()


def calls() -> list[Any]:
    """Return the calls the scripted backend got."""
    return backends.AtomicBackend.calls
