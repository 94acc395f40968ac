"""Whatever comes in, the reply has the contract's form."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crypto_schemes.json_text import JSONValue
from flows_endpoint.flynn.errors import MEANINGS, Err
from tests.crypto_schemes.strategies import json_values
from tests.flows_endpoint.flynn.partner import (
    EINV,
    EINV_EWB,
    EINV_V1,
    EWAY,
    EWAY_V1,
    LOG_OUT,
    SECRETS,
    TOKENS,
    Partner,
    changed,
)
from tests.support.examples import examples

pytestmark = pytest.mark.django_db
moderate = settings(
    max_examples=examples(40),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
PATHS = [
    TOKENS,
    LOG_OUT,
    SECRETS,
    EINV,
    EINV_V1,
    EINV_EWB,
    f"{EINV}/Cancel",
    f"{EINV}/irn/x",
    f"{EWAY}/gen-ewb",
    f"{EWAY}/cancel",
    f"{EWAY}/update-part-b",
    f"{EWAY}/extend-validity",
    f"{EWAY}/update-transporter",
    f"{EWAY_V1}/GetEwayBill?ewbNo=1",
]
header_texts = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=40
)


def is_of_the_contract(reply: Any) -> bool:
    value = json.loads(reply.content)
    if reply.status_code == 200:
        return value.keys() in ({"data"}, {"status", "data", "error", "info"} | THIRD)
    error = value["error"]
    assert error.keys() == {"message", "type", "args"}
    entry = MEANINGS[Err(error["message"])]
    assert error["message"] != Err.INTERNAL
    return (entry.type, reply.status_code) in (
        (error["type"], entry.status),
        ("ClientRequest", 413),
    )


THIRD = {"additionalInfo", "alert"}


@moderate
@given(
    path=st.sampled_from(PATHS),
    method=st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE"]),
    body=st.binary(max_size=80),
    headers=st.dictionaries(
        st.sampled_from(
            [
                "x-flynn-s-rek",
                "x-flynn-s-iv",
                "x-flynn-s-irp-pwd",
                "x-flynn-s-x",
                "x-flynn-n-aes-encryption-mode",
                "x-flynn-n-user-token",
                "x-flynn-n-org-id",
                "x-flynn-n-irp-pwd",
                "authorization",
            ]
        ),
        header_texts,
        max_size=5,
    ),
    known=st.booleans(),
)
def test_any_bytes(
    partner: Partner, path: str, method: str, body: bytes, headers: dict[str, str], known: bool
) -> None:
    if known:
        headers = partner.portal_headers("irp" if "/einv/" in path else "ewb") | headers
    assert is_of_the_contract(partner.send(method, path, body, headers))


@moderate
@given(path=st.sampled_from(PATHS), body=json_values())
def test_any_json(partner: Partner, path: str, body: JSONValue) -> None:
    assert is_of_the_contract(partner.call(path, json.dumps(body).encode()))


@moderate
@given(
    name=st.sampled_from(
        [
            "Version",
            "TranDtls",
            "DocDtls__Dt",
            "DocDtls__No",
            "SellerDtls__Pin",
            "BuyerDtls__Gstin",
            "ItemList",
            "ItemList__0__AssAmt",
            "ItemList__0__HsnCd",
            "ValDtls__TotInvVal",
            "ValDtls__RndOffAmt",
            "EwbDtls",
        ]
    ),
    value=json_values(),
)
def test_any_value_in_an_invoice(partner: Partner, name: str, value: JSONValue) -> None:
    reply = partner.call(EINV, changed(partner.invoice(), {name: value}))
    assert is_of_the_contract(reply)


@moderate
@given(
    name=st.sampled_from(
        ["docDate", "fromPincode", "transDistance", "vehicleNo", "itemList", "transMode", "docNo"]
    ),
    value=json_values(),
)
def test_any_value_in_an_eway_bill(partner: Partner, name: str, value: JSONValue) -> None:
    reply = partner.call(f"{EWAY}/gen-ewb", changed(partner.eway_bill(), {name: value}))
    assert is_of_the_contract(reply)
