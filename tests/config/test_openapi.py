"""The OpenAPI document covers every address, is valid, and its page needs no other host."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client as HttpClient
from django.urls import URLPattern, URLResolver, get_resolver
from openapi_spec_validator import validate

from flows_endpoint.views import ProtocolView

pytestmark = pytest.mark.django_db


@pytest.fixture
def document(client: HttpClient) -> dict[str, Any]:
    reply = client.get("/openapi.json", headers={"Accept": "application/json"})
    assert reply.status_code == 200
    parsed: dict[str, Any] = reply.json()
    return parsed


def _addresses(patterns: list[URLPattern | URLResolver], prefix: str = "") -> set[str]:
    found = set()
    for pattern in patterns:
        text = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            found |= _addresses(pattern.url_patterns, text)
        elif issubclass(getattr(pattern.callback, "cls", object), ProtocolView):
            found.add("/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", text))
    return found


def test_it_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    validate(document)


def test_it_covers_every_address(document: dict[str, Any]) -> None:
    addresses = {
        address
        for address in _addresses(get_resolver().url_patterns)
        if not re.search(r"[(^$+]", address)
    }
    assert len(addresses) > 20
    assert addresses <= set(document["paths"])


def test_every_operation_has_a_name_a_summary_and_an_answer(document: dict[str, Any]) -> None:
    names = []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if method not in ("get", "post", "put", "patch"):
                continue
            assert operation.get("summary"), (path, method)
            assert operation["responses"], (path, method)
            names.append(operation["operationId"])
    assert len(set(names)) == len(names)


def test_the_page_loads_nothing_from_elsewhere(client: HttpClient) -> None:
    page = client.get("/docs").content.decode()
    assert "drf_spectacular_sidecar" in page
    assert not re.findall(r"""(?:src|href)=["'](?:https?:)?//""", page)
