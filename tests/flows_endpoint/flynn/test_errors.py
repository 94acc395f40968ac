"""The error table is complete: every entry has its form, every reason its entry."""

from __future__ import annotations

import pytest

from flows_endpoint.exchange import Exchange, Reason, Refusal
from flows_endpoint.flynn.errors import EWB_ERRORS, IRP_ERRORS, MEANINGS, Err, failure_of
from flows_endpoint.flynn.protocol import FlynnProtocol

pytestmark = pytest.mark.once

CONTRACT = {
    "err-invalid-org": (403, "Authorization"),
    "err-expired-token": (403, "Authorization"),
    "err-invalid-token": (403, "Authorization"),
    "err-active-tokens-limit-exceeded": (401, "Authorization"),
    "err-unable-to-decrypt-message-with-key": (500, "Runtime"),
    "err-aes-decryption-failed": (500, "Runtime"),
    "err-unable-to-authenticate-with-empty-password": (401, "ClientRequest"),
    "err-irp-returned-error": (502, "Irp"),
    "err-ewb-returned-error": (502, "Ewb"),
    "err-invalid-request-body": (400, "ClientRequest"),
    "err-resource-not-found": (404, "ResourceNotFound"),
}


def exchange(operation: str = "authenticate", **route: str) -> Exchange:
    return Exchange(
        request_id="r",
        scheme="flynn",
        operation=operation,
        method="POST",
        path="/",
        source="",
        received_at=0.0,
        route=route,
    )


def test_the_contracts_own_errors() -> None:
    entries = {err.value: (MEANINGS[err].status, MEANINGS[err].type) for err in Err}
    assert {message: entries[message] for message in CONTRACT} == CONTRACT


@pytest.mark.parametrize("err", Err)
def test_every_entry_is_explained(err: Err) -> None:
    entry = MEANINGS[err]
    assert entry.cause.endswith(".")
    assert entry.fix.endswith(".")


def test_the_portals_errors_are_numbered() -> None:
    for code, text in {**IRP_ERRORS, **EWB_ERRORS}.items():
        assert code.isdecimal()
        assert text.endswith(".")


@pytest.mark.parametrize("reason", Reason)
@pytest.mark.parametrize("operation", ["log_in", "einvoice.get", "eway.cancel", "unknown", ""])
@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
def test_every_reason_has_a_reply(reason: Reason, operation: str, version: str) -> None:
    reply = FlynnProtocol().refuse(exchange(operation, version=version), Refusal(reason))
    assert reply.status >= 400
    assert reply.code in {err.value for err in Err}
    assert reply.body.startswith(b'{"status":"0"' if version == "v3" else b'{"error":{"message":')


@pytest.mark.parametrize("err", Err)
def test_every_entry_can_be_named(err: Err) -> None:
    failure = failure_of(Refusal(Reason.BUSINESS, err.value), None)
    assert (failure.err, failure.status) == (err, MEANINGS[err].status)


def test_the_third_envelope() -> None:
    reply = FlynnProtocol().refuse(exchange(version="v3"), Refusal(Reason.UNKNOWN_FLOW))
    assert reply.body == (
        b'{"status":"0","data":null,"error":{"message":"err-invalid-org","type":"Authorization",'
        b'"args":{}},"info":null,"additionalInfo":null,"alert":null}'
    )
