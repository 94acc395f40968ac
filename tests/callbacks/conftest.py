"""Receivers, certificates and a transport of their own for what goes out."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from callbacks import transport
from callbacks.transport import HttpAnswer, TimeLimits, Transport
from tests.support.certificates import Authority
from tests.support.receiver import Receiver

Post = Callable[..., HttpAnswer]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        yield server


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def outbound(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[Transport]:
    """The process's transport, fresh, trusting the test's authority only."""
    made = Transport(tls=authority.client_context())
    monkeypatch.setattr(transport, "shared", made)
    yield made
    made.forget_connections()


@pytest.fixture
def post(outbound: Transport) -> Post:
    def send(
        url: str, body: bytes = b"{}", *, via: Transport = outbound, **given: float
    ) -> HttpAnswer:
        limits = TimeLimits(**{"connect": 2.0, "read": 2.0, "total": 3.0, **given})
        return via.post(url, body, {"X-Test": "1"}, limits=limits, max_answer=10_000)

    return send
