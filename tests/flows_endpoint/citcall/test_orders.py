"""What a request may ask for."""

from __future__ import annotations

import pytest
from hypothesis import given

from crypto_schemes.json_text import JSONValue
from flows_endpoint.citcall.orders import Order, read_order
from flows_endpoint.exchange import Reason, Refusal
from tests.crypto_schemes.strategies import json_values

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("sent", "normalised"),
    [
        ("081200000001", "+6281200000001"),
        ("+62 812-0000-0001", "+6281200000001"),
        ("6281200000001", "+6281200000001"),
        ("(0812) 0000.0001", "+6281200000001"),
        ("0" + "8" * 9, "+62" + "8" * 9),
        ("0" + "8" * 12, "+62" + "8" * 12),
        ("62" + "8" * 9, "+62" + "8" * 9),
        ("62" + "8" * 12, "+62" + "8" * 12),
        ("1" + "2" * 9, "+1" + "2" * 9),
        ("+44 20 7946 0000", "+442079460000"),
        ("9" * 17, "+" + "9" * 17),
    ],
)
def test_numbers_are_normalised(sent: str, normalised: str) -> None:
    assert read_order({"msisdn": sent, "gateway": 1}).msisdn == normalised


@pytest.mark.parametrize(
    "sent",
    [
        "0",
        "abc",
        "+",
        "0" + "8" * 8,
        "0" + "8" * 13,
        "62" + "8" * 8,
        "62" + "8" * 13,
        "1" + "2" * 8,
        "9" * 18,
        "\u0660\u0668\u0661\u0662\u0660\u0660\u0660\u0660\u0660\u0660\u0661",  # not ASCII digits
        "081200000001" + " " * 60,
        "0" * 70_000,
        81200000001,
        8.1e10,
        True,
        ["081200000001"],
        {"number": "081200000001"},
    ],
)
def test_what_is_no_number_fails(sent: JSONValue) -> None:
    with pytest.raises(Refusal) as caught:
        read_order({"msisdn": sent, "gateway": 1})
    assert (caught.value.reason, caught.value.code, caught.value.step) == (
        Reason.BUSINESS,
        "06",
        "msisdn",
    )


@pytest.mark.parametrize("gateway", [1, 2, 3, 4])
def test_gateways(gateway: int) -> None:
    assert read_order({"msisdn": "081200000001", "gateway": gateway}).gateway == gateway


@pytest.mark.parametrize("gateway", [0, 5, -1, 10**40, "1", 1.0, 1.5, True, False, [], [1], {}])
def test_what_is_no_gateway_fails(gateway: JSONValue) -> None:
    with pytest.raises(Refusal) as caught:
        read_order({"msisdn": "081200000001", "gateway": gateway})
    assert (caught.value.code, caught.value.step) == ("06", "gateway")


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"msisdn": "081200000001"},
        {"gateway": 1},
        {"msisdn": None, "gateway": 1},
        {"msisdn": "", "gateway": 1},
        {"msisdn": "081200000001", "gateway": None},
        {"msisdn": "081200000001", "gateway": ""},
        {"MSISDN": "081200000001", "gateway": 1},
        [],
        None,
        "081200000001",
        1,
        True,
        [{"msisdn": "081200000001", "gateway": 1}],
    ],
)
def test_what_is_missing_is_said_so(payload: JSONValue) -> None:
    with pytest.raises(Refusal) as caught:
        read_order(payload)
    gateway_alone = isinstance(payload, dict) and bool(payload.get("msisdn"))
    step = "gateway" if gateway_alone else "msisdn"
    assert (caught.value.code, caught.value.step) == ("88", step)


@pytest.mark.parametrize(
    ("sent", "read"), [("A-1", "A-1"), ("Zoë", "Zoë"), ("x" * 255, "x" * 255), ("", None)]
)
def test_ids_of_the_client(sent: str, read: str | None) -> None:
    order = read_order({"msisdn": "081200000001", "gateway": 1, "clientUniqueId": sent})
    assert order.client_unique_id == read


@pytest.mark.parametrize("sent", ["x" * 256, "a\x00b", "a\nb", "\u200b", 1, True, [], {"a": 1}])
def test_what_is_no_id_fails(sent: JSONValue) -> None:
    with pytest.raises(Refusal) as caught:
        read_order({"msisdn": "081200000001", "gateway": 1, "clientUniqueId": sent})
    assert (caught.value.code, caught.value.step) == ("06", "clientUniqueId")


def test_other_members_are_ignored_and_repr_shows_nobody() -> None:
    order = read_order({"msisdn": "081200000001", "gateway": 1, "note": [1], "clientUniqueId": "A"})
    assert order == Order("+6281200000001", 1, "A")
    assert repr(order) == "Order(gateway=1)"


@given(json_values(), json_values(), json_values())
def test_any_json_is_an_order_or_a_refusal(
    msisdn: JSONValue, gateway: JSONValue, unique_id: JSONValue
) -> None:
    for payload in (
        msisdn,
        {"msisdn": msisdn, "gateway": gateway, "clientUniqueId": unique_id},
        {"msisdn": "081200000001", "gateway": 1, "clientUniqueId": unique_id},
        {"msisdn": msisdn, "gateway": 1},
    ):
        try:
            order = read_order(payload)
        except Refusal as refusal:
            assert refusal.code in {"06", "88"}
        else:
            assert order.gateway in {1, 2, 3, 4}
