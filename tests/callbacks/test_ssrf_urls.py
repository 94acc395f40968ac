"""What may be typed in as a URL."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured, ValidationError
from hypothesis import given
from hypothesis import strategies as st

from callbacks import ssrf
from callbacks.errors import Kind, TransportError
from tenants.outbound_urls import OutboundUrl, OutboundUrlError, parse_outbound_url
from tenants.validators import validate_outbound_url

pytestmark = pytest.mark.once

SECRET = "s3cr3t"


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("https://example.com", ("https", "example.com", 443, "/")),
        ("HTTP://Example.COM:8080/a/b?c=d&e", ("http", "example.com", 8080, "/a/b?c=d&e")),
        ("https://[2606:4700::1]:8443/x", ("https", "2606:4700::1", 8443, "/x")),
        ("http://my_service:80", ("http", "my_service", 80, "/")),
        ("https://xn--bcher-kva.example/%7Ea?", ("https", "xn--bcher-kva.example", 443, "/%7Ea")),
        ("https://example.com/@me:you", ("https", "example.com", 443, "/@me:you")),
        ("https://8.8.8.8?q=1", ("https", "8.8.8.8", 443, "/?q=1")),
    ],
)
def test_proper_urls_are_taken_apart(url: str, parts: tuple[str, str, int, str]) -> None:
    assert parse_outbound_url(url) == OutboundUrl(*parts)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "//example.com/x",
        "ftp://example.com",
        "file:///etc/passwd",
        "gopher://example.com",
        "javascript:alert(1)",
        "https://",
        "https:///path",
        "https://:443/",
        f"https://user:{SECRET}@example.com/",
        f"https://{SECRET}@example.com/",
        "https://@example.com/",
        "https://example.com:0/",
        "https://example.com:65536/",
        "https://example.com:-1/",
        "https://example.com:\uff18\uff10/",
        "https://example.com/ x",
        "https://example.com/\r\nHost: other",
        "https://example.com\\@other.com/",
        "https://exa\x00mple.com/",
        "https://bücher.example/",
        "https://example.com/ü",
        "https://example.com/#part",
        "https://exa%6dple.com/",
        "https://-example.com/",
        "https://example..com/",
        "https://example.com./",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.1/",
        "https://0177.0.0.1/",
        "https://127.0.0.1.1/",
        "https://256.1.1.1/",
        "https://1.2.3.08/",
        "https://[::1",
        "https://::1/",
        "https://[fe80::1%25eth0]/",
        "https://[fe80::1%eth0]/",
        "https://[127.0.0.1]/",
        "https://[2606:4700::1]evil.example/",
        "https://[2606:4700::1]evil.example:443/",
        "https://evil.example[2606:4700::1]/",
        "https://[2606:4700::1][::1]/",
        "https://[2606:4700::1]]/",
        "https://[[2606:4700::1]/",
        "https://[v1.x]/",
        "https://" + "a" * 64 + ".example/",
        "https://example.com/" + "a" * 2048,
    ],
)
def test_improper_urls_are_refused_without_being_quoted(url: str) -> None:
    with pytest.raises(OutboundUrlError) as caught:
        parse_outbound_url(url)
    assert SECRET not in str(caught.value)
    assert "://" not in str(caught.value).replace("https://", "").replace("http://", "")
    with pytest.raises(TransportError) as refused:
        ssrf.parsed(url)
    assert (refused.value.kind, refused.value.permanent) == (Kind.BAD_URL, True)
    with pytest.raises(ValidationError):
        validate_outbound_url(url)


@given(st.one_of(st.text(max_size=80), st.text(max_size=60).map(lambda t: f"https://{t}")))
def test_any_text_is_taken_apart_or_refused(text: str) -> None:
    try:
        parts = parse_outbound_url(text)
    except OutboundUrlError:
        return
    assert parts.scheme in {"http", "https"}
    assert parts.target.startswith("/")
    assert 1 <= parts.port <= 65535
    again = f"{parts.scheme}://{parts.host if ':' not in parts.host else f'[{parts.host}]'}"
    assert parse_outbound_url(f"{again}:{parts.port}{parts.target}") == parts


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "https://[::ffff:10.0.0.1]/",
        "https://[fd00::1]/",
        "https://8.8.8.8:6379/",
        "http://localhost/",
        "http://api.localhost/",
    ],
)
def test_addresses_that_can_never_be_dialled_are_refused_where_they_are_typed(
    url: str, settings: Any
) -> None:
    settings.OUTBOUND_ALLOW = ["192.168.7.0/24"]
    with pytest.raises(ValidationError, match=r"SEALGATE_OUTBOUND_(ALLOW|PORTS)"):
        validate_outbound_url(url)


def test_names_are_judged_later_and_their_ports_where_nothing_is_allow_listed(
    settings: Any,
) -> None:
    settings.OUTBOUND_ALLOW = []
    validate_outbound_url("https://example.com/hook?token=1")
    with pytest.raises(ValidationError, match="SEALGATE_OUTBOUND_PORTS"):
        validate_outbound_url("https://example.com:6379/")
    settings.OUTBOUND_ALLOW = ["192.168.7.0/24"]
    validate_outbound_url("https://orders:6379/")
    validate_outbound_url("https://192.168.7.9:6379/")


def test_networks_that_cannot_be_read_stop_the_start(settings: Any) -> None:
    settings.OUTBOUND_ALLOW = ["10.0.0.1/8"]
    with pytest.raises(ImproperlyConfigured, match="SEALGATE_OUTBOUND_ALLOW"):
        ssrf.policy()
