"""What stands on docs/upstream.md works: both services, the class, called by a real partner."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.test import Client as Http

from callbacks.models import Delivery
from crypto_schemes.scheme import read_json
from flows_endpoint.backends import Call
from flows_endpoint.backends.select import load
from flows_endpoint.backends.upstream import UpstreamBackend
from flows_endpoint.exchange import Reason, Refusal
from flows_endpoint.models import ExchangeRow
from tenants import at_rest, lifecycle
from tenants.actors import Actor
from tenants.keyring import keyring
from tenants.lifecycle import IssuedFlow
from tests.flows_endpoint.citcall.partner import ORDER, Partner
from tests.support.page_examples import code_on
from tests.support.services import require_program

pytestmark = pytest.mark.django_db
MAINTENANCE = b'{"rc":"66","info":"Maintenance in progress"}'


@contextmanager
def running(command: list[str], secret: str) -> Iterator[str]:
    """Run a service of the page on a free port; yields its URL."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
    environ = {**os.environ, "PORT": str(port), "SEALGATE_SIGNING_SECRET": secret}
    process = subprocess.Popen(
        command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/sealgate"
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("language", ["python", pytest.param("node", marks=pytest.mark.interop)])
def test_the_services_of_the_page_check_and_answer(
    language: str,
    issued: IssuedFlow,
    make_call: Callable[..., Call],
    client: Http,
    actor: Actor,
    tmp_path: Path,
) -> None:
    program = sys.executable if language == "python" else require_program("node")
    path = tmp_path / ("service.py" if language == "python" else "service.mjs")
    path.write_text(code_on("upstream.md", f"{language} service"))
    with running([program, str(path)], issued.upstream_secret) as url:
        lifecycle.update_flow(actor, issued.flow, {"upstream_url": url})
        partner = Partner(issued, client)
        assert partner.call({**ORDER, "clientUniqueId": "B-1"}) == {
            "rc": "00",
            "info": "success",
            "msisdn": ORDER["msisdn"],
        }
        down = partner.post(partner.data({**ORDER, "gateway": 4, "clientUniqueId": "B-2"}))
        assert down.content == MAINTENANCE
        # Details are part of what is signed, and a call signed with another secret is refused.
        details = {"route": "é/1", "n": 1}
        call = make_call(raw=b'{"gateway":1,"msisdn":"08"}', details=details)
        assert UpstreamBackend().handle(call).payload["rc"] == "00"
        other = replace(call, flow=replace(call.flow, keys=_other_secret(call)))
        with pytest.raises(Refusal) as caught:
            UpstreamBackend().handle(other)
        assert (caught.value.reason, caught.value.step) == (Reason.UPSTREAM_ANSWER, "http_401")


def _other_secret(call: Call) -> dict[str, Any]:
    (held,) = call.flow.keys["upstream_signing"]
    forged = replace(held.version, material="whsec_" + "A" * 32)
    return {**call.flow.keys, "upstream_signing": (replace(held, version=forged),)}


@pytest.fixture
def company(monkeypatch: pytest.MonkeyPatch) -> str:
    """The page's class, importable under the path the page gives it."""
    package, module = ModuleType("company"), ModuleType("company.sealgate")
    exec(
        compile(code_on("upstream.md", "python backend"), "company/sealgate.py", "exec"),
        vars(module),
    )
    package.sealgate = module  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "company", package)
    monkeypatch.setitem(sys.modules, "company.sealgate", module)
    load.cache_clear()
    return "company.sealgate.Credit"


def test_the_class_of_the_page_answers_refuses_and_calls_back(
    company: str, make_flow: Callable[..., IssuedFlow], client: Http
) -> None:
    issued = make_flow(
        "citcall",
        backend="python",
        backend_class=company,
        callback_url="https://partner.example/calls",
        options={"callback_body": "plain"},
    )
    partner = Partner(issued, client)
    assert partner.call() == {"rc": "00", "info": "success", "msisdn": ORDER["msisdn"]}
    row = ExchangeRow.objects.get()
    delivery = Delivery.objects.get()
    body = read_json(at_rest.open_sealed(delivery.body, delivery.at_rest_context))
    assert (delivery.event, delivery.subject) == ("call.ordered", row.request_id)
    assert (body["msisdn"], body["by"]) == (ORDER["msisdn"], "acme")
    blocked = partner.post(partner.data({**ORDER, "gateway": 4, "clientUniqueId": "A-2"}))
    assert blocked.content == MAINTENANCE
    assert Delivery.objects.count() == 1


def test_a_path_that_cannot_be_loaded_is_the_contracts_unavailable(
    company: str, make_flow: Callable[..., IssuedFlow], client: Http
) -> None:
    issued = make_flow("citcall", backend="python", backend_class=company)
    type(issued.flow).objects.filter(pk=issued.flow.pk).update(backend_class="company.gone.Credit")
    keyring.forget()
    answer = Partner(issued, client).post()
    assert answer.json()["rc"] == "34"
    assert ExchangeRow.objects.get().step == "backend:ModuleNotFoundError"
