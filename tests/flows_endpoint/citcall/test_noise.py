"""Random requests: a reply of the contract's shape to each, and nothing placed by noise."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crypto_schemes.json_text import JSONValue
from flows_endpoint.citcall.errors import MEANINGS
from flows_endpoint.citcall.models import MissedCall
from tests.crypto_schemes.strategies import json_values
from tests.flows_endpoint.citcall.partner import Partner
from tests.support.examples import examples

pytestmark = pytest.mark.django_db
shared_database = settings(
    max_examples=examples(30),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture
def patient(make_partner: Callable[..., Partner]) -> Partner:
    return make_partner(options={"attempts_per_minute": 100_000})


def assert_of_the_contract(response: Any) -> None:
    assert response.status_code == 200
    assert response["Content-Type"] == "application/json"
    value = json.loads(response.content)
    if "data" in value:
        assert list(value) == ["data"]
        return
    assert list(value) == ["rc", "info"]
    assert value["rc"] != "00"
    assert MEANINGS[value["rc"]].info == value["info"]


# What a server hands over: Latin-1 without line breaks.
header_texts = st.text(
    alphabet=st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=80
)


@shared_database
@given(st.binary(max_size=200), st.one_of(st.none(), st.just(""), header_texts), header_texts)
def test_noise_around_the_envelope(
    patient: Partner, body: bytes, header: str | None, content_type: str
) -> None:
    placed = MissedCall.objects.count()
    assert_of_the_contract(patient.post(body=body, header=header, content_type=content_type))
    assert_of_the_contract(patient.post(body=body, header=header))
    assert MissedCall.objects.count() == placed


@shared_database
@given(json_values(), json_values(), json_values())
def test_noise_inside_the_cipher(
    patient: Partner, msisdn: JSONValue, gateway: JSONValue, unique_id: JSONValue
) -> None:
    for payload in (
        msisdn,
        {"msisdn": msisdn, "gateway": gateway},
        {"msisdn": "081200000001", "gateway": 1, "clientUniqueId": unique_id},
        {"msisdn": "081200000001", "gateway": gateway, "clientUniqueId": unique_id},
    ):
        assert_of_the_contract(patient.post(patient.data(payload)))


@shared_database
@given(json_values())
def test_noise_as_the_member_data(patient: Partner, value: JSONValue) -> None:
    placed = MissedCall.objects.count()
    assert_of_the_contract(patient.post(body=json.dumps({"data": value}).encode()))
    assert MissedCall.objects.count() == placed


@shared_database
@given(st.text(alphabet=st.characters(max_codepoint=127), max_size=60))
def test_noise_as_the_text_inside(patient: Partner, text: str) -> None:
    placed = MissedCall.objects.count()
    assert_of_the_contract(patient.post(patient.data_of(text)))
    assert MissedCall.objects.count() == placed
