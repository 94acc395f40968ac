"""One second after a revocation no web process serves the old secret; the new one never suffers."""

from __future__ import annotations

import http.client
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from crypto_schemes.ciphers import rsa
from crypto_schemes.keys import Credentials, KeyVersion
from crypto_schemes.whatsapp_flows import SCHEME
from tests.support import product
from tests.support.officer import Officer
from tests.support.sockets import ports_served_by

pytestmark = [pytest.mark.product, pytest.mark.once, pytest.mark.timeout(240)]

_PROCESSES = 4
#: Connections after which it is given up to find one to each process.
_MOST = 200


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[product.Product]:
    """Four web processes, and nothing else."""
    settings = {"SEALGATE_WEB_PROCESSES": str(_PROCESSES), "SEALGATE_WEB_THREADS": "4"}
    running = product.start(
        tmp_path_factory.mktemp("revocation"), processes=("web",), settings=settings
    )
    yield running
    running.stop()


@dataclass
class Sender:
    """One keep-alive connection that asks again and again under one app secret."""

    copy: product.Product
    path: str
    credentials: Credentials
    #: Of each request when it began and ended (Unix time), and the status of the answer.
    seen: list[tuple[float, float, int]] = field(default_factory=list)
    port: int = 0
    error: BaseException | None = None

    def __post_init__(self) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", self.copy.port, timeout=60)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def ask(self) -> None:
        """Send one request."""
        options: Any = SCHEME.options_type()
        ping: Any = {"version": "3.0", "action": "ping"}
        sent = SCHEME.seal_request(ping, self.credentials, options, now=time.time())
        began = time.time()
        self._connection.request("POST", self.path, sent.body, dict(sent.headers))
        answer = self._connection.getresponse()
        answer.read()
        self.seen.append((began, time.time(), answer.status))
        self.port = self._connection.sock.getsockname()[1]

    def start(self) -> None:
        """Go on asking in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """End; raises what went wrong."""
        self._stop.set()
        self._thread.join(60)
        self._connection.close()
        if self.error is not None:
            raise self.error

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self.ask()
        except BaseException as error:  # noqa: BLE001 - told by stop()
            self.error = error


def test_four_processes_under_load(copy: product.Product) -> None:
    with Officer(copy) as officer:
        flow = officer.provision("whatsapp_flows")
        public = rsa.load_public_pem(flow["credentials"]["public_key_pem"])

        def sender(secret: str) -> Sender:
            versions = {
                "whatsapp_rsa": (KeyVersion("rsa", "whatsapp_rsa", 1, public),),
                "app_secret": (KeyVersion("secret", "app_secret", 1, secret),),
            }
            return Sender(copy, flow["path"], Credentials(versions=versions))

        old_id = officer.active(flow["flow"])["app_secret"]["id"]
        new = officer.generate(flow["flow"], "app_secret")
        officer.promote(new["id"], wait=60)
        pids = copy.web_workers()
        assert len(pids) == _PROCESSES
        senders: dict[int, Sender] = {}  # one to each process
        for _ in range(_MOST):
            candidate = sender(flow["credentials"]["app_secret"])
            candidate.ask()
            (pid,) = (pid for pid in pids if candidate.port in ports_served_by(pid))
            senders.setdefault(pid, candidate)
            if len(senders) == _PROCESSES:
                break
        assert set(senders) == set(pids)
        bystander = sender(new["secret"])
        for each in (*senders.values(), bystander):
            each.start()
        time.sleep(1)
        ordered_at = time.time()
        revoked_at = officer.revoke(old_id)
        time.sleep(3)
        for each in (*senders.values(), bystander):
            each.stop()
    last_served: dict[int, float] = defaultdict(float)
    for pid, each in senders.items():
        before = {status for _, ended, status in each.seen if ended < ordered_at}
        after = {status for began, _, status in each.seen if began >= revoked_at + 1}
        assert before == {200}
        assert after == {432}, "served more than a second after the revocation"
        served = [began for began, _, status in each.seen if status == 200]
        last_served[pid] = max(served) - revoked_at
    assert {status for _, _, status in bystander.seen} == {200}
    told = ", ".join(f"{seconds:.2f}" for seconds in last_served.values())
    print(f"last request served after the revocation, by process: {told} s")
