"""A flow is made whole: identity, first keys, credentials, audit; or not at all."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.core.exceptions import ValidationError

from tenants import at_rest
from tenants.lifecycle import IssuedFlow, LifecycleError
from tenants.models import AuditEntry, Flow, Key, KeyringEpoch
from tests.support.bundles import BUNDLES

pytestmark = pytest.mark.django_db
Make = Callable[..., IssuedFlow]


@pytest.mark.parametrize("scheme", BUNDLES)
def test_the_credentials_are_the_contracts(make_flow: Make, scheme: str) -> None:
    issued = make_flow(scheme)
    assert list(issued.credentials) == BUNDLES[scheme]
    assert all(issued.credentials.values())


def test_every_key_is_active_and_audited(make_flow: Make) -> None:
    issued = make_flow("isu")
    purposes = {"pass_key", "client_secret", "isu_aes", "callback_signing", "upstream_signing"}
    assert {(key.purpose, key.version, key.state) for key in issued.flow.keys.all()} == {
        (purpose, 1, "active") for purpose in purposes
    }
    verbs = list(AuditEntry.objects.order_by("id").values_list("verb", flat=True))
    assert verbs == ["client.create", "flow.create", *["key.generate"] * 5]


@pytest.mark.parametrize("scheme", BUNDLES)
def test_the_secret_for_the_own_service_is_not_the_partners(make_flow: Make, scheme: str) -> None:
    issued = make_flow(scheme)
    assert issued.upstream_secret.startswith("whsec_")
    assert issued.upstream_secret not in {*issued.credentials.values(), issued.callback_secret}
    assert issued.upstream_secret not in repr(issued)
    key = issued.flow.keys.get(purpose="upstream_signing")
    stored = at_rest.open_sealed(key.material, key.at_rest_context)
    assert stored.decode("ascii") == issued.upstream_secret


def test_an_address_in_use_is_refused_and_nothing_changes(make_flow: Make) -> None:
    make_flow("citcall", address="partner01")
    before = (Flow.objects.count(), Key.objects.count(), KeyringEpoch.objects.get().value)
    with pytest.raises(LifecycleError, match="partner01 is in use"):
        make_flow("citcall", address="partner01")
    assert (Flow.objects.count(), Key.objects.count(), KeyringEpoch.objects.get().value) == before


def test_bad_options_name_the_option_and_nothing_is_made(make_flow: Make) -> None:
    with pytest.raises(ValidationError, match="no such option"):
        make_flow("citcall", options={"no_such": 1})
    assert not Flow.objects.exists()
    assert not Key.objects.exists()
