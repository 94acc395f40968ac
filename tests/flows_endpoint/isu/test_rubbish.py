"""Whatever is sent, the answer has the form of the contract."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crypto_schemes import json_text
from crypto_schemes.envelope import SealedRequest
from crypto_schemes.json_text import JSONValue
from flows_endpoint.isu.errors import IsuError
from tests.crypto_schemes.strategies import json_values
from tests.flows_endpoint.isu.partner import PATHS, Partner
from tests.support.examples import examples

pytestmark = pytest.mark.django_db
PLAIN = {(error.http, error.reply.body) for error in IsuError if error.http < 500}
_VISIBLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF), max_size=80)
_SETTINGS = settings(
    max_examples=examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@_SETTINGS
@given(
    body=st.binary(max_size=200)
    | json_values().map(json_text.compact)
    | json_values().map(lambda value: json_text.compact({"RequestData": value})),
    pass_key=st.none() | st.just("") | _VISIBLE,
    header=st.none() | st.just("") | _VISIBLE,
    content_type=st.sampled_from(["application/json", "text/plain", "", "application/json;x"]),
    product=st.sampled_from(sorted(PATHS)),
    step=st.integers(0, 2),
)
def test_rubbish_gets_an_error_of_the_table(
    partner: Partner,
    body: bytes,
    pass_key: str | None,
    header: str | None,
    content_type: str,
    product: str,
    step: int,
) -> None:
    headers = dict(partner.seal({}).headers)
    if step == 0 or header is not None:
        headers["header-secrets"] = header or ""
    if step <= 1:
        headers["pass-key"] = pass_key or ""
    sent = SealedRequest(body, headers)
    answer = partner.send(sent, product, content_type=content_type)
    assert (answer.status_code, answer.content) in PLAIN


@_SETTINGS
@given(payload=json_values(), product=st.sampled_from(sorted(PATHS)))
def test_any_json_gets_a_sealed_answer(partner: Partner, payload: JSONValue, product: str) -> None:
    answer = partner.ask(product, payload)
    assert isinstance(answer, dict)
    assert answer["status"] in ("FAILED", 400)
    json.dumps(answer)
