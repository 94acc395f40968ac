"""Which contracts have flows is one question, for however many contracts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from crypto_schemes import registry
from tenants.lifecycle import IssuedFlow
from tenants.models import Flow
from tenants.schemes_in_use import schemes_in_use

pytestmark = pytest.mark.django_db
Make = Callable[..., IssuedFlow]


def test_those_with_flows_are_told_by_one_statement(
    make_flow: Make, django_assert_num_queries: Any
) -> None:
    make_flow("isu")
    make_flow("citcall")
    Flow.objects.filter(scheme="citcall").update(is_enabled=False)
    with django_assert_num_queries(1):
        assert schemes_in_use(registry.NAMES) == {"isu", "citcall"}
    assert schemes_in_use(["kairos", "isu"]) == {"isu"}
    assert schemes_in_use(["kairos"]) == frozenset()


def test_of_no_contract_nothing_is_asked(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert schemes_in_use([]) == frozenset()
