"""Tokens: lengths, limits, renewal, and what stands in them."""

from __future__ import annotations

import pytest

from crypto_schemes.errors import AuthenticationError, KeyUnavailableError
from crypto_schemes.flynn import FlynnOptions, tokens
from crypto_schemes.flynn.tokens import Claims, claimed_org, issue, read, renew
from crypto_schemes.keys import Credentials, KeyVersion
from tests.crypto_schemes.flynn_partner import NOW, OPTIONS, ORG, server

START = int(NOW)


@pytest.mark.parametrize(
    ("wanted", "minutes"),
    [(None, 20), (1, 1), (359, 359), (360, 360), (361, 360), (10**30, 360), (0, 1), (-5, 1)],
)
def test_the_length_is_what_was_asked_for_within_bounds(wanted: int | None, minutes: int) -> None:
    text, claims = issue("u-1", (ORG,), server(), OPTIONS, now=NOW + 0.9, minutes=wanted)
    assert claims == Claims(
        user_id="u-1",
        org_ids=(ORG,),
        session_id=claims.session_id,
        token_id=claims.token_id,
        issued_at=START,
        expires_at=START + minutes * 60,
        renewable_until=START + minutes * 60 * 6,
        minutes=minutes,
    )
    assert len(claims.session_id) == len(claims.token_id) == 32
    assert read(text, server(), now=NOW).claims == claims


def test_a_renewed_token_never_outlives_six_lengths() -> None:
    _, claims = issue("u-1", (ORG,), server(), OPTIONS, now=NOW, minutes=10)
    ids = {claims.token_id}
    ends = []
    now = START
    while now < claims.expires_at:
        now = claims.expires_at - 60
        text, renewed = renew(claims, server(), now=now)
        assert read(text, server(), now=now).claims == renewed
        assert renewed.renewable_until == START + 3600
        assert renewed.session_id == claims.session_id
        ids.add(renewed.token_id)
        ends.append(renewed.expires_at - START)
        if renewed.expires_at == claims.expires_at:
            break
        claims = renewed
    assert ends == [1140, 1680, 2220, 2760, 3300, 3600, 3600]
    assert len(ids) == 8


def test_the_bounds_are_options() -> None:
    options = FlynnOptions(token_minutes=5, token_max_minutes=7, token_renewal_factor=1)
    _, usual = issue("u-1", (), server(), options, now=NOW)
    _, longest = issue("u-1", (), server(), options, now=NOW, minutes=60)
    assert (usual.minutes, longest.minutes) == (5, 7)
    assert usual.renewable_until == usual.expires_at


def test_two_tokens_are_never_the_same() -> None:
    texts = {issue("u-1", (ORG,), server(), OPTIONS, now=NOW)[0] for _ in range(20)}
    assert len(texts) == 20


def test_without_a_signing_key_there_is_no_token() -> None:
    with pytest.raises(KeyUnavailableError):
        issue("u-1", (ORG,), Credentials(), OPTIONS, now=NOW)


def test_a_token_names_its_organisation_without_proof() -> None:
    text, _ = issue("u-1", (ORG, "other"), server(), OPTIONS, now=NOW)
    head, contents, _ = text.split(".")
    assert claimed_org(text) == ORG
    assert claimed_org(f"{head}.{contents}.AAAA") == ORG
    none, _ = issue("u-1", (), server(), OPTIONS, now=NOW)
    for other in (
        none,
        "",
        "a.b.c",
        "a" * 5000,
        "e30.e30.AA",  # {}
        "e30.eyJvcmdzIjpbMV19.AA",  # {"orgs":[1]}
        "e30.eyJvcmdzIjoieCJ9.AA",  # {"orgs":"x"}
        "e30.W10.AA",  # []
    ):
        assert claimed_org(other) == ""


def test_a_token_remembered_as_genuine_is_so_for_its_own_key_alone() -> None:
    mine, other = (
        Credentials(versions={"token_signing": (KeyVersion("same", "token_signing", 1, key),)})
        for key in (b"k" * 32, b"o" * 32)
    )
    token, claims = tokens.issue("user", ("org",), mine, FlynnOptions(), now=NOW)
    for _ in range(2):
        assert tokens.read(token, mine, now=NOW).claims == claims
        with pytest.raises(AuthenticationError) as refused:
            tokens.read(token, other, now=NOW)
        assert refused.value.code == "token_invalid"
    with pytest.raises(AuthenticationError) as late:
        tokens.read(token, mine, now=claims.expires_at)
    assert late.value.code == "token_expired"


def test_only_so_many_tokens_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "_genuine", {})
    monkeypatch.setattr(tokens, "_MOST_REMEMBERED", 3)
    key = KeyVersion("k", "token_signing", 1, b"k" * 32)
    credentials = Credentials(versions={"token_signing": (key,)})
    for _ in range(8):
        token, claims = tokens.issue("user", ("org",), credentials, FlynnOptions(), now=NOW)
        assert tokens.read(token, credentials, now=NOW).claims == claims
        with pytest.raises(AuthenticationError):
            tokens.read(token[:-4] + "AAAA", credentials, now=NOW)
    assert len(tokens._genuine) <= 3
