"""Every reply code: what raises it, and exactly what is sent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from crypto_schemes import citcall
from crypto_schemes.envelope import SealedReply
from flows_endpoint.citcall.errors import MEANINGS, Rc, failure_of
from flows_endpoint.citcall.protocol import CitCallProtocol
from flows_endpoint.exchange import Exchange, Reason, Refusal

pytestmark = pytest.mark.once

TABLE = {
    "00": "success",
    "06": "Unknown error",
    "14": "Insufficient amount",
    "34": "Service temporarily unavailable",
    "66": "Maintenance in progress",
    "77": "Userid not found",
    "88": "Missing parameter",
    "96": "Apikey not found or non active",
    "98": "Authorization failed",
    "99": "Wrong method",
}


def test_the_table_is_complete() -> None:
    assert {str(rc): meaning.info for rc, meaning in MEANINGS.items()} == TABLE
    assert [rc.value for rc in Rc] == list(TABLE)


@pytest.mark.parametrize(
    ("reason", "rc"),
    [
        (Reason.METHOD, "99"),
        (Reason.SIZE, "06"),
        (Reason.MALFORMED, "88"),
        (Reason.UNKNOWN_FLOW, "77"),
        (Reason.SOURCE, "98"),
        (Reason.RATE, "98"),
        (Reason.NOT_AUTHENTIC, "98"),
        (Reason.CANNOT_OPEN, "98"),
        (Reason.STALE, "98"),
        (Reason.REPLAYED, "98"),
        (Reason.BUSINESS, "06"),
        (Reason.UPSTREAM_DOWN, "34"),
        (Reason.UPSTREAM_SLOW, "34"),
        (Reason.UPSTREAM_ANSWER, "06"),
        (Reason.UNAVAILABLE, "34"),
        (Reason.INTERNAL, "06"),
    ],
)
def test_every_reason_has_a_code(reason: Reason, rc: str) -> None:
    assert failure_of(Refusal(reason)) == (rc, TABLE[rc])


def test_no_reason_is_forgotten() -> None:
    for reason in Reason:
        assert failure_of(Refusal(reason, 7, step="?", extra=object()))[0] in TABLE


@pytest.mark.parametrize("reason", [Reason.UNKNOWN_FLOW, Reason.NOT_AUTHENTIC])
def test_the_wrong_half_of_the_header_is_named(reason: Reason) -> None:
    assert failure_of(Refusal(reason, step="unknown_userid"))[0] == "77"
    assert failure_of(Refusal(reason, step="unknown_api_key"))[0] == "96"


@pytest.mark.parametrize(
    ("code", "extra", "answer"),
    [
        ("14", None, ("14", "Insufficient amount")),
        ("14", "No credit", ("14", "No credit")),
        ("55", None, ("55", "Unknown error")),
        ("55", "Own text", ("55", "Own text")),
        ("14", {"a": 1}, ("14", "Insufficient amount")),
        ("14", "x" * 300, ("14", "x" * 200)),
        ("00", "success", ("06", "Unknown error")),
        (14, None, ("06", "Unknown error")),
        ("140", None, ("06", "Unknown error")),
        ("१४", None, ("06", "Unknown error")),
        ("", None, ("06", "Unknown error")),
    ],
)
def test_a_backends_own_code_is_taken_over_in_the_contracts_form(
    code: Any, extra: Any, answer: tuple[str, str]
) -> None:
    assert failure_of(Refusal(Reason.BUSINESS, code, extra=extra)) == answer


@pytest.mark.parametrize("info", ["Zoë", 'a"b\\', "\ud800", "\x00"])
def test_a_failure_can_always_be_written_and_read(info: str) -> None:
    exchange = Exchange("id", "citcall", "asynccall", "POST", "/", "127.0.0.1", 0.0)
    reply = CitCallProtocol().refuse(exchange, Refusal(Reason.BUSINESS, "14", extra=info))
    assert (reply.status, reply.code) == (200, "14")
    assert reply.body.isascii()
    assert json.loads(reply.body) == {"rc": "14", "info": info}


def test_a_failure_is_read_by_the_client_side() -> None:
    owner = citcall.SCHEME
    for rc, info in TABLE.items():
        if rc == "00":
            continue
        body = json.dumps({"rc": rc, "info": info}).encode()
        options = citcall.CitCallOptions()
        from tests.crypto_schemes.citcall_partner import CREDENTIALS, sealed  # noqa: PLC0415

        opened = owner.open_reply(SealedReply(body), sealed(), CREDENTIALS, options, now=0)
        assert opened == {"rc": rc, "info": info}
