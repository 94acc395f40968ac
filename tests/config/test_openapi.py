"""The OpenAPI document covers every address, is valid, and its page needs no other host."""

from __future__ import annotations

import json
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.test import Client as HttpClient
from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.generators import SchemaGenerator
from openapi_spec_validator import validate

from config import openapi
from flows_endpoint.views import ProtocolView

pytestmark = [pytest.mark.django_db, pytest.mark.once]


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


def test_it_is_made_once_a_minute_whoever_asks_how_often(monkeypatch: pytest.MonkeyPatch) -> None:
    now, made = [0.0], []

    def get_schema(*_: Any, **__: Any) -> dict[str, Any]:
        made.append(threading.get_ident())
        time.sleep(0.05)
        return {"made": len(made)}

    monkeypatch.setattr(SchemaGenerator, "get_schema", get_schema)
    document = openapi.Document(clock=lambda: now[0])
    with ThreadPoolExecutor(8) as pool:
        texts = set(pool.map(lambda _: document.text(), range(40)))
    assert [json.loads(text) for text in texts] == [{"made": 1}]
    now[0] = openapi.SERVED_FOR
    assert json.loads(document.text()) == {"made": 2}


def test_it_is_json_whatever_is_asked_for(client: HttpClient) -> None:
    for accept in ("", "*/*", "application/yaml", "text/html"):
        reply = client.get("/openapi.json?format=yaml", headers={"Accept": accept})
        assert reply.headers["Content-Type"] == "application/json"
        assert reply.json()["openapi"].startswith("3.1")
    assert client.post("/openapi.json").status_code == 405


def test_the_page_loads_nothing_from_elsewhere(client: HttpClient) -> None:
    page = client.get("/docs/api").content.decode()
    assert "drf_spectacular_sidecar" in page
    assert not re.findall(r"""(?:src|href)=["'](?:https?:)?//""", page)
