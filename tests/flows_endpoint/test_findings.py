"""Every step a partner's doing can leave in the exchange log is explained, and shown so."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client as Browser
from django.urls import reverse

from crypto_schemes import registry
from crypto_schemes.isu import value as isu_value
from crypto_schemes.kairos.envelope import STEPS
from flows_endpoint.exchange import FAILURES, Reason
from flows_endpoint.findings import finding, findings_of
from flows_endpoint.models import ExchangeRow, Outcome

HERE = Path(__file__).resolve().parents[2]
_NAMED = re.compile(r"(?:code|step)(?:: str)? ?= ?\"([a-z][A-Za-z_ -]*)\"")
#: Codes of the sending side, of services behind a flow, and of failures of ours.
NOT_A_PARTNERS: dict[str, set[str]] = {
    "kairos": {"callback_basic", "backend", "key pair"},
    "citcall": {"no_key", "not_sealed", "not_json", "nothing to claim", "rc"},
    "isu": {"no_client_id", "reply_form"},
    "whatsapp_flows": {
        "a safe step ended the form",
        "bad_media",
        "bad_reply",
        "context",
        "empty",
        "plain",
    },
    "flynn": {"reply_value", "e-way bill numbers", "error", "upstream"},
}
#: Members that a step may name: the meaning of the code is told with the member.
MEMBERS = {"citcall": {"clientUniqueId", "gateway", "msisdn"}}


def named_in_code(scheme: str) -> set[str]:
    """Return the steps that the modules of a contract name literally."""
    found: set[str] = set()
    for package in ("crypto_schemes", "flows_endpoint"):
        for file in (HERE / package / scheme).rglob("*.py"):
            found.update(_NAMED.findall(file.read_text("utf-8")))
    return found


def explained(scheme: str) -> set[str]:
    return {key.rpartition(":")[2] for key in findings_of(scheme)}


@pytest.mark.parametrize("scheme", registry.NAMES)
def test_every_step_the_code_names_is_explained(scheme: str) -> None:
    steps = named_in_code(scheme) - NOT_A_PARTNERS[scheme] - MEMBERS.get(scheme, set())
    assert steps - explained(scheme) == set()


def test_so_is_every_step_of_a_list() -> None:
    assert set(STEPS) <= explained("kairos")
    steps = [step for step in isu_value._STEPS if step != "no_key"]
    assert {f"header_{step}" for step in steps} <= explained("isu")
    of_data = {"base64", "length", "padding", "json"}
    assert {f"data_{step}" for step in of_data} <= explained("isu")


@pytest.mark.parametrize("scheme", registry.NAMES)
def test_nothing_is_explained_that_the_code_does_not_say(scheme: str) -> None:
    listed = {"kairos": set(STEPS)}.get(scheme, set())
    texts = "\n".join(
        file.read_text("utf-8")
        for package in ("crypto_schemes", "flows_endpoint")
        for file in (HERE / package / scheme).rglob("*.py")
        if file.name != "findings.py"
    )
    made = {f"{what}_{step}" for what in ("header", "data") for step in isu_value._STEPS}
    made |= {"bad_signature", "bad_envelope"}  # what the classes of errors are called
    for step in explained(scheme) - listed - made - {""}:
        assert f'"{step}"' in texts, step


@pytest.mark.parametrize("reason", list(Reason))
@pytest.mark.parametrize("scheme", registry.NAMES)
def test_no_refusal_is_without_words(scheme: str, reason: Reason) -> None:
    codes = {"kairos": "400", "citcall": "98", "isu": "INVALID_REQUEST_DATA"}
    code = codes.get(scheme, "421" if scheme == "whatsapp_flows" else "err-invalid-token")
    for step in ("", "never heard of"):
        said = finding(scheme, reason.value, step, code)
        assert said is not None
        assert said.cause
        assert said.fix
    if reason in FAILURES:
        assert "nothing the partner did" in finding(scheme, reason.value, "", code).fix  # type: ignore[union-attr]


def test_what_was_served_needs_no_words() -> None:
    assert finding("kairos", "", "", "200") is None


def test_a_contract_that_is_gone_has_the_general_words() -> None:
    said = finding("gone", "source", "203.0.113.7", "")
    assert said is not None
    assert said.cause.startswith("The request came from an address outside")
    assert finding("gone", "cannot_open", "padding", "") is None


@pytest.mark.parametrize(
    ("scheme", "reason", "step", "code", "says"),
    [
        ("kairos", "unknown_flow", "flow_id", "301", "outer `flow-id`"),
        ("kairos", "not_authentic", "flow_id", "301", "not the one outside"),
        ("kairos", "business", "fetch-attempt", "210", "Found at: fetch-attempt."),
        ("citcall", "business", "msisdn", "88", "missing inside."),
        ("flynn", "business", "2148", "err-irp-returned-error", "2148: There is no such IRN."),
        ("flynn", "business", "body.DocDtls.No", "err-invalid-request-body", "body.DocDtls.No."),
        ("isu", "not_authentic", "pass_key_missing", "PASS_KEY_MISSING", "no header `pass_key`"),
        ("whatsapp_flows", "cannot_open", "", "421", "not the envelope"),
    ],
)
def test_the_words_fit_the_row(scheme: str, reason: str, step: str, code: str, says: str) -> None:
    said = finding(scheme, reason, step, code)
    assert said is not None
    assert says in said.cause


@pytest.mark.django_db
def test_the_page_of_a_request_says_what_to_tell_the_partner(client: Browser) -> None:
    row = ExchangeRow.objects.create(
        at=datetime(2031, 1, 1, tzinfo=UTC),
        request_id="request-1",
        scheme="kairos",
        operation="enc.outbound.create",
        outcome=Outcome.REFUSED,
        reason="cannot_open",
        step="inner_base64",
        code="400",
        http_status=200,
        milliseconds=1.5,
        request_size=100,
    )
    client.force_login(User.objects.create_superuser("root"))
    url = reverse("admin:flows_endpoint_exchangerow_change", args=[row.pk])
    answer: Any = client.get(url)
    text = answer.content.decode()
    assert "It decrypts, but to something that is not base64." in text
    assert "Encrypt P = base64(JSON), not the JSON itself." in text
    row.reason, row.step, row.scheme, row.code = "not_authentic", "security_id", "kairos", "202"
    row.save()
    text = client.get(url).content.decode()
    assert "<code>security-id</code> is missing, wrong or no longer accepted." in text
    assert "an <strong>encrypted</strong> body" in text


@pytest.mark.parametrize("scheme", registry.NAMES)
def test_the_partners_page_has_the_same_words(scheme: str) -> None:
    page = (HERE / "docs" / "protocols" / f"{scheme}.md").read_text("utf-8")
    for found in import_module(f"flows_endpoint.{scheme}.findings").FINDINGS.values():
        assert f"| {found.cause} | {found.fix} |" in page
