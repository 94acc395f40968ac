"""The newest version seals and signs; every accepted one opens and is named."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from crypto_schemes.errors import AuthenticationError
from crypto_schemes.flynn import SCHEME, Mode, RekError, SensitiveValueError, Session
from crypto_schemes.flynn.tokens import PASSWORD, issue, match_secret, read
from tests.crypto_schemes.flynn_partner import (
    CBC,
    IV,
    NOW,
    OPTIONS,
    ORG,
    REK,
    SIGNING_KEY,
    another_2048,
    partner,
    request,
    server,
    token,
    wrap,
)


@pytest.mark.parametrize("mode", Mode)
def test_an_older_key_pair_still_opens(
    mode: Mode, rsa_2048: RSAPrivateKey, rsa_4096: RSAPrivateKey
) -> None:
    credentials = server(another_2048(), rsa_4096, rsa_2048)
    for key, name in ((another_2048(), 3), (rsa_4096, 2), (rsa_2048, 1)):
        sealed = SCHEME.seal_request(
            {"sensitive": {"data": "x"}},
            partner(key),
            OPTIONS,
            now=NOW,
            token=token(),
            session=Session.fresh(mode),
        )
        opened = SCHEME.open_request(sealed, credentials, OPTIONS, now=NOW)
        assert opened.opened_by[-1].id == f"flynn_rsa-{name}"


def test_a_version_no_longer_accepted_does_not(rsa_2048: RSAPrivateKey) -> None:
    sealed = SCHEME.seal_request(
        {"sensitive": {"data": "x"}}, partner(rsa_2048), OPTIONS, now=NOW, token=token()
    )
    with pytest.raises(RekError):
        SCHEME.open_request(sealed, server(another_2048()), OPTIONS, now=NOW)


def test_rek_and_iv_belong_to_one_version(rsa_2048: RSAPrivateKey) -> None:
    sealed = request(
        rek__s=wrap(rsa_2048, REK.hex().encode()),
        iv__s=wrap(another_2048(), IV),
        aes_encryption_mode="CBC",
        data__s=CBC.seal("one block"),
    )
    with pytest.raises(SensitiveValueError):
        SCHEME.open_request(sealed, server(another_2048(), rsa_2048), OPTIONS, now=NOW)


def test_a_token_of_an_older_signing_key_is_good_until_that_ends(rsa_2048: RSAPrivateKey) -> None:
    new_key = b"n" * 32
    both, only_new = (
        server(rsa_2048, signing=(new_key, SIGNING_KEY)),
        server(rsa_2048, signing=(new_key,)),
    )
    opened = SCHEME.open_request(request(), both, OPTIONS, now=NOW)
    assert [version.version for version in opened.opened_by] == [1]
    with pytest.raises(AuthenticationError) as caught:
        SCHEME.open_request(request(), only_new, OPTIONS, now=NOW)
    assert caught.value.code == "token_invalid"
    fresh, _ = issue("u-1", (ORG,), both, OPTIONS, now=NOW)
    assert read(fresh, only_new, now=NOW).version.material == new_key


def test_every_accepted_password_is_known_by_its_version(rsa_2048: RSAPrivateKey) -> None:
    credentials = server(rsa_2048)
    for given, version in (("new-password", 2), ("old-password", 1)):
        found = match_secret(PASSWORD, given, credentials)
        assert found is not None
        assert found.version == version
    for wrong in ("", "New-password", "new-password ", "\ud800", "pässword"):
        assert match_secret(PASSWORD, wrong, credentials) is None
