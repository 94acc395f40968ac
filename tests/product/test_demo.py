"""script/demo: every protocol as a partner sees it, and an exit code that can be trusted."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.etree import ElementTree

import pytest
import urllib3

from tests.support import product
from tests.support.product import ROOT, Product

pytestmark = [pytest.mark.product, pytest.mark.once, pytest.mark.timeout(400)]

_EXPECTED_LINES = (
    "== Kairos: outbound calls · RSA-4096 wraps AES-128 ==",
    "1  Write the request as JSON",
    "   ✓ The same value as crypto_schemes.kairos makes in one call",
    "   → POST /kairos-apis/enc/outbound/create",
    "   ← POST /callbacks/kairos  at the partner's receiver",
    "   ✓ Signature verified: HMAC-SHA-256 over id.timestamp.body (Standard Webhooks)",
    '   ✗ same payload  ←  200 {"api-response-code":201,'
    '"api-response-message":"Checksum Repeated"}',
    '   ✗ another RSA key  ←  200 {"api-response-code":400,'
    '"api-response-message":"Invalid Format"}',
    "== CitCall: missed-call OTP · additive cipher under two keys ==",
    "   ✓ The same body as crypto_schemes.citcall makes in one call",
    '   ✗ data that was stamped ten minutes ago  ←  200 {"rc":"98","info":"Authorization failed"}',
    "== ISU: payouts and UPI · AES-256-CBC, header and body ==",
    "   ✓ Settled, and still one payout",
    "   ✗ the same clientReferenceNo again  ←  FAILED Duplicate clientReferenceNo, sealed",
    '   ✗ another AES key  ←  401 {"status":-1,"statusDesc":"Invalid header secrets"}',
    "== WhatsApp Flows: a form on the phone · RSA-OAEP wraps AES-128-GCM, HMAC over all ==",
    '   {"data": {"status": "active"}}',
    "   ← POST /callbacks/whatsapp_flows  at the partner's receiver",
    "   ✗ another public key  ←  421 (empty body)",
    "   ✗ a wrong signature  ←  432 (empty body)",
    "== Flynn: e-invoices · RSA wraps the REK, AES-ECB or CBC under it ==",
    "   ✓ Our invoice, signed RS256; the QR code says the same number and total",
    "   ✗ the same invoice again  ←  502 err-irp-returned-error 2150",
    "   ✗ a REK for another key  ←  500 err-unable-to-decrypt-message-with-key",
    "   ✗ a call after the log-out  ←  403 err-invalid-token",
)
_TITLES = ("Kairos", "CitCall", "ISU", "WhatsApp Flows", "Flynn")


@pytest.fixture(scope="module")
def web_alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A copy whose worker has not been started yet. Ask for it before anything asks for `copy`."""
    running = product.start(
        tmp_path_factory.mktemp("demo"),
        processes=("web",),
        settings={"SEALGATE_WEB_PROCESSES": "1"},
    )
    yield running
    running.stop()


@pytest.fixture(scope="module")
def copy(web_alone: Product) -> Product:
    web_alone.spawn("worker")
    web_alone.spawn("beat")
    return web_alone


def _demo(environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "script.partner_demo", "--plain", *arguments],
        cwd=ROOT,
        env=dict(environment),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=360,
        check=False,
    )


def test_a_callback_that_does_not_come_is_said_and_fails(web_alone: Product) -> None:
    assert set(web_alone.processes) == {"web"}
    done = _demo(
        web_alone.environment,
        *("--url", web_alone.url, "--only", "citcall", "--callback-seconds", "2"),
    )
    assert done.returncode == 1
    assert "its worker gives no sign of life" in done.stdout
    assert (
        "✗ CitCall. Step 6 (Receive the callback, sealed like the reply). Expected the callback "
        "(the phone has rung) within 2 s. What came: nothing. Is the worker running?"
    ) in done.stdout


def test_every_protocol_is_as_expected(copy: Product, tmp_path: Path) -> None:
    picture = tmp_path / "demo.svg"
    done = _demo(copy.environment, "--url", copy.url, "--svg", str(picture))
    assert (done.returncode, done.stderr) == (0, ""), done.stdout[-3000:]
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    missing = [expected for expected in _EXPECTED_LINES if expected not in lines]
    assert missing == []
    assert "\x1b" not in done.stdout
    results = re.findall(r"^ *(\S.*?) +\d+ +\d+ +[\d-]+ +[\d.]+ s +(.+?) *$", done.stdout, re.M)
    assert results == [(title, "✓ as expected") for title in _TITLES]
    qr = (copy.var / "demo" / "upi-qr.png").read_bytes()
    assert f"{len(qr)} bytes of PNG" in done.stdout
    drawn = "".join(ElementTree.parse(picture).getroot().itertext()).replace("\xa0", " ")
    assert "https://" not in picture.read_text(encoding="utf-8")
    # One protocol in full, and the table of all.
    assert "outbound calls · RSA-4096 wraps AES-128" in drawn
    assert "missed-call OTP" not in drawn
    assert drawn.count("✓ as expected") == len(_TITLES)


def test_only_what_is_asked_for_is_played(copy: Product) -> None:
    done = _demo(copy.environment, "--url", copy.url, "--only", "flynn")
    assert done.returncode == 0
    assert re.findall(r"^== (\w+)", done.stdout, re.M) == ["Flynn"]


def test_a_server_of_another_database_is_noticed(copy: Product, tmp_path: Path) -> None:
    shutil.copy(product.empty_sqlite(), tmp_path / "other.sqlite3")
    other = {**copy.environment, "DATABASE_URL": f"sqlite:///{tmp_path}/other.sqlite3"}
    done = _demo(other, "--url", copy.url, "--only", "citcall", "--callback-seconds", "2")
    assert done.returncode == 1
    assert "If the server works on another database than the demo" in done.stdout


def test_without_a_server_one_is_started_and_ended(copy: Product) -> None:
    environment = {"PORT": str(product.free_port())}
    for name in ("PATH", "HOME", "LANG"):
        environment[name] = copy.environment.get(name, "")
    done = _demo(environment, "--only", "citcall")
    assert done.returncode == 0, done.stdout[-3000:]
    started = re.search(r"(http://127\.0\.0\.1:\d+)  started for this demo", done.stdout)
    assert started is not None
    with pytest.raises(urllib3.exceptions.HTTPError):
        urllib3.request("GET", f"{started[1]}/livez", timeout=2, retries=False)


def test_what_is_no_sealgate_is_not_played(copy: Product) -> None:
    done = _demo(copy.environment, "--url", f"http://127.0.0.1:{product.free_port()}")
    assert done.returncode == 2
    assert "Start it with script/server." in done.stdout
