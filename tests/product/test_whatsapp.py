"""A form from the message that opens it to the summary that was read, with every process real.

The worker is killed while updates wait: what the webhook acknowledged is done by the next one.
"""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.cloud_api import CloudApi, webhooks
from tests.support import product
from tests.support.partner import Partner
from tests.support.product import Product

pytestmark = [pytest.mark.product, pytest.mark.once, pytest.mark.timeout(240)]
USER = "15550001111"
#: The number flows of the sandbox have where they have none of their own.
NUMBER_ID = "100000000000000"
OPTIONS = {
    "summary_template": "See you on {date} at {time}.",
    "meta_flow_id": "200000000000002",
    "flow_message": "Book your appointment.",
}


def test_a_form_is_sent_filled_in_and_confirmed(tmp_path: Path) -> None:
    with CloudApi(keeps_window=True) as cloud:
        cloud.heard_from(USER)
        settings = {"SEALGATE_WHATSAPP_SANDBOX_API_URL": cloud.url, "SEALGATE_WEB_PROCESSES": "1"}
        copy = product.start(tmp_path / "copy", settings=settings)
        try:
            options = [part for pair in OPTIONS.items() for part in ("--option", "=".join(pair))]
            flow = copy.provision("whatsapp_flows", *options)
            name = f"whatsapp_flows/{flow['address']}"
            hook = f"{copy.url}/whatsapp/webhook/{flow['address']}"
            cloud.use_webhook(NUMBER_ID, hook, flow["credentials"]["app_secret"])

            uploaded = _told(copy, "upload-public-key", name)
            assert (uploaded["verdict"], uploaded["signature_status"]) == ("active", "VALID")
            assert cloud.keys == {NUMBER_ID: flow["credentials"]["public_key_pem"]}

            started = _told(copy, "send-flow", name, "--to", USER)
            (opening,) = cloud.wait_for(1, seconds=60)
            parameters = opening.body["interactive"]["action"]["parameters"]
            assert parameters["flow_token"] == started["flow_token"]

            chosen = _book(Partner(flow, copy.url), parameters["flow_token"])
            summary = cloud.wait_for(2, seconds=60)[1]
            text = f"See you on {chosen['date']} at {chosen['time']}."
            assert (summary.to, summary.body["text"]["body"]) == (USER, text)

            copy.kill("worker")
            assert cloud.send_reply(opening.wamid) == 200
            assert cloud.send_status(summary.wamid, "delivered", "sent", "read") == 200
            assert cloud.send_status(opening.wamid, "read", "delivered", "sent") == 200
            many = [webhooks.status(webhooks.new_wamid(), "read") for _ in range(1000)]
            status, seconds = cloud.send_updates(NUMBER_ID, *many)
            assert status == 200
            print(f"1000 updates were answered in {1000 * seconds:.0f} ms")
            # Queued, if the worker was killed before it wrote what the platform answered.
            assert {row["state"] for row in _messages(copy)} <= {"accepted", "queued"}
            copy.spawn("worker")
            _until(lambda: _states(copy) == {"read"})
            messages = _messages(copy)
            assert [(row["kind"], row["state"]) for row in messages] == [
                ("summary", "read"),
                ("flow", "read"),
            ]
            assert len(cloud.messages) == 2
            log = copy.log.read_text()
            for secret in (USER, parameters["flow_token"], summary.wamid, "sandbox-access-token"):
                assert secret not in log
        finally:
            copy.stop()


def _told(copy: Product, *arguments: str) -> Any:
    return json.loads(copy.manage("whatsapp", *arguments, "--json").stdout)


def _messages(copy: Product) -> list[Any]:
    rows: list[Any] = _told(copy, "messages")["messages"]
    return rows


def _states(copy: Product) -> set[str]:
    """Return the states of all messages, without the start of a command."""
    with closing(sqlite3.connect(copy.var / "sealgate.sqlite3", timeout=30)) as database:
        rows = database.execute("SELECT state FROM whatsapp_flows_whatsappmessage")
        return {state for (state,) in rows}


def _book(partner: Partner, token: str) -> dict[str, str]:
    """Fill in the sandbox's form to the end; return what was chosen."""

    def step(screen: str, data: dict[str, Any], action: str = "data_exchange") -> Any:
        payload = {"version": "3.0", "action": action, "screen": screen, "data": data}
        return partner.call({**payload, "flow_token": token})

    chosen = {"service": step("", {}, "INIT")["data"]["services"][0]["id"]}
    for trigger, following, name in (
        ("service", "branches", "branch"),
        ("branch", "dates", "date"),
        ("date", "times", "time"),
    ):
        offered = step("APPOINTMENT", {"trigger": trigger, **chosen})["data"][following]
        chosen[name] = next(item["id"] for item in offered if item.get("enabled", True))
    person = {"name": "Zoë", "email": "zoe@example.org", "note": ""}
    end = step("SUMMARY", {**chosen, **person, "terms": True})
    assert end["screen"] == "SUCCESS"
    return chosen


def _until(condition: Any, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.1)
