"""Whatever is thrown at the two addresses, the answer is one of the contract's."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crypto_schemes.whatsapp_flows.signatures import sign_body
from tests.crypto_schemes.strategies import json_values
from tests.flows_endpoint.whatsapp_flows.platform import Phone
from tests.support.examples import examples

pytestmark = pytest.mark.django_db
NOISE = settings(
    max_examples=examples(25),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
BODIES = st.binary(max_size=300) | json_values(max_leaves=8).map(
    lambda value: json.dumps(value).encode()
)
HEADER_TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=90)


@NOISE
@given(body=BODIES, signature=HEADER_TEXT, content_type=HEADER_TEXT)
def test_unsigned_noise_is_432(
    phone: Phone, body: bytes, signature: str, content_type: str
) -> None:
    headers = {"X-Hub-Signature-256": signature}
    response = phone.http.generic("POST", phone.path, body, content_type, headers=headers)
    assert (response.status_code, response.content) == (432, b"")
    response = phone.http.generic("POST", phone.webhook_path, body, content_type, headers=headers)
    assert (response.status_code, response.content) == (403, b"")


@NOISE
@given(body=BODIES)
def test_signed_noise_is_421_and_is_kept_by_the_webhook(phone: Phone, body: bytes) -> None:
    signature = sign_body(body, phone.app_secret)
    response = phone.post(body, signature)
    assert (response.status_code, response.content) == (421, b"")
    assert phone.deliver(body, signature).status_code == 200


@NOISE
@given(payload=json_values())
def test_sealed_noise_is_421(phone: Phone, payload: Any) -> None:
    response = phone.post(phone.seal(payload).body)
    # A dict that happens to hold a signature fails at that.
    signed = isinstance(payload, dict) and payload.get("flow_token_signature") is not None
    assert (response.status_code, response.content) == (432 if signed else 421, b"")


@NOISE
@given(
    action=st.sampled_from(["INIT", "BACK", "data_exchange", "ping", "navigate"]),
    screen=st.sampled_from(["APPOINTMENT", "DETAILS", "SUMMARY", "SUCCESS", ""]) | st.text(),
    data=st.dictionaries(
        st.sampled_from(
            ["trigger", "service", "branch", "date", "time", "name", "email", "note", "terms"]
        )
        | st.sampled_from(["error", "error_key", "error_message"]),
        st.sampled_from(["service", "repair", "north", "10:00", "a@example.org", True])
        | json_values(max_leaves=3),
        max_size=9,
    ),
    token=st.none() | st.sampled_from(["unused", "expired-1"]) | st.text(max_size=20),
)
def test_any_step_of_the_form_is_answered(
    phone: Phone, action: str, screen: str, data: dict[str, Any], token: str | None
) -> None:
    reply = phone.step(screen, data, action=action, token=token)
    if reply.status == 421:
        assert action == "navigate"
        return
    assert reply.status in (200, 427)
    assert isinstance(reply.value, dict)


@NOISE
@given(query=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=80))
def test_any_challenge_is_answered(phone: Phone, query: str) -> None:
    response = phone.http.generic("GET", phone.webhook_path, QUERY_STRING=query)
    assert response.status_code in (400, 403)
    assert response.content == b""
