"""After traffic of all contracts and a day's work in the admin, no secret and no plaintext is left.

Searched, in every form a secret is written in: the database's files and tables, its write-ahead
log, the logs of all processes, the broker, Redis (every command and every key), sessions, cookies,
and every page of the admin but those that show what was just issued, once.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import urllib3
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)

from tests.product.traffic import NAME, PHONE, send_some
from tests.support import leftovers, product, services
from tests.support.admin_session import AdminSession
from tests.support.product import Product, provision_order
from tests.support.receiver import Receiver, Reply
from tests.support.secrecy import forms, forms_of_der, forms_of_rsa, forms_of_text, search
from tests.tenants.admin_pages import forms_of

pytestmark = [pytest.mark.product, pytest.mark.once, pytest.mark.timeout(600)]

SCHEMES = ("kairos", "citcall", "isu", "whatsapp_flows", "flynn")
#: Not secret: by these requests name a flow, or they are the halves partners get.
PUBLIC = {"flow_id", "userid", "client_id", "org_id", "handle", "gstin", "portal_username"}
#: A text that is no secret and goes everywhere, to prove that everywhere is searched.
CONTROL = "Thistledown-Control-4711"
#: What a receiver of callbacks says; kept sealed, so it is searched for like a secret.
SAID = "Bramble-Receiver-0815"


#: The one place for it: the page of a delivery, for who may read what receivers answered.
_SHOWN = re.compile(
    r"answer to [0-9a-f-]{36} attempt \d+ in "
    r"page \d+ http://[\d.:]+/admin/callbacks/delivery/[0-9a-f-]{36}/change/"
)


@dataclass(repr=False)
class Work:
    """What an administrator types, in the course of it all."""

    password: str
    wrong_password: str = "wrong-" + secrets.token_urlsafe(12)
    new_password: str = "Of-a-colleague-" + secrets.token_urlsafe(12)
    app_secret: str = secrets.token_hex(16)
    aes_key: bytes = secrets.token_bytes(32)
    passphrase: str = "Passphrase-" + secrets.token_urlsafe(12)
    not_a_key: str = "Not-a-key-" + secrets.token_urlsafe(24)

    def __post_init__(self) -> None:
        self.pair = rsa.generate_private_key(65537, 2048)

    @property
    def pem(self) -> str:
        """Return the pair under the passphrase."""
        under = BestAvailableEncryption(self.passphrase.encode())
        return self.pair.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, under).decode()


@contextmanager
def _installation(kind: str, var: Path) -> Iterator[tuple[Product, dict[str, bytes]]]:
    """Start a copy; yields it and what Redis was told, complete at the end."""
    with ExitStack() as stack:
        settings = {"SEALGATE_SECOND_FACTOR": "on", "SEALGATE_WEB_PROCESSES": "1"}
        told: dict[str, bytes] = {}
        if kind == "postgresql":
            cache = stack.enter_context(services.fresh_redis(var.with_name("redis")))
            told = stack.enter_context(leftovers.redis_watched(cache))
            database = stack.enter_context(services.migrated_postgresql())
            settings |= {"DATABASE_URL": database, "REDIS_URL": cache, "CELERY_BROKER_URL": cache}
        copy = product.start(var, settings=settings)
        stack.callback(copy.stop)
        yield copy, told


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_no_secret_and_no_plaintext_is_left_anywhere(kind: str, tmp_path: Path) -> None:
    places: dict[str, bytes] = {}
    with Receiver() as receiver, _installation(kind, tmp_path / "copy") as (copy, told):
        # Not in the product's own directory: this file is the hand-over of a secret.
        password = tmp_path / "admin-password"
        with_callbacks = ("--callback-url", receiver.url, "--callback-secret", "--upstream-secret")
        _, *made = copy.manage_all(
            ("first_admin", "--password-file", str(password)),
            *(provision_order(scheme, *with_callbacks) for scheme in SCHEMES),
        )
        flows = [json.loads(flow) for flow in made]
        work = Work(password=password.read_text().strip())
        receiver.default = Reply(status=500, body=SAID.encode())
        send_some({flow["scheme"]: flow for flow in flows}, copy.url)
        tokens = _hand_over(copy, flows)
        receiver.wait_for(2, seconds=120)
        time.sleep(1)  # for the answer to be written down
        for process in ("worker", "beat"):
            copy.kill(process)
        admin = AdminSession(copy.url)
        _work(admin, work, receiver.url)
        # Nobody takes from the broker now: it still holds what it was told.
        places |= {f"waiting {name}": data for name, data in leftovers.files(copy).items()}
        receiver.default, refused = Reply(), len(receiver.requests)
        for process in ("worker", "beat"):
            copy.spawn(process)
        receiver.wait_for(refused + 1, seconds=120)
        inside = leftovers.opened(copy)
        places |= leftovers.files(copy)
        if kind == "postgresql":
            places |= leftovers.postgresql(copy.environment["DATABASE_URL"])
    places |= told
    places |= {
        f"page {number} {answer.url}": answer.body for number, answer in enumerate(admin.seen)
    }
    places["headers"] = "\n".join(admin.headers).encode()
    places["sessions"] = "\n".join(inside["sessions"]).encode()
    needles = _needles(inside, work, flows, copy) | {
        f"callback {number} as sent": forms(call.body)
        for number, call in enumerate(receiver.requests)
    }
    needles |= {name: forms_of_text(token) for name, token in tokens.items()}
    needles["second factor as shown"] = forms_of_text(admin.second_factor)

    written = leftovers.written_out(places)
    _assert_that_everything_is_searched(kind, written, flows)
    assert len(needles) > 50
    found = search(needles, written)
    shown = {name for name in found if _SHOWN.fullmatch(name)}
    assert shown, "what receivers answered was on no page, so those pages were not read"
    assert found - shown == set()


def _needles(
    inside: dict[str, Any], work: Work, flows: list[dict[str, Any]], copy: Product
) -> dict[str, set[bytes]]:
    """Return every secret and plaintext by name, in every form."""
    found: dict[str, set[bytes]] = {}
    for key in inside["keys"]:
        material = bytes.fromhex(key["hex"])
        if key["kind"] == "rsa":
            found[key["name"]] = forms_of_der(material)
        elif key["kind"] == "token":
            found[key["name"]] = forms_of_text(material.decode())
        else:
            found[key["name"]] = forms(material)
    for row in inside["internal"] + inside["factors"] + inside["bodies"] + inside["answers"]:
        found[row["name"]] = forms(bytes.fromhex(row["hex"]))
    for flow in flows:
        for name, value in (flow["credentials"] | flow["own_service"]).items():
            if name not in PUBLIC and not value.startswith("-----BEGIN PUBLIC"):
                found[f"{name} of {flow['scheme']}"] = forms_of_text(value)
    for name in ("password", "wrong_password", "new_password", "app_secret", "passphrase"):
        found[name] = forms_of_text(getattr(work, name))
    found["not a key"] = forms_of_text(work.not_a_key)
    found["AES key"] = forms(work.aes_key)
    found["imported pair"] = forms_of_rsa(work.pair)
    found["master key"] = forms_of_text(copy.environment["SEALGATE_MASTER_KEYS"].split(":")[1])
    found["Django's key"] = forms_of_text(copy.environment["SEALGATE_SECRET_KEY"])
    found["phone"] = {PHONE[1:].encode()} | forms(PHONE.encode())
    found["name"] = forms(NAME.encode())
    return found


def _assert_that_everything_is_searched(
    kind: str, places: dict[str, bytes], flows: list[dict[str, Any]]
) -> None:
    """A search that finds nothing proves something only where it could have found something."""

    def where(text: str) -> set[str]:
        return {name for name, data in places.items() if text.encode() in data}

    control = where(CONTROL)
    assert any(name.startswith("page ") for name in control)
    assert "headers" in where("csrftoken")
    assert "sessions" in where("confirmed_at")
    assert "file product.log" in where("sealgate.exchange")
    rings = "callbacks.tasks.deliver"
    if kind == "sqlite":
        assert {"file sealgate.sqlite3", "file sealgate.sqlite3-wal"} & control
        assert "file sealgate.sqlite3" in places
        assert any(name.startswith("waiting file broker") for name in where(rings))
    else:
        assert "table tenants_client" in control
        assert "Redis commands" in where(rings)
        assert any(name.startswith("Redis key") for name in places)
    # The same needles are found where they belong: in what was handed to the partner.
    handed = {"handed over": repr([flow["credentials"] for flow in flows]).encode()}
    app_secret = next(f for f in flows if f["scheme"] == "whatsapp_flows")["credentials"]
    needle = {"x": forms_of_text(app_secret["app_secret"])}
    assert search(needle, handed) == {"x in handed over"}


def _hand_over(copy: Product, flows: list[dict[str, Any]]) -> dict[str, str]:
    """Have the credentials of each handed over by a link, try it twice, and return the tokens."""
    links = copy.manage_all(
        *(
            ("key", "handover", "create", f"{flow['scheme']}/{flow['address']}", "--json")
            for flow in flows
        )
    )
    tokens: dict[str, str] = {}
    for flow, link in zip(flows, links, strict=True):
        token: str = json.loads(link)["url"].partition("#")[2]
        for status in (200, 404):
            answer = urllib3.request(
                "POST",
                f"{copy.url}/handover/open",
                body=f"token={token}",
                headers={"Content-Type": "application/x-www-form-urlencoded"},
            )
            assert answer.status == status
        tokens[f"link for {flow['scheme']}"] = token
    return tokens


# --- the work ------------------------------------------------------------------------------


def _work(admin: AdminSession, work: Work, callback_url: str) -> None:
    """Do everything there is to do in the admin once, well and badly."""
    admin.log_in("admin", work.password, wrong=work.wrong_password)
    client = admin.get("/admin/tenants/client/add/")
    saved = {"slug": "busy", "name": "Busy Ltd", "notes": CONTROL, "is_enabled": "on"}
    made = admin.post(client.url, {**_filled(client.text, "slug"), **saved})
    assert "was added successfully" in made.text, made.url
    for scheme in SCHEMES:
        _work_on_a_flow(admin, work, scheme, callback_url)
    _work_on_people(admin, work)
    deliveries = admin.get("/admin/callbacks/delivery/")
    chosen = re.findall(r'name="_selected_action" value="([^"]+)"', deliveries.text)
    fields = _filled(deliveries.text, "action")
    admin.post(deliveries.url, {**fields, "action": "retry", "_selected_action": chosen[:1]})
    confirm = admin.get("/admin/confirm/?next=/admin/")
    admin.post(
        confirm.url, {**_filled(confirm.text, "code"), "password": work.password, "code": "1"}
    )
    opened = admin.crawl("/admin/", "/admin/tenants/flow/add/", "/admin/no-such-page/")
    assert len(opened) > 60
    assert any("exchangerow" in path for path in opened)
    assert any(re.search(r"/auditentry/\d+/change/", path) for path in opened)
    for path in (
        "/docs",
        "/docs/api",
        "/docs/kairos",
        "/openapi.json",
        "/livez",
        "/readyz",
        "/no-such-page",
    ):
        admin.get(path)
    # Every page that shows something issued was kept out, and there were such pages.
    assert not any("shown once" in answer.text for answer in admin.seen)


def _filled(page: str, field: str) -> dict[str, Any]:
    return next(dict(form["fields"]) for form in forms_of(page) if field in form["fields"])


def _work_on_a_flow(admin: AdminSession, work: Work, scheme: str, callback_url: str) -> None:
    add = admin.get(f"/admin/tenants/flow/add/?scheme={scheme}")
    client = re.search(r'<option value="([0-9a-f-]{36})"[^>]*>\s*Busy Ltd', add.text)
    assert client is not None
    fields = _filled(add.text, "new_id")
    issued = admin.post(add.url, {**fields, "client": client[1], "callback_url": callback_url})
    assert "This page is shown once." in issued.text
    url = f"/admin/tenants/flow/{fields['new_id']}/change/"
    page = admin.get(url)
    for form in forms_of(page.text):
        if form["action"].endswith("/generate/"):
            admin.post(form["action"], form["fields"])
    imports = {
        "whatsapp_rsa": {"text": work.pem, "passphrase": work.passphrase},
        "app_secret": {"text": work.app_secret},
        "isu_aes": {"text": base64.b64encode(work.aes_key).decode()},
    }
    for form in forms_of(admin.get(url).text):
        purpose = form["fields"].get("purpose")
        if form["action"].endswith("/import/"):
            bad = {"text": work.not_a_key, "passphrase": work.passphrase}
            admin.post(form["action"], {**form["fields"], **bad})
            if purpose in imports:
                good = admin.post(form["action"], {**form["fields"], **imports[purpose]})
                assert "is imported and" in good.text, good.text
    for verb in ("promote", "retire", "revoke"):
        forms_there = [f for f in forms_of(admin.get(url).text) if f"/do/{verb}/" in f["action"]]
        for form in forms_there[: None if verb == "promote" else 1]:
            admin.post(form["action"], {**form["fields"], "reason": "It was time."})
    page = admin.get(url)
    edited = {**_filled(page.text, "allowed_networks"), "allowed_networks": "127.0.0.0/8"}
    assert "was changed successfully" in admin.post(url, edited).text


def _work_on_people(admin: AdminSession, work: Work) -> None:
    add = admin.get("/admin/auth/user/add/")
    passwords = {"password1": work.new_password, "password2": work.new_password}
    fields = {**_filled(add.text, "username"), "username": "colleague", "usable_password": "true"}
    made = admin.post(add.url, {**fields, **passwords})
    assert "/change/" in made.url, made.text
    admin.post(made.url, {**_filled(made.text, "username"), "is_staff": "on"})
    password = made.url.replace("/change/", "/password/")
    page = admin.get(password)
    fields = _filled(page.text, "password1")
    admin.post(password, {**fields, "password1": work.wrong_password, "password2": "different"})
    admin.post(password, {**fields, **passwords, "usable_password": "true"})
