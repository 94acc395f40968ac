"""header_secrets is for one call: a copy is refused before the body is looked at."""

from __future__ import annotations

import base64
import time
from typing import Any

import pytest

from crypto_schemes.envelope import SealedRequest
from flows_endpoint.exchange import Reason, Refusal
from flows_endpoint.guards import replay
from flows_endpoint.isu.models import Payout
from flows_endpoint.isu.sandbox import IsuSandbox
from flows_endpoint.models import ExchangeRow
from tests.flows_endpoint.isu.conftest import MakePartner
from tests.flows_endpoint.isu.partner import (
    INVALID_DATA,
    INVALID_HEADER,
    Partner,
    error,
    payout,
    plain,
    status,
)

pytestmark = pytest.mark.django_db


def test_the_same_request_twice_is_refused(partner: Partner) -> None:
    sent = partner.seal(payout())
    assert partner.send(sent).status_code == 200
    assert plain(partner.send(sent)) == INVALID_HEADER
    assert Payout.objects.count() == 1
    logged = ExchangeRow.objects.order_by("-id")[0]
    assert (logged.reason, logged.step) == ("replayed", "header_secrets")


def test_a_used_header_serves_no_other_body_and_no_other_product(partner: Partner) -> None:
    sent = partner.seal(payout())
    assert partner.send(sent).status_code == 200
    for payload, product in ((payout(), "payout"), (status(), "status")):
        other = SealedRequest(partner.seal(payload).body, sent.headers)
        assert plain(partner.send(other, product)) == INVALID_HEADER


def test_a_used_header_does_not_tell_whether_a_body_opens(partner: Partner) -> None:
    sent = partner.seal(payout())
    assert partner.send(sent).status_code == 200
    for body in (b"", b"{}", b'{"RequestData":"AAAA"}', sent.body[:-20] + b'"}', sent.body):
        answer = partner.send(SealedRequest(body, sent.headers))
        assert plain(answer) == INVALID_HEADER


def test_a_bent_copy_is_refused_too(partner: Partner) -> None:
    sent = partner.seal(payout())
    assert partner.send(sent).status_code == 200
    data = bytearray(base64.b64decode(sent.headers["header-secrets"]))
    data[2] ^= 0x20  # {"client_id" becomes {"Client_id"
    headers = {**sent.headers, "header-secrets": base64.b64encode(data).decode()}
    copy = SealedRequest(partner.seal(payout()).body, headers)
    assert plain(partner.send(copy)) == INVALID_HEADER


def test_a_sealed_business_failure_uses_the_header_up(partner: Partner) -> None:
    sent = partner.seal(payout(amount="0"))
    assert partner.open(partner.send(sent))["status"] == "FAILED"
    assert plain(partner.send(sent)) == INVALID_HEADER


def test_a_failure_of_ours_does_too(partner: Partner, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError

    sent = partner.seal(payout())
    with monkeypatch.context() as patched:
        patched.setattr(IsuSandbox, "handle", broken)
        assert plain(partner.send(sent)) == error(500, "Internal failure")
    assert plain(partner.send(sent)) == INVALID_HEADER
    assert not Payout.objects.exists()


def test_calls_of_one_second_are_told_apart(partner: Partner) -> None:
    now = time.time()
    for _ in range(5):
        assert partner.send(partner.seal(payout(), now)).status_code == 200
    assert Payout.objects.count() == 5


def test_headers_of_two_flows_do_not_meet(make_partner: MakePartner) -> None:
    one, other = make_partner(), make_partner()
    sent = one.seal(payout())
    assert one.send(sent).status_code == 200
    headers = {**sent.headers, "pass-key": other.given["pass_key"]}
    assert plain(other.send(SealedRequest(sent.body, headers))) == INVALID_HEADER


def test_the_guard_can_be_off(make_partner: MakePartner) -> None:
    partner = make_partner(options={"replay_guard": False})
    sent = partner.seal(payout())
    assert partner.open(partner.send(sent))["status"] == "SUCCESS"
    assert partner.open(partner.send(sent))["statusDesc"] == "Duplicate clientReferenceNo"
    bad = SealedRequest(b"{}", sent.headers)
    assert plain(partner.send(bad)) == INVALID_DATA


@pytest.mark.parametrize("offset", [0, -290, 290])
def test_a_mark_lives_as_long_as_its_header(
    partner: Partner, monkeypatch: pytest.MonkeyPatch, offset: int
) -> None:
    asked: list[float] = []
    real = replay.claim

    def claim(flow_id: str, kind: str, thing: bytes, seconds: float, *, durable: bool) -> Any:
        asked.append(seconds)
        return real(flow_id, kind, thing, seconds, durable=durable)

    monkeypatch.setattr(replay, "claim", claim)
    assert partner.send(partner.seal(payout(), time.time() + offset)).status_code == 200
    (seconds,) = asked
    assert 300 + offset <= seconds <= 300 + offset + 7


def test_without_the_guard_nothing_is_served(
    partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: object, **__: object) -> None:
        raise Refusal(Reason.UNAVAILABLE, step="replay guard")

    monkeypatch.setattr(replay, "claim", down)
    assert plain(partner.send(partner.seal(payout()))) == error(503, "Service is unavailable")
    assert not Payout.objects.exists()
