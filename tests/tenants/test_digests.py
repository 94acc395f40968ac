"""The product's own digest keys: made once, never remembered when they were undone."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.db import transaction

from crypto_schemes.ciphers import mac
from tenants import at_rest, digests
from tenants.at_rest import AtRestError
from tenants.lifecycle import IssuedFlow
from tenants.master_keys import MasterKeys
from tenants.master_keys import generate as generate_master_key
from tenants.models import InternalSecret, Key

Make = Callable[..., IssuedFlow]


@pytest.fixture
def migrated(db: None) -> None:
    """The secrets as the migration makes them, also after a test that emptied every table."""
    import_module("tenants.migrations.0002_first_secrets").make(apps, None)


@pytest.mark.usefixtures("migrated")
def test_the_migration_made_them(django_assert_num_queries: Callable[..., Any]) -> None:
    assert set(InternalSecret.objects.values_list("name", flat=True)) >= {"lookup", "fingerprint"}
    with django_assert_num_queries(1):
        for _ in range(5):
            assert len(digests.internal_secret("lookup")) == 32
    assert digests.internal_secret("lookup") != digests.internal_secret("fingerprint")


@pytest.mark.django_db(transaction=True)
def test_one_that_was_undone_is_not_remembered() -> None:
    with transaction.atomic():
        undone = digests.internal_secret("other")
        assert digests.internal_secret("other") == undone
        transaction.set_rollback(True)
    assert not InternalSecret.objects.filter(name="other").exists()
    kept = digests.internal_secret("other")
    assert kept != undone
    digests.forget_cached()
    assert digests.internal_secret("other") == kept


@pytest.mark.django_db(transaction=True)
def test_one_that_was_kept_is_remembered(django_assert_num_queries: Callable[..., Any]) -> None:
    with transaction.atomic():
        made = digests.internal_secret("other")
    assert digests.internal_secret("other") == made
    with django_assert_num_queries(0):
        assert digests.internal_secret("other") == made


@pytest.mark.usefixtures("migrated")
def test_they_are_sealed_in_their_own_place() -> None:
    lookup = InternalSecret.objects.get(name="lookup")
    InternalSecret.objects.filter(name="fingerprint").update(sealed=lookup.sealed)
    with pytest.raises(AtRestError) as caught:
        digests.fingerprint("api_key", b"x")
    assert caught.value.code == "not_authentic"


@pytest.mark.usefixtures("migrated")
def test_another_master_key_is_noticed(settings: Any) -> None:
    settings.MASTER_KEYS = MasterKeys.parse(generate_master_key())
    with pytest.raises(AtRestError):
        digests.internal_secret("lookup")


@pytest.mark.django_db
def test_digests_tell_scheme_purpose_and_secret_apart() -> None:
    inputs = [("isu", "pass_key", "a"), ("isu", "pass_key", "b"), ("isu", "other", "a")]
    inputs += [("citcall", "pass_key", "a"), ("isu", "pass_key", "\ud800"), ("isu", "pass_key", "")]
    made = {digests.lookup_digest(*item) for item in inputs}
    assert len(made) == len(inputs)
    assert all(len(digest) == 64 for digest in made)
    assert digests.lookup_digest(*inputs[0]) == digests.lookup_digest(*inputs[0])
    assert digests.fingerprint("a", b"x") != digests.fingerprint("b", b"x")


@pytest.mark.usefixtures("migrated")
def test_digests_are_made_with_the_key_of_the_database_at_hand() -> None:
    before = digests.lookup_digest("isu", "pass_key", "a")
    row = InternalSecret.objects.get(name="lookup")
    row.sealed = at_rest.seal(bytes(32), row.at_rest_context)
    row.save()
    assert digests.lookup_digest("isu", "pass_key", "a") == before
    digests.forget_cached()
    now = mac.sha256(bytes(32), b"isu|pass_key|a").hex()
    assert digests.lookup_digest("isu", "pass_key", "a") == now != before


@pytest.mark.django_db
def test_a_copy_of_the_database_does_not_give_a_token_away(make_flow: Make) -> None:
    import hashlib  # noqa: PLC0415

    issued = make_flow("citcall")
    key = Key.objects.get(purpose="api_key")
    token = issued.credentials["api_key"].encode()
    for digest in (hashlib.sha256(token).hexdigest(), hashlib.sha256(b"api_key|" + token)):
        assert digest not in {key.lookup_digest, key.fingerprint}
    assert key.lookup_digest != key.fingerprint
