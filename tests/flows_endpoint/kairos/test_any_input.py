"""Whatever is thrown at an address, what comes back is an answer of the contract."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows_endpoint.kairos.errors import MEANINGS, Code
from tests.crypto_schemes.strategies import json_values
from tests.flows_endpoint.kairos.partner import (
    DIALER_PLAIN,
    DIALER_SEALED,
    HELPER,
    KEY_PAIR,
    PLAIN,
    PULL,
    SEALED,
    Partner,
    a_call,
)
from tests.support.examples import examples

pytestmark = pytest.mark.django_db
ANY_PATH = st.sampled_from([PLAIN, SEALED, DIALER_PLAIN, DIALER_SEALED, HELPER, KEY_PAIR, PULL])


@settings(
    max_examples=examples(40),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    path=ANY_PATH,
    method=st.sampled_from(["POST", "POST", "POST", "PUT", "GET"]),
    body=st.binary(max_size=300) | json_values().map(lambda v: json.dumps(v).encode()),
    content_type=st.sampled_from(["application/json", "", "text/xml"]) | st.text(max_size=20),
    headers=st.dictionaries(
        st.from_regex(r"HTTP_[A-Z_]{1,12}", fullmatch=True), st.text(max_size=20), max_size=3
    ),
)
def test_anything_gets_an_answer_of_the_contract(
    partner: Partner,
    path: str,
    method: str,
    body: bytes,
    content_type: str,
    headers: dict[str, Any],
) -> None:
    headers.pop("HTTP_HOST", None)
    reply: Any = partner.http.generic(method, path, body, content_type=content_type, **headers)
    _is_an_error(reply)


@settings(
    max_examples=examples(40),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    path=ANY_PATH,
    members=st.dictionaries(st.text(max_size=8), json_values(5), max_size=3),
    data=st.data(),
)
def test_any_authentic_request_gets_an_answer_of_the_contract(
    partner: Partner, path: str, members: dict[str, Any], data: st.DataObject
) -> None:
    names = ("api-version", "calls", "phonon-uuids", "fetch-attempt", "requestValue", "aesKey")
    payload = partner.request(a_call(**{"start-time": "2030-01-01T00:00Z"}))
    for name in data.draw(st.sets(st.sampled_from(names), min_size=1)):
        payload[name] = data.draw(json_values(6))
    payload["calls"] = data.draw(
        st.just(payload["calls"])
        | st.lists(
            st.fixed_dictionaries(
                {
                    "client-identifier": json_values(2),
                    "start-time": json_values(2),
                    "contact-numbers": json_values(4),
                    "keys": json_values(4),
                }
            ),
            max_size=3,
        )
    )
    payload.update({name: value for name, value in members.items() if name not in payload})
    body = partner.seal(payload) if path in (SEALED, DIALER_SEALED) else payload
    _is_an_error(partner.post(path, body), or_success=True)


def _is_an_error(reply: Any, *, or_success: bool = False) -> None:
    assert reply.status_code in (200, 405, 413)
    assert reply["Content-Type"] == "application/json"
    answer = json.loads(reply.content)
    if "api-response-code" not in answer:
        assert or_success
        return
    code = Code(answer["api-response-code"])
    assert answer["api-response-message"] == MEANINGS[code].message
    assert code is not Code.FAILURE
    if not or_success:
        assert list(answer) == ["api-response-code", "api-response-message"]
