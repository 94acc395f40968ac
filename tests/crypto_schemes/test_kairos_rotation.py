"""Rotation and authentication: which version opened, which security-id proved the sender."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from crypto_schemes.envelope import OpenedRequest
from crypto_schemes.errors import AuthenticationError, OpenError
from crypto_schemes.kairos import SCHEME, authenticate, read_plain
from crypto_schemes.keys import Credentials
from tests.crypto_schemes.kairos_flow import FLOW, NOW, OPTIONS, SECURITY, partner, server

OLD = "0a" * 32


def test_an_older_key_version_still_opens(rsa_2048: RSAPrivateKey, rsa_4096: RSAPrivateKey) -> None:
    credentials = server(rsa_4096, rsa_2048)
    for key, version in ((rsa_4096, 2), (rsa_2048, 1)):
        sealed = SCHEME.seal_request({"a": 1}, partner(key), OPTIONS, now=NOW)
        opened = SCHEME.open_request(sealed, credentials, OPTIONS, now=NOW)
        assert [(v.purpose, v.version) for v in opened.opened_by] == [("kairos_rsa", version)]


def test_a_withdrawn_key_version_does_not_open(
    rsa_2048: RSAPrivateKey, rsa_4096: RSAPrivateKey
) -> None:
    sealed = SCHEME.seal_request({"a": 1}, partner(rsa_2048), OPTIONS, now=NOW)
    with pytest.raises(OpenError):
        SCHEME.open_request(sealed, server(rsa_4096), OPTIONS, now=NOW)


@pytest.mark.parametrize(("given", "version"), [(SECURITY, 2), (OLD, 1)])
def test_authenticate_names_the_security_id_version(
    given: str, version: int, rsa_2048: RSAPrivateKey
) -> None:
    credentials = server(rsa_2048, tokens=(SECURITY, OLD))
    payload = {"flow-id": FLOW, "security-id": given, "calls": []}
    sealed = SCHEME.seal_request(payload, partner(rsa_2048), OPTIONS, now=NOW)
    opened = SCHEME.open_request(sealed, credentials, OPTIONS, now=NOW)
    proved = authenticate(opened, credentials)
    assert [(v.purpose, v.version) for v in proved.opened_by] == [
        ("kairos_rsa", 1),
        ("security_id", version),
    ]
    assert proved.raw == opened.raw
    plain = authenticate(read_plain(json.dumps(payload).encode()), credentials)
    assert [(v.purpose, v.version) for v in plain.opened_by] == [("security_id", version)]


@pytest.mark.parametrize(
    "given",
    [None, "", 1, True, [], SECURITY[:-1], SECURITY + "0", SECURITY.upper(), OLD, "\x00" * 64, "é"],
    ids=repr,
)
def test_a_wrong_security_id(given: Any) -> None:
    opened = OpenedRequest(payload={"flow-id": FLOW, "security-id": given}, raw=b"", context=FLOW)
    with pytest.raises(AuthenticationError) as refused:
        authenticate(opened, server())
    assert refused.value.code == "security_id"


@pytest.mark.parametrize("inner", [None, "", 8, "Kx92LmQ8", "kx92lmq7", "Kx92LmQ7 "], ids=repr)
def test_inner_and_outer_flow_id_must_agree(inner: Any) -> None:
    opened = OpenedRequest(
        payload={"flow-id": inner, "security-id": SECURITY}, raw=b"", context=FLOW
    )
    with pytest.raises(AuthenticationError) as refused:
        authenticate(opened, server())
    assert refused.value.code == "flow_id"


@pytest.mark.parametrize("context", [None, "", "Kx92LmQ8"], ids=repr)
def test_an_inner_flow_id_needs_its_envelope(context: Any) -> None:
    payload = {"flow-id": FLOW, "security-id": SECURITY}
    opened = OpenedRequest(payload=payload, raw=b"", context=context)
    with pytest.raises(AuthenticationError) as refused:
        authenticate(opened, server())
    assert refused.value.code == "flow_id"


@pytest.mark.parametrize("payload", [None, [], "x", 1, True], ids=repr)
def test_what_is_not_an_object_is_not_authenticated(payload: Any) -> None:
    with pytest.raises(OpenError) as refused:
        authenticate(OpenedRequest(payload=payload, raw=b"", context=FLOW), server())
    assert refused.value.code == "shape"


def test_without_credentials_nothing_is_authentic() -> None:
    empty = OpenedRequest(payload={"flow-id": "", "security-id": ""}, raw=b"", context="")
    real = OpenedRequest(payload={"flow-id": FLOW, "security-id": ""}, raw=b"", context=FLOW)
    for opened in (empty, real):
        for credentials in (Credentials(), server(tokens=())):
            with pytest.raises(AuthenticationError):
                authenticate(opened, credentials)
