"""No callback is refused while what signs and what seals it is rolled over, again and again.

Partners place calls without a pause under whatever API key they hold. Every two seconds signing
secret and API key get a successor: generated, loaded by every process, handed over, promoted, the
old one given up and retired. The receiver takes a callback only if the Standard Webhooks library
verifies it with a secret that the receiver holds at that moment, and it opens with an API key held.

What partners send under old and new secrets, webhooks of WhatsApp among it, is the matter of
test_rotation_under_fire.py.

The suite runs a small one: ``SEALGATE_ROLLOVERS=9`` asks for more.
"""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from crypto_schemes import registry
from crypto_schemes.errors import SchemeError
from crypto_schemes.keys import Credentials, KeyVersion
from tests.product.fire.held import Held
from tests.support import product, services
from tests.support.officer import Officer
from tests.support.partner import Partner
from tests.support.receiver import Received, Receiver, Reply

pytestmark = [pytest.mark.product, pytest.mark.once, pytest.mark.timeout(350)]

_ROTATIONS = int(os.environ.get("SEALGATE_ROLLOVERS", "3"))
_CALLS = 25 * _ROTATIONS
_SECONDS = 240.0
_PAUSE = 0.05
_PURPOSES = ("api_key", "callback_signing")


class _Receiver(Receiver):
    """Refuses what it cannot verify or open with the secrets it holds at that moment."""

    def __init__(self, held: Held, userid: str) -> None:
        super().__init__()
        self._held, self._userid = held, userid
        self._contract = registry.get("citcall")
        self.ids: set[str] = set()
        self.refused: list[str] = []
        #: How often a version of the signing secret verified a callback.
        self.verified: Counter[str] = Counter()

    def take(self, received: Received) -> Reply:
        headers = dict(received.headers)
        signers = [key.id for key in self._held.all_of("callback_signing") if _by(key, received)]
        credentials = Credentials(
            {"userid": self._userid}, {"api_key": self._held.all_of("api_key")}
        )
        try:
            opened: Any = self._contract.open_callback(
                received.body, headers, credentials, self._contract.options_type(), now=time.time()
            )
        except SchemeError:
            opened = None
        if opened is None or not signers:
            self.refused.append("signature" if opened else "body")
            return Reply(status=401)
        with self._lock:
            self.ids.add(opened["clientUniqueId"])
            self.verified.update(signers)
        return Reply()


def _by(secret: KeyVersion, received: Received) -> bool:
    try:
        Webhook(secret.text).verify(received.body, dict(received.headers))
    except WebhookVerificationError:
        return False
    return True


class _Calls:
    """Places calls in a thread of its own until it is stopped."""

    def __init__(self, flow: dict[str, Any], url: str, held: Held) -> None:
        self._partner, self._held = Partner(flow, url), held
        self._identity = self._partner.credentials.identity
        self.acknowledged: set[str] = set()
        self.error: BaseException | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._stop.wait(_PAUSE):
                unique_id = uuid.uuid4().hex
                number = f"08{uuid.uuid4().int % 10**10:010}"
                with self._held.using("api_key") as versions:
                    self._partner.credentials = Credentials(
                        self._identity, {"api_key": (versions["api_key"],)}
                    )
                    answer = self._partner.call(
                        {"msisdn": number, "gateway": 1, "clientUniqueId": unique_id}
                    )
                assert answer["rc"] == "00", answer
                self.acknowledged.add(unique_id)
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            self.error = error


@pytest.fixture(params=["sqlite", "postgresql"])
def copy(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[product.Product]:
    """On SQLite and files, and on PostgreSQL and Redis."""
    settings = {"SEALGATE_PROCESS_REPORT_SECONDS": "1"}
    with ExitStack() as stack:
        if request.param == "postgresql":
            settings["REDIS_URL"] = stack.enter_context(
                services.fresh_redis(tmp_path_factory.mktemp("redis"))
            )
            settings["CELERY_BROKER_URL"] = settings["REDIS_URL"]
            settings["DATABASE_URL"] = stack.enter_context(services.migrated_postgresql())
        running = product.start(tmp_path_factory.mktemp("rollover"), settings=settings)
        stack.callback(running.stop)
        yield running


def test_no_callback_is_refused(copy: product.Product) -> None:
    held = Held()
    with ExitStack() as stack:
        officer = stack.enter_context(Officer(copy))
        flow = officer.provision("citcall", "--callback-secret")
        given = flow["credentials"]
        active = {purpose: officer.active(flow["flow"])[purpose]["id"] for purpose in _PURPOSES}
        for purpose in _PURPOSES:
            held.add(KeyVersion(active[purpose], purpose, 0, given[purpose]))
        receiver = stack.enter_context(_Receiver(held, given["userid"]))
        _send_to(copy, flow["flow"], receiver.url)
        calls = _Calls(flow, copy.url, held)
        calls.start()
        stack.callback(calls.stop)
        began, rotations = time.monotonic(), 0
        while (rotations < _ROTATIONS or len(calls.acknowledged) < _CALLS) and (
            calls.error is None and time.monotonic() - began < _SECONDS
        ):
            _roll_over(officer, flow["flow"], active, held)
            rotations += 1
        calls.stop()
        deadline = time.monotonic() + 60
        while receiver.ids < calls.acknowledged and time.monotonic() < deadline:
            time.sleep(0.1)
        by_each = sorted(receiver.verified.values())
        print(
            f"\n{len(calls.acknowledged)} calls and callbacks, {len(receiver.refused)} refused, "
            f"{rotations} rollovers of {len(_PURPOSES)} secrets, callbacks verified by each "
            f"signing secret: {by_each}, {time.monotonic() - began:.0f} s"
        )
    assert calls.error is None
    assert receiver.refused == []
    assert receiver.ids == calls.acknowledged
    assert rotations >= _ROTATIONS
    assert len(calls.acknowledged) >= _CALLS
    # Each of them was needed, and during each overlap two verified the same callback.
    assert len(by_each) == rotations + 1
    assert sum(by_each) > len(receiver.ids)


def _roll_over(officer: Officer, flow: str, active: dict[str, str], held: Held) -> None:
    staged = {purpose: officer.generate(flow, purpose) for purpose in _PURPOSES}
    assert officer.wait_until_loaded(flow, 60)["complete"]
    for purpose, made in staged.items():
        held.add(KeyVersion(made["id"], purpose, 0, made["secret"]))
    time.sleep(0.5)
    for made in staged.values():
        officer.promote(made["id"], wait=60)
    assert officer.wait_until_loaded(flow, 60)["complete"]
    time.sleep(1)  # what was sealed before is with the receiver
    for purpose, made in staged.items():
        held.drop(purpose, active[purpose])
        officer.retire(active[purpose])
        active[purpose] = made["id"]


def _send_to(copy: product.Product, flow: str, url: str) -> None:
    copy.manage(
        "shell",
        "-c",
        "from tenants import lifecycle; from tenants.actors import Actor; "
        "from tenants.models import Flow; "
        f"lifecycle.update_flow(Actor(name='test'), Flow.objects.get(pk={flow!r}), "
        f"{{'callback_url': {url!r}}})",
    )
