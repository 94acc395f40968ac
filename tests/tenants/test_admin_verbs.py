"""The buttons on a flow's page: each does what it says, or says why it cannot."""

from __future__ import annotations

import html
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from tenants import lifecycle
from tenants.actors import Actor
from tenants.lifecycle import IssuedFlow
from tenants.models import AuditEntry, Flow, Key
from tests.support.test_keys import VECTORS
from tests.tenants.admin_pages import flow_url, secret_url, verb_url

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_keys")]
Make = Callable[..., IssuedFlow]


def press(browser: Browser, key: Key, verb: str, **data: str) -> str:
    """Press a button and return the page one lands on."""
    answer = browser.post(verb_url(key, verb), data, follow=True)
    assert answer.redirect_chain == [(secret_url(key), 302)]
    assert f' id="secret-{key.purpose}"' in answer.content.decode()
    return html.unescape(answer.content.decode())


def generate(browser: Browser, flow: Flow, purpose: str, version: str) -> str:
    url = reverse("admin:tenants_flow_generate", args=[flow.pk])
    answer = browser.post(url, {"purpose": purpose, "version": version}, follow=True)
    assert answer.status_code == 200
    return html.unescape(answer.content.decode())


def states(flow: Flow, purpose: str) -> list[str]:
    return list(
        flow.keys.filter(purpose=purpose).order_by("version").values_list("state", flat=True)
    )


def test_a_rotation_with_an_overlap(administrator: Browser, make_flow: Make) -> None:
    flow = make_flow("citcall").flow
    assert "API key version 2 is staged" in generate(administrator, flow, "api_key", "2")
    staged = flow.keys.get(purpose="api_key", version=2)
    page = press(administrator, staged, "promote", overlap_days="14")
    assert "API key version 2 is active." in page
    assert states(flow, "api_key") == ["retiring", "active"]
    old = flow.keys.get(purpose="api_key", version=1)
    assert old.accept_until is not None
    left = old.accept_until - timezone.now()
    assert timedelta(days=13, hours=23) < left <= timedelta(days=14)
    assert "API key version 1 is retired." in press(administrator, old, "retire")
    assert states(flow, "api_key") == ["retired", "active"]


def test_a_generate_button_pressed_twice_makes_one_version(
    administrator: Browser, make_flow: Make
) -> None:
    flow = make_flow("citcall").flow
    generate(administrator, flow, "api_key", "2")
    assert "API key version 2 was made already." in generate(administrator, flow, "api_key", "2")
    assert states(flow, "api_key") == ["active", "staged"]


@pytest.mark.parametrize(
    ("purpose", "version"),
    [
        ("api_key", ""),
        ("api_key", "x"),
        ("api_key", "²"),
        ("api_key", "9" * 5000),
        ("isu_aes", "1"),
    ],
)
def test_a_generate_that_makes_no_sense_makes_nothing(
    administrator: Browser, make_flow: Make, purpose: str, version: str
) -> None:
    flow = make_flow("citcall").flow
    before = AuditEntry.objects.count()
    page = generate(administrator, flow, purpose, version)
    assert "was made already" in page or "has no purpose isu_aes" in page
    assert flow.keys.count() == 3
    assert AuditEntry.objects.count() == before


@pytest.mark.parametrize("days", ["", "-1", "91", "7.5", "x", "²", "9999999999"])
def test_an_overlap_out_of_range_promotes_nothing(
    administrator: Browser, make_flow: Make, actor: Actor, days: str
) -> None:
    flow = make_flow("citcall").flow
    staged = lifecycle.generate_key(actor, flow, "api_key").key
    assert "overlap" in press(administrator, staged, "promote", overlap_days=days)
    assert states(flow, "api_key") == ["active", "staged"]


def test_revoking_needs_a_reason(administrator: Browser, make_flow: Make) -> None:
    flow = make_flow("citcall").flow
    key = flow.keys.get(purpose="api_key")
    assert "Revoking needs a reason" in press(administrator, key, "revoke", reason="  ")
    assert states(flow, "api_key") == ["active"]
    page = press(administrator, key, "revoke", reason="found in a public repository")
    assert "Within a second it opens nothing anywhere." in page
    assert "Revoked: found in a public repository" in page
    assert states(flow, "api_key") == ["revoked"]
    entry = AuditEntry.objects.latest("pk")
    assert (entry.verb, entry.reason) == ("key.revoke", "found in a public repository")


def test_a_verb_that_is_not_possible_says_why(administrator: Browser, make_flow: Make) -> None:
    flow = make_flow("citcall").flow
    key = flow.keys.get(purpose="api_key")
    page = press(administrator, key, "retire")
    assert "API key version 1 is active. Promote its successor instead, or revoke it." in page
    assert states(flow, "api_key") == ["active"]


def test_nothing_is_erased_at_once(administrator: Browser, make_flow: Make, actor: Actor) -> None:
    flow = make_flow("citcall").flow
    key = lifecycle.revoke_key(actor, flow.keys.get(purpose="api_key"), reason="gone")
    assert "/destroy/" not in administrator.get(flow_url(flow)).content.decode()
    assert administrator.post(verb_url(key, "destroy"), {}).status_code == 404
    assert administrator.post(verb_url(key, "no_such"), {}).status_code == 404
    assert Key.objects.get(pk=key.pk).state == "revoked"


def test_unknown_rows_are_not_found(administrator: Browser) -> None:
    nobody = "00000000-0000-4000-8000-000000000000"
    for url in (
        reverse("admin:tenants_key_verb", args=[nobody, "retire"]),
        reverse("admin:tenants_flow_generate", args=[nobody]),
        reverse("admin:tenants_flow_import", args=[nobody]),
    ):
        assert administrator.post(url, {}).status_code == 404
    assert administrator.get(reverse("admin:tenants_key_public", args=[nobody])).status_code == 404


def test_a_private_key_is_imported_from_pem(
    administrator: Browser, make_flow: Make, actor: Actor
) -> None:
    flow = make_flow("kairos").flow
    old = flow.keys.get(purpose="kairos_rsa")
    Key.objects.filter(pk=old.pk).update(fingerprint="0" * 64)
    pem = (VECTORS / "rsa_4096.pem").read_text()
    answer = administrator.post(
        reverse("admin:tenants_flow_import", args=[flow.pk]),
        {"purpose": "kairos_rsa", "text": f"\n{pem}\n", "passphrase": ""},
        follow=True,
    )
    assert "Request key pair version 2 is imported and staged." in answer.content.decode()
    key = flow.keys.get(purpose="kairos_rsa", version=2)
    assert key.state == "staged"
    assert key.public_pem.startswith("-----BEGIN PUBLIC KEY-----")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Nothing was pasted."),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "This is a public key."),
        ("\x00\ud83d", "not a readable RSA"),
    ],
)
def test_what_is_no_private_key_is_refused(
    administrator: Browser, make_flow: Make, text: str, why: str
) -> None:
    flow = make_flow("kairos").flow
    answer = administrator.post(
        reverse("admin:tenants_flow_import", args=[flow.pk]),
        {"purpose": "kairos_rsa", "text": text.encode("utf-8", "replace").decode()},
        follow=True,
    )
    assert why in answer.content.decode()
    assert flow.keys.filter(purpose="kairos_rsa").count() == 1


def test_the_page_shows_each_version_and_where_partners_call(
    administrator: Browser, make_flow: Make, actor: Actor
) -> None:
    flow = make_flow("whatsapp_flows", callback_url="https://partner.example/results").flow
    key = flow.keys.get(purpose="whatsapp_rsa")
    Key.objects.filter(pk=key.pk).update(
        use_count=41, last_used_at=timezone.now() - timedelta(hours=1)
    )
    page = html.unescape(administrator.get(flow_url(flow)).content.decode())
    digits = key.fingerprint[:16]
    for text in (
        f"http://127.0.0.1:8000/whatsapp/flows/{flow.address}",
        " ".join(digits[start : start + 4] for start in (0, 4, 8, 12)),
        "Active: opens and seals",
        '<td data-label="Uses">41</td>',
        "https://partner.example/results",
        "Cloud API access token",
        "None yet.",
        reverse("admin:tenants_key_public", args=[key.pk]),
    ):
        assert text in page
