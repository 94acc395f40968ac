"""Which addresses may be dialled: every internal one is refused in every form it can take."""

from __future__ import annotations

import ipaddress
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callbacks import ssrf
from callbacks.errors import Kind, TransportError
from callbacks.ssrf import OutboundPolicy
from tenants import outbound_addresses
from tenants.outbound_addresses import refused_range

pytestmark = pytest.mark.once

STRICT = OutboundPolicy(allow=(), ports=frozenset({80, 443}))

REFUSED = {
    "0.0.0.0": "unspecified",
    "0.1.2.3": "unspecified",
    "10.0.0.1": "private",
    "100.64.0.1": "shared carrier",
    "100.100.100.200": "shared carrier",
    "127.0.0.1": "loopback",
    "127.255.255.254": "loopback",
    "168.63.129.16": "metadata",
    "169.254.169.254": "link-local",
    "172.16.0.1": "private",
    "172.31.255.255": "private",
    "192.0.0.192": "reserved",
    "192.0.2.1": "documentation",
    "192.88.99.1": "6to4 relay",
    "192.168.1.1": "private",
    "198.18.0.1": "benchmark",
    "198.19.255.255": "benchmark",
    "203.0.113.9": "documentation",
    "224.0.0.1": "multicast",
    "240.0.0.1": "reserved",
    "255.255.255.255": "reserved",
    "::": "unspecified",
    "::1": "loopback",
    "::127.0.0.1": "reserved",
    "::ffff:0:127.0.0.1": "reserved",
    "100::1": "reserved",
    "fc00::1": "private",
    "fd00:ec2::254": "private",
    "fe80::1": "link-local",
    "fe80::1%eth0": "link-local",
    "fec0::1": "reserved",
    "ff02::1": "multicast",
    "2001::1": "Teredo",
    "2001:10::1": "reserved",
    "2001:db8::1": "documentation",
    "2002:808:808::1": "6to4",
    "3fff::1": "documentation",
    "5f00::1": "reserved",
    "64:ff9b:1::1": "reserved",
    "::ffff:169.254.169.254": "link-local",
    "64:ff9b::10.0.0.1": "private",
}
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "100.63.255.255",
    "100.128.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "198.17.255.255",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2a00:1450:4001:81b::200e",
    "2001:200::1",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
]
any_ipv4 = st.integers(0, 2**32 - 1).map(IPv4Address)
any_ipv6 = st.one_of(
    st.integers(0, 2**128 - 1).map(IPv6Address),
    # Most of the space says nothing; look where the special ranges are.
    st.sampled_from(outbound_addresses._REFUSED_IPV6).flatmap(
        lambda entry: st.integers(0, entry[0].num_addresses - 1).map(lambda n: entry[0][n])
    ),
    st.integers(0, 2**125 - 1).map(lambda n: IPv6Address((1 << 125) + n)),
)
internal_ipv4 = st.sampled_from(outbound_addresses._REFUSED_IPV4).flatmap(
    lambda entry: st.integers(0, entry[0].num_addresses - 1).map(lambda n: entry[0][n])
)


@pytest.mark.parametrize(("text", "what"), REFUSED.items())
def test_internal_addresses_are_refused_by_name(text: str, what: str) -> None:
    assert refused_range(ipaddress.ip_address(text)) == what
    with pytest.raises(TransportError) as caught:
        STRICT.check(ipaddress.ip_address(text), 443)
    assert caught.value.kind is Kind.REFUSED_ADDRESS


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses_are_not(text: str) -> None:
    assert refused_range(ipaddress.ip_address(text)) == ""
    STRICT.check(ipaddress.ip_address(text), 443)


@given(any_ipv4)
def test_nothing_the_standard_library_calls_special_is_dialled(address: IPv4Address) -> None:
    is_special = (
        address.is_private
        or address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_reserved
        or address.is_unspecified
        or not address.is_global
    )
    if is_special:
        assert refused_range(address)


@given(any_ipv6)
def test_ipv6_is_global_unicast_or_a_public_ipv4_inside(address: IPv6Address) -> None:
    is_special = (
        address.is_private
        or address.is_loopback
        or address.is_link_local
        or address.is_site_local
        or address.is_multicast
        or address.is_unspecified
        or address.sixtofour is not None
        or address.teredo is not None
    )
    carries = address.ipv4_mapped
    if address in ipaddress.ip_network("64:ff9b::/96"):
        carries = IPv4Address(int(address) & 0xFFFFFFFF)
    if carries is not None:
        assert refused_range(address) == refused_range(carries)
    elif is_special or address.packed[0] >> 5 != 1:
        assert refused_range(address)


@given(internal_ipv4)
def test_an_internal_ipv4_is_refused_in_every_ipv6_form(inside: IPv4Address) -> None:
    number = int(inside)
    forms = [
        0xFFFF << 32 | number,  # mapped, RFC 4291
        number,  # compatible, RFC 4291
        0xFFFF << 48 | number,  # translated, RFC 2765
        0x0064FF9B << 96 | number,  # NAT64, RFC 6052
        0x2002 << 112 | number << 80 | 1,  # 6to4, RFC 3056
        0x20010000 << 96 | 0xFFFFFFFF ^ number,  # Teredo, the client's address, RFC 4380
        0x20010000 << 96 | number << 64,  # Teredo, the server's
    ]
    assert refused_range(inside)
    for form in forms:
        assert refused_range(IPv6Address(form)), IPv6Address(form)


@given(any_ipv4)
def test_mapped_and_translated_forms_are_what_they_carry(inside: IPv4Address) -> None:
    assert refused_range(IPv6Address(0xFFFF << 32 | int(inside))) == refused_range(inside)
    assert refused_range(IPv6Address(0x0064FF9B << 96 | int(inside))) == refused_range(inside)


def test_allow_listed_networks_are_exempt_at_any_port_and_nothing_beside_them() -> None:
    policy = OutboundPolicy(
        allow=(ipaddress.ip_network("10.20.0.0/16"), ipaddress.ip_network("fd00:1::/32")),
        ports=frozenset({443}),
    )
    for text in ("10.20.0.1", "10.20.255.255", "::ffff:10.20.1.1", "fd00:1::5"):
        policy.check(ipaddress.ip_address(text), 9999)
    for text in ("10.21.0.1", "fd00:2::5", "127.0.0.1", "64:ff9b::10.20.0.1"):
        with pytest.raises(TransportError):
            policy.check(ipaddress.ip_address(text), 443)


def test_public_addresses_are_dialled_at_the_listed_ports_only() -> None:
    with pytest.raises(TransportError, match="SEALGATE_OUTBOUND_PORTS") as caught:
        STRICT.check(IPv4Address("8.8.8.8"), 6379)
    assert caught.value.kind is Kind.REFUSED_ADDRESS


def test_one_refused_address_among_several_refuses_the_name() -> None:
    assert [str(a) for a in ssrf.checked(["8.8.8.8", "1.1.1.1", "8.8.8.8"], 443, STRICT)] == [
        "8.8.8.8",
        "1.1.1.1",
    ]
    with pytest.raises(TransportError) as caught:
        ssrf.checked(["8.8.8.8", "10.0.0.1"], 443, STRICT)
    assert caught.value.kind is Kind.REFUSED_ADDRESS
    assert not caught.value.permanent


@pytest.mark.parametrize("found", [[], ["not an address"]])
def test_no_address_is_a_failure_of_the_name(found: list[str]) -> None:
    with pytest.raises(TransportError) as caught:
        ssrf.checked(found, 443, STRICT)
    assert caught.value.kind is Kind.DNS
