"""How a flow is found by what a request names it by, and how strangers are turned away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tenants import lifecycle
from tenants.actors import Actor
from tenants.keyring import Keyring
from tenants.lifecycle import IssuedFlow
from tests.tenants.clocks import Clock

pytestmark = pytest.mark.django_db
Make = Callable[..., IssuedFlow]
Queries = Callable[..., Any]


def test_a_rotated_secret_finds_the_flow_by_both(
    make_flow: Make, ring: Keyring, clock: Clock, actor: Actor
) -> None:
    issued = make_flow("isu")
    assert ring.by_secret("isu", "pass_key", issued.credentials["pass_key"]) is not None
    staged = lifecycle.generate_key(actor, issued.flow, "pass_key")
    assert ring.by_secret("isu", "pass_key", staged.secret) is None  # remembered for a second
    clock.at += 1.0
    for secret in (issued.credentials["pass_key"], staged.secret):
        found = ring.by_secret("isu", "pass_key", secret)
        assert found is not None
        assert found.id == str(issued.flow.pk)
    lifecycle.revoke_key(actor, issued.flow.keys.get(purpose="pass_key", version=1), reason="x")
    clock.at += 1.0
    assert ring.by_secret("isu", "pass_key", issued.credentials["pass_key"]) is None
    assert ring.by_secret("isu", "pass_key", staged.secret) is not None


def test_a_secret_is_good_for_its_own_purpose_and_contract_only(
    make_flow: Make, ring: Keyring
) -> None:
    isu, citcall = make_flow("isu"), make_flow("citcall")
    assert ring.by_secret("isu", "client_secret", isu.credentials["pass_key"]) is None
    assert ring.by_secret("isu", "pass_key", isu.credentials["client_secret"]) is None
    assert ring.by_secret("isu", "api_key", citcall.credentials["api_key"]) is None
    assert ring.by_secret("citcall", "api_key", citcall.credentials["api_key"]) is not None
    assert ring.by_wire_id("citcall", citcall.flow.address.swapcase()) is None


def test_an_unknown_name_is_asked_for_once(
    make_flow: Make, ring: Keyring, clock: Clock, django_assert_num_queries: Queries
) -> None:
    ring.by_wire_id("citcall", "nobody")
    with django_assert_num_queries(0):
        for _ in range(10):
            assert ring.by_wire_id("citcall", "nobody") is None
    make_flow("citcall", address="nobody")
    clock.at += 1.0
    assert ring.by_wire_id("citcall", "nobody") is not None


@pytest.mark.parametrize(
    "name", ["", "\x00", "a\x00", "a\nb", "\ud800", "a\udfff", "\u200b", "x" * 129, "\x7f"]
)
def test_what_nobody_can_be_called_never_reaches_the_database(
    ring: Keyring, django_assert_num_queries: Queries, name: str
) -> None:
    with django_assert_num_queries(0):
        assert ring.by_wire_id("citcall", name) is None


@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(name=st.text(st.characters(), max_size=140))
def test_any_text_is_looked_up_without_harm(make_flow: Make, ring: Keyring, name: str) -> None:
    assert ring.by_wire_id("citcall", name) is None
    assert ring.by_secret("isu", "pass_key", name) is None
    assert ring.by_flow_id(name) is None


def test_the_look_ups_use_indexes(make_flow: Make, ring: Keyring) -> None:
    issued = make_flow("isu")
    make_flow("citcall", address="partner01")
    with CaptureQueriesContext(
        connection,
    ) as captured:
        ring.by_wire_id("citcall", "partner01")
        ring.by_secret("isu", "pass_key", issued.credentials["pass_key"])
    for query in captured.captured_queries:
        assert "tenants_client" not in query["sql"] or "JOIN" in query["sql"]
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            for query in captured.captured_queries:
                cursor.execute("EXPLAIN QUERY PLAN " + query["sql"])
                plan = " ".join(str(row[-1]) for row in cursor.fetchall())
                assert "SCAN" not in plan, (query["sql"], plan)
