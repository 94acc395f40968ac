"""Who can be written to, however a person writes the number."""

from __future__ import annotations

import pytest

from flows_endpoint.whatsapp_flows.cloud.recipients import (
    RecipientError,
    addressed_to,
    parse_recipient,
    tail_of,
)

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    "text",
    ["15550001111", "+15550001111", " +1 555 000-1111 ", "+1 (555) 000.1111", "1\u00a0555/0001111"],
)
def test_a_number_is_its_digits(text: str) -> None:
    assert parse_recipient(text) == "15550001111"
    assert addressed_to("15550001111") == {"to": "15550001111"}
    assert tail_of("15550001111") == "1111"


@pytest.mark.parametrize("text", ["US.13491208655302741918", "BR.ENT.abcDEF123", "IN.1"])
def test_a_scoped_id_is_kept_as_it_is(text: str) -> None:
    assert parse_recipient(text) == text
    assert addressed_to(text) == {"recipient": text}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0155500011",
        "+123456",
        "1234567890123456",
        "++15550001111",
        "15550001111x",
        "१५५५०००११११",
        "us.123",
        "USA.123",
        "US.",
        "US.12-3",
        "US." + "1" * 129,
        "15550001111\n15550002222",
        "{to}",
    ],
)
def test_anything_else_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(RecipientError) as refused:
        parse_recipient(text)
    assert len(text) < 7 or text not in str(refused.value)
