"""A form served by the flow's own service: asked once a step, its answers checked and sealed."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from callbacks import transport
from callbacks.models import Delivery
from flows_endpoint.models import ExchangeRow
from flows_endpoint.whatsapp_flows.models import StepReply
from tests.flows_endpoint.whatsapp_flows.conftest import MakePhone
from tests.flows_endpoint.whatsapp_flows.platform import Phone, opened_json

pytestmark = pytest.mark.django_db
END = {"screen": "SUCCESS", "data": {"extension_message_response": {"params": {"n": 1}}}}
Serve = Callable[..., tuple[Phone, list[Any]]]


@pytest.fixture
def serve(make_phone: MakePhone, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Return a phone whose service answers as told, and the list of what the service was sent."""

    def start(answer: Any, status: int = 200, **options: Any) -> tuple[Phone, list[Any]]:
        sent: list[Any] = []

        def post(url: str, body: bytes, headers: dict[str, str], **_: Any) -> Any:
            sent.append((url, body, headers))
            text = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            return SimpleNamespace(is_success=status < 300, status=status, body=text)

        monkeypatch.setattr(transport.shared, "post", post)
        phone = make_phone(
            backend="upstream",
            upstream_url="https://service.example/forms",
            callback_url="https://partner.example/callback",
            options=options,
        )
        return phone, sent

    return start


def test_the_service_gets_the_step_and_its_answer_goes_back(serve: Serve) -> None:
    phone, sent = serve({"screen": "NEXT", "data": {"x": "Zoë"}})
    for _ in range(2):
        assert phone.step("FORM", {"a": 1}).value == {"screen": "NEXT", "data": {"x": "Zoë"}}
    ((url, body, headers),) = sent
    assert url == "https://service.example/forms"
    assert json.loads(body)["data"] == {"a": 1}
    assert headers["Sealgate-Operation"] == "data_exchange"


def test_health_checks_and_error_notifications_do_not_reach_it(serve: Serve) -> None:
    phone, sent = serve(END)
    assert phone.send({"version": "3.0", "action": "ping"}).status == 200
    assert phone.step("FORM", {"error": "x", "error_message": "y"}).status == 200
    assert sent == []


def test_a_completed_form_is_announced_once(serve: Serve) -> None:
    phone, sent = serve(END, summary_template="Number {n}")
    assert phone.step("FORM", {}).value == phone.step("FORM", {}).value == END
    assert len(sent) == 1
    delivery = Delivery.objects.get()
    assert delivery.event == "flow.completed"
    body = opened_json(delivery)
    assert (body["params"], body["summary"]) == ({"n": 1}, "Number 1")
    # The announcement leads to the log line of the request, and to nobody.
    assert delivery.subject == ExchangeRow.objects.order_by("id")[0].request_id


def test_it_can_say_that_the_token_is_over(serve: Serve) -> None:
    phone, _ = serve({"error_msg": "Closed."})
    reply = phone.step("FORM", {})
    assert (reply.status, reply.value) == (427, {"error_msg": "Closed."})
    assert not StepReply.objects.exists()


@pytest.mark.parametrize(
    ("answer", "status", "step"),
    [
        ({"screen": "NEXT", "data": {}}, 503, "http_503"),
        ({"screen": "NEXT", "data": {}}, 404, "http_404"),
        (b"<html>", 200, "not_json"),
        (b"", 200, "not_json"),
        ({"screen": "NEXT"}, 200, "bad_reply"),
        ([], 200, "bad_reply"),
    ],
)
def test_what_it_does_wrong_is_500_and_may_be_tried_again(
    serve: Serve, answer: Any, status: int, step: str
) -> None:
    phone, sent = serve(answer, status)
    for _ in range(2):
        reply = phone.step("FORM", {})
        assert (reply.status, reply.body) == (500, b"")
    assert len(sent) == 2
    assert not StepReply.objects.exists()
    assert not Delivery.objects.exists()
    row = ExchangeRow.objects.order_by("id")[0]
    assert (row.outcome, row.reason, row.step) == ("failed", "upstream_answer", step)
