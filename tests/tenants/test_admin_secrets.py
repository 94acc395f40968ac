"""A secret is on the answer to the POST that made it, and nowhere else, ever."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.test import Client as Browser
from django.urls import reverse

from tenants import at_rest, lifecycle
from tenants.lifecycle import IssuedFlow
from tenants.models import AuditEntry, Client, Flow, Key
from tests.tenants.admin_pages import add_flow, edit_flow, flow_url, verb_url

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_keys")]
Make = Callable[..., IssuedFlow]


def secrets_of(flow: Flow) -> list[str]:
    """Return every secret of a flow in every form a page might show it."""
    forms: list[str] = []
    for key in flow.keys.exclude(state="destroyed"):
        material = at_rest.open_sealed(key.material, key.at_rest_context)
        spec = flow.contract.purpose(key.purpose)
        forms += [material.hex(), str(bytes(key.material).hex()), key.lookup_digest]
        if spec.kind == "token":
            forms.append(material.decode("ascii"))
        elif spec.kind == "aes":
            forms.append(
                flow.contract.material_to_text(spec, material, flow.contract.options_type())
            )
    return [form for form in forms if form]


def every_page(flow: Flow) -> list[str]:
    """Return every address of the admin that may be looked at."""
    names = ("client", "flow", "key", "auditentry")
    pages = [reverse("admin:index"), reverse("admin:app_list", args=["tenants"])]
    pages += [reverse(f"admin:tenants_{name}_changelist") for name in names]
    pages += [flow_url(flow), reverse("admin:tenants_flow_history", args=[flow.pk])]
    pages += [reverse("admin:tenants_client_change", args=[flow.client_id])]
    for key in flow.keys.all():
        pages += [reverse("admin:tenants_key_change", args=[key.pk])]
        pages += [reverse("admin:tenants_key_history", args=[key.pk])]
        if key.public_pem:
            pages += [reverse("admin:tenants_key_public", args=[key.pk])]
    for entry in AuditEntry.objects.all():
        pages += [reverse("admin:tenants_auditentry_change", args=[entry.pk])]
    return pages


# On PostgreSQL a whole copy of the product is searched (tests/product).
@pytest.mark.once
@pytest.mark.parametrize("scheme", ["kairos", "citcall", "isu", "whatsapp_flows", "flynn"])
def test_no_page_no_session_and_no_log_holds_a_secret(
    administrator: Browser, client_row: Client, scheme: str
) -> None:
    made = add_flow(administrator, scheme, client_row)
    flow = Flow.objects.get()
    purpose = flow.contract.purposes[0].name
    generated = administrator.post(
        reverse("admin:tenants_flow_generate", args=[flow.pk]), {"purpose": purpose, "version": "2"}
    )
    staged = Key.objects.get(purpose=purpose, version=2)
    administrator.post(verb_url(staged, "promote"), {"overlap_days": "1"})
    edit_flow(administrator, flow, callback_url="https://partner.example/results")
    secrets = secrets_of(flow)
    assert len(secrets) > 4
    for page in every_page(flow):
        answer = administrator.get(page)
        assert answer.status_code == 200, page
        for form in secrets:
            assert form not in answer.content.decode(), page
            assert form not in str(answer.headers), page
    kept = [repr(list(Session.objects.values())), repr(list(LogEntry.objects.values()))]
    kept += [repr(list(AuditEntry.objects.values())), repr(dict(administrator.session.items()))]
    kept += [administrator.cookies.output(), str(made.headers), str(generated.headers)]
    for form in secrets:
        assert not any(form in text for text in kept)


def test_the_page_that_shows_secrets_may_not_be_kept(
    administrator: Browser, client_row: Client
) -> None:
    made = add_flow(administrator, "isu", client_row)
    flow = Flow.objects.get()
    generated = administrator.post(
        reverse("admin:tenants_flow_generate", args=[flow.pk]),
        {"purpose": "isu_aes", "version": "2"},
    )
    key = Key.objects.get(purpose="isu_aes", version=2)
    material = at_rest.open_sealed(key.material, key.at_rest_context)
    text = flow.contract.material_to_text(
        flow.contract.purpose("isu_aes"), material, flow.contract.options_type()
    )
    assert text.replace("+", "&#x2B;") in generated.content.decode() or text in (
        generated.content.decode()
    )
    for answer in (made, generated):
        assert "no-store" in answer["Cache-Control"]
        assert answer["Referrer-Policy"] == "same-origin"


def test_the_secret_for_the_own_service_stands_apart_from_the_partners(
    administrator: Browser, client_row: Client
) -> None:
    made = add_flow(administrator, "isu", client_row)
    flow = Flow.objects.get()
    generated = administrator.post(
        reverse("admin:tenants_flow_generate", args=[flow.pk]),
        {"purpose": "upstream_signing", "version": "2"},
    )
    for version, answer in ((1, made), (2, generated)):
        key = flow.keys.get(purpose="upstream_signing", version=version)
        secret = at_rest.open_sealed(key.material, key.at_rest_context).decode("ascii")
        page = html.unescape(answer.content.decode())
        own_service = page.index("For your own service")
        assert page.index(secret) > own_service
        assert page.count(secret) == 1
        assert answer.context["own_service"] == {"upstream_signing": secret}
        assert secret not in answer.context["credentials_json"]
        assert secret not in {item.value for item in answer.context["extra"]}
    assert "For the partner" in made.content.decode()
    assert "For the partner" not in generated.content.decode()
    assert "credentials as JSON" not in generated.content.decode()


def test_a_secret_that_is_never_handed_over_is_not_shown(
    administrator: Browser, client_row: Client
) -> None:
    made: Any = add_flow(administrator, "flynn", client_row)
    flow = Flow.objects.get()
    generated = administrator.post(
        reverse("admin:tenants_flow_generate", args=[flow.pk]),
        {"purpose": "token_signing", "version": "2"},
    )
    assert (generated.status_code, generated["Location"]) == (
        302,
        f"{flow_url(flow)}#secret-token_signing",
    )
    for key in flow.keys.filter(purpose="token_signing"):
        material = at_rest.open_sealed(key.material, key.at_rest_context)
        assert material.hex() not in made.content.decode()
        assert key.version in {1, 2}


def test_an_imported_secret_does_not_come_back(administrator: Browser, make_flow: Make) -> None:
    flow = make_flow("whatsapp_flows").flow
    answer = administrator.post(
        reverse("admin:tenants_flow_import", args=[flow.pk]),
        {"purpose": "access_token", "text": "EAAG-secret-token-of-meta"},
        follow=True,
    )
    assert "Cloud API access token version 1 is imported and active." in answer.content.decode()
    assert "EAAG-secret-token-of-meta" not in answer.content.decode()
    key = Key.objects.get(purpose="access_token")
    assert at_rest.open_sealed(key.material, key.at_rest_context) == b"EAAG-secret-token-of-meta"


def test_a_refused_import_does_not_come_back_either(
    administrator: Browser, make_flow: Make
) -> None:
    flow = make_flow("whatsapp_flows").flow
    count = Key.objects.count()
    answer = administrator.post(
        reverse("admin:tenants_flow_import", args=[flow.pk]),
        {"purpose": "app_secret", "text": "fünf Geheimnisse"},
        follow=True,
    )
    page = answer.content.decode()
    assert "must be plain ASCII text" in page
    assert "Geheimnisse" not in page
    assert Key.objects.count() == count


def test_issued_keys_do_not_show_themselves(make_flow: Make) -> None:
    issued = make_flow("isu")
    texts = [repr(issued), str(issued.keys), repr(issued.keys[0].key.__dict__.get("flow"))]
    for value in [
        *issued.credentials.values(),
        issued.callback_secret,
        issued.upstream_secret,
    ]:
        if value != issued.flow.identity["client_id"]:
            assert not any(value in text for text in texts)
    assert isinstance(issued, lifecycle.IssuedFlow)


@pytest.mark.parametrize("lookup", ["material", "material__startswith", "lookup_digest__gte"])
def test_no_filter_spells_out_what_no_page_shows(
    administrator: Browser, make_flow: Make, lookup: str
) -> None:
    make_flow("citcall")
    url = reverse("admin:tenants_key_changelist")
    assert administrator.get(url, {lookup: "0"}).status_code == 400
    assert administrator.get(url, {"state__exact": "active"}).status_code == 200


@pytest.mark.parametrize(
    ("purpose", "name", "encoding"),
    [
        ("isu_aes", "aes_key", "hex"),
        ("isu_aes", "aes_key", "utf8"),
        ("isu_payload_aes", "aes_payload_key", "hex"),
    ],
)
def test_a_new_key_is_named_by_how_it_is_written(
    administrator: Browser, make_flow: Make, purpose: str, name: str, encoding: str
) -> None:
    flow = make_flow("isu", options={"key_encoding": encoding}).flow
    answer = administrator.post(
        reverse("admin:tenants_flow_generate", args=[flow.pk]),
        {"purpose": purpose, "version": str(flow.keys.filter(purpose=purpose).count() + 1)},
    )
    key = flow.keys.filter(purpose=purpose).latest("version")
    stored = at_rest.open_sealed(key.material, key.at_rest_context)
    written = stored.hex() if encoding == "hex" else stored.decode()
    assert answer.context["credentials"] == {
        f"{name}_base64": base64.b64encode(stored).decode(),
        f"{name}_{encoding}": written,
    }
    given = json.loads(answer.context["credentials_json"])["credentials"]
    assert given == answer.context["credentials"]
