"""What a process killed while an upstream worked had claimed is given back by time."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest

from flows_endpoint.backends.base import Answer, Backend, Call
from flows_endpoint.guards.replay import LEASE
from flows_endpoint.models import ReplayMark
from tests.flows_endpoint.kairos.partner import SEALED, Partner, a_call

pytestmark = pytest.mark.django_db
Make = Callable[..., Partner]

expiries_seen: list[float] = []


class Killed(BaseException):
    """What no code of ours catches, as a SIGKILL."""


class Slow(Backend):
    """Waits for a network, so it runs outside a transaction; looks at the claim meanwhile."""

    atomic = False

    def handle(self, call: Call) -> Answer:
        expiries_seen.append(ReplayMark.objects.get().expires_at)
        return Answer({"api-response-code": 200, "api-response-message": "Success"})


@pytest.fixture
def partner(make_partner: Make) -> Partner:
    expiries_seen.clear()
    return make_partner(backend="python", backend_class=f"{__name__}.{Slow.__name__}")


def _code(partner: Partner, raw: bytes) -> int:
    code: int = json.loads(partner.post(SEALED, raw).content)["api-response-code"]
    return code


def test_the_claim_is_a_lease_until_the_business_is_done(partner: Partner) -> None:
    raw = partner.seal(partner.request(a_call("one")))
    now = time.time()
    assert _code(partner, raw) == 200
    assert expiries_seen[0] == pytest.approx(now + LEASE, abs=10)
    assert ReplayMark.objects.get().expires_at == pytest.approx(now + 86400, abs=10)
    assert _code(partner, raw) == 201


def test_what_a_killed_process_left_is_taken_over_after_the_lease(
    partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = partner.seal(partner.request(a_call("one")))

    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as dying:
        dying.setattr(Slow, "handle", killed)
        dying.setattr("flows_endpoint.guards.replay.Claim.release", lambda claim: None)
        with pytest.raises(Killed):
            partner.post(SEALED, raw)
    assert _code(partner, raw) == 201
    mark = ReplayMark.objects.get()
    assert mark.expires_at == pytest.approx(time.time() + LEASE, abs=10)
    mark.expires_at = time.time() - 1
    mark.save()
    assert _code(partner, raw) == 200
