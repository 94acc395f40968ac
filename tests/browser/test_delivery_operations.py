"""An operator sees why a callback failed, stops and starts its endpoint, sends a range again."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from tests.browser.conftest import staff
from tests.support import product
from tests.support.browser import Person
from tests.support.product import Product
from tests.support.receiver import Receiver, Reply

pytestmark = [pytest.mark.product, pytest.mark.once, pytest.mark.timeout(400)]
ENQUEUE = """
from django.db import transaction
from callbacks.models import Endpoint
from callbacks.outbox import enqueue
from tenants.models import Flow
flow = Flow.objects.order_by().get()
# What fails is tried again by a hand, not by the clock.
Endpoint.objects.update_or_create(
    flow=flow, channel="callback", defaults={{"schedule": [86400]}}
)
for number in range({count}):
    with transaction.atomic():
        enqueue(str(flow.pk), "call.ended", {{"number": number}}, subject=f"call-{{number}}")
"""


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        yield server


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[Product]:
    var = tmp_path_factory.mktemp("operations")
    made = product.start(
        var,
        processes=("web", "worker", "beat"),
        settings={
            "SEALGATE_SECOND_FACTOR": "on",
            "SEALGATE_WEB_PROCESSES": "1",
            "SEALGATE_OUTBOUND_ALLOW": "127.0.0.0/8",
            "SEALGATE_OUTBOUND_PORTS": str(receiver.port),
        },
    )
    url = f"http://127.0.0.1:{receiver.port}/hook"
    made.provision("citcall", "--callback-url", url)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def operator(running: Product) -> Iterator[Person]:
    with staff(running, "olga", "Operator") as somebody:
        yield somebody


def wait_for(person: Person, path: str, text: str) -> None:
    """Look at a page until it says ``text``, not as the end of a longer number."""
    until = time.monotonic() + 90
    while True:
        person.open(path)
        if re.search(rf"(?<!\d){re.escape(text)}", person.page):
            return
        assert time.monotonic() < until, person.page
        time.sleep(0.5)


def enqueue(running: Product, count: int) -> None:
    running.manage("shell", "-c", ENQUEUE.format(count=count))


def test_the_line_of_attempts(operator: Person, running: Product, receiver: Receiver) -> None:
    receiver.next(Reply(status=422, body=b'{"error": "no such call"}'))
    enqueue(running, 1)
    wait_for(operator, "/admin/callbacks/delivery/", "http_422")
    operator.press("#result_list tbody th a")
    assert operator.find("tr[data-attempt='1'] .sg-phases").is_displayed()
    rects = operator.driver.find_elements("css selector", "tr[data-attempt='1'] .sg-phases rect")
    assert [rect.get_attribute("class") for rect in rects][-2:] == ["sg-p-wait", "sg-p-rest"]
    assert sum(rect.size["width"] for rect in rects) > 100
    operator.unfold("tr[data-attempt='1'] .sg-answer")
    assert '{"error": "no such call"}' in operator.page
    operator.show("#attempts")
    operator.picture("delivery-attempts")
    operator.press("form[action$='/do/retry/'] button")
    assert "It will be tried now." in operator.page
    wait_for(operator, operator.path, "Delivered")
    assert operator.complaints() == []


def test_an_endpoint_is_paused_and_resumed(
    operator: Person, running: Product, receiver: Receiver
) -> None:
    operator.open("/admin/callbacks/endpoint/")
    operator.press("#result_list tbody th a")
    page = operator.path
    operator.fill_in("form[action$='/do/pause/'] [name=reason]", "They move house.")
    operator.press("form[action$='/do/pause/'] button")
    assert "The endpoint is paused. Its deliveries wait." in operator.page
    assert "They move house." in operator.page
    before = len(receiver.requests)
    enqueue(running, 3)
    time.sleep(7)  # beat has rung, and the worker has looked by itself
    assert len(receiver.requests) == before
    operator.open(page)
    operator.picture("endpoint-paused")
    operator.press("form[action$='/do/resume/'] button")
    assert "The endpoint goes on." in operator.page
    wait_for(operator, "/admin/callbacks/delivery/?state__exact=pending", "0 deliveries")
    assert len(receiver.requests) == before + 3
    assert operator.complaints() == []


def test_a_range_is_sent_again(operator: Person, running: Product, receiver: Receiver) -> None:
    enqueue(running, 20)
    wait_for(operator, "/admin/callbacks/delivery/?state__exact=pending", "0 deliveries")
    sent = {request.headers["webhook-id"] for request in receiver.requests}
    before = len(receiver.requests)
    operator.open("/admin/callbacks/delivery/?state__exact=delivered")
    operator.press("a[href*='/callbacks/replay/add/']")
    operator.fill_in("[name=reason]", "They lost their database.")
    operator.press("[name=_save]")
    assert "The replay has begun." in operator.page
    operator.picture("replay-running")
    until = time.monotonic() + 40
    # The page loads itself again, without a script and without a hand.
    while "Done" not in operator.find("#progress").text:
        assert time.monotonic() < until, operator.page
        time.sleep(1)
    assert f"{len(sent)} of {len(sent)} looked at, {len(sent)} sent again." in operator.page
    wait_for(operator, "/admin/callbacks/delivery/?state__exact=pending", "0 deliveries")
    again = [request.headers["webhook-id"] for request in receiver.requests[before:]]
    assert len(again) == len(sent)
    assert set(again) == sent
    assert operator.complaints() == []
