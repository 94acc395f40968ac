"""A flow with a service of the company's own behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from callbacks import transport
from callbacks.transport import Transport
from flows_endpoint.backends import Call
from tenants.keyring import keyring
from tenants.lifecycle import IssuedFlow
from tests.support.receiver import Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        yield server


@pytest.fixture(autouse=True)
def _fresh_connections(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    made = Transport()
    monkeypatch.setattr(transport, "shared", made)
    yield
    made.forget_connections()


@pytest.fixture
def issued(make_flow: Callable[..., IssuedFlow], receiver: Receiver) -> IssuedFlow:
    """A CitCall flow in front of the receiver."""
    return make_flow(
        "citcall",
        address="partner01",
        backend="upstream",
        upstream_url=receiver.url + "/sealgate?key=s3cr3t",
    )


@pytest.fixture
def make_call(issued: IssuedFlow) -> Callable[..., Call]:
    """Make an opened request: ``make_call(raw=b"…", details={…}, operation=…)``."""

    def make(**given: Any) -> Call:
        flow = keyring.by_flow_id(str(issued.flow.pk))
        assert flow is not None
        values: dict[str, Any] = {
            "request_id": "req-12345678",
            "flow": flow,
            "operation": "asynccall",
            "payload": None,
            "raw": b'{"n": 1}',
            "received_at": 1_700_000_000.0,
        }
        return Call(**{**values, **given})

    return make
