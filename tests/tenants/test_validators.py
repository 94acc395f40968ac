"""What an administrator types is refused with what would do."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError

from tenants.validators import (
    validate_address,
    validate_networks,
    validate_outbound_url,
    validate_storable,
)

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    "url",
    [
        "http://orders:8080/hook",
        "https://partner.example/callbacks?token=abc&x=%20",
        "https://xn--bcher-kva.example",
        "http://127.0.0.1:9",
        "http://[2606:4700::1]:8443/a",
        "https://a_b.example:65535/",
    ],
)
def test_addresses_calls_can_go_to(url: str) -> None:
    validate_outbound_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "partner.example/callbacks",
        "//partner.example/",
        "ftp://partner.example/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "gopher://x/",
        "HTTP://partner.example/",
        "http://",
        "http:///path",
        "http://:80/",
        "http://partner.example:0/",
        "http://partner.example:65536/",
        "http://partner.example:x/",
        "http://user@partner.example/",
        "http://user:password@partner.example/",
        "http://partner.example\\@evil.example/",
        "http://partner.example/#part",
        "http://partner.example/a b",
        "http://partner.example/\r\nHost: evil",
        "http://partner.example/\x00",
        "http://bücher.example/",
        "http://-partner.example/",
        "http://[2001:db8::1/",
        "http://[not-an-address]/",
        " http://partner.example/",
        "http://2130706433/x",
        "http://127.1/",
        "http://169.254.169.254/x",
        "http://[fd00::1]/",
    ],
)
def test_addresses_they_cannot(url: str) -> None:
    with pytest.raises(ValidationError):
        validate_outbound_url(url)


def test_a_password_in_an_address_is_not_repeated() -> None:
    with pytest.raises(ValidationError) as caught:
        validate_outbound_url("https://user:hunter2@partner.example/")
    assert "hunter2" not in str(caught.value)
    assert "Leave user name and password out" in str(caught.value)


@pytest.mark.parametrize("value", ["a", "Ab0", "partner-01", "a.b_c@d", "x" * 64])
def test_flow_addresses(value: str) -> None:
    validate_address(value)


@pytest.mark.parametrize(
    "value", ["", "-a", "a-", "a b", "a/b", "a:b", "ä", "a\n", "a\x00", "x" * 65, "../a"]
)
def test_what_is_no_flow_address(value: str) -> None:
    with pytest.raises(ValidationError, match="1 to 64 letters"):
        validate_address(value)


@pytest.mark.parametrize(
    "value", [[], ["203.0.113.0/24"], ["203.0.113.9"], ["2001:db8::/32", "0.0.0.0/0"]]
)
def test_networks(value: Any) -> None:
    validate_networks(value)


@pytest.mark.parametrize(
    "value",
    [
        None,
        "203.0.113.0/24",
        {"a": 1},
        [1],
        [None],
        [["203.0.113.0/24"]],
        [""],
        ["203.0.113.1/24"],
        ["203.0.113.0/33"],
        ["everybody"],
        ["::ffff:203.0.113.0/120"],
    ],
)
def test_what_is_no_list_of_networks(value: Any) -> None:
    with pytest.raises(ValidationError):
        validate_networks(value)


@pytest.mark.parametrize(
    "value", ["\x00", {"a": ["b\x00"]}, {"\x00": 1}, ["\ud800"], {"a": {"b": ("x", "\udfff")}}]
)
def test_text_no_database_keeps(value: Any) -> None:
    with pytest.raises(ValidationError, match="NUL and lone surrogates"):
        validate_storable(value)


def test_text_every_database_keeps() -> None:
    validate_storable({"a": ["b", 1, None, True, 1.5, {"ü\U0001f600": "\x01\n"}]})
