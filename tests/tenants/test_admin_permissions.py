"""Who may do what in the admin: nobody, staff without rights, a viewer, the right person.

That is decided in Python. On a second database only what the right person does is done once more.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from tenants import lifecycle
from tenants.actors import Actor
from tenants.admin.key_panel import OFFERED
from tenants.lifecycle import IssuedFlow
from tenants.models import AuditEntry, Client, Flow, HandOver, Key
from tests.tenants.admin_pages import flow_url, form_of, new_flow_url, verb_url

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_keys")]
Make = Callable[..., IssuedFlow]
SignIn = Callable[..., Browser]

EXPIRES = f"{timezone.now() + timedelta(days=90):%Y-%m-%d}"
VIEWER = ("view_client", "view_flow", "view_key", "view_handover", "view_auditentry")


@dataclass
class Scene:
    """A flow with a staged, an active, a retired and a soon erased key, and the database."""

    flow: Flow
    staged: Key
    active: Key
    retired: Key
    waiting: Key
    client: Client
    handover: HandOver
    entry: AuditEntry = field(init=False)

    def __post_init__(self) -> None:
        self.entry = AuditEntry.objects.latest("pk")

    def state(self) -> tuple[object, ...]:
        return (
            list(Client.objects.values().order_by("pk")),
            list(Flow.objects.values().order_by("pk")),
            list(Key.objects.values().order_by("pk")),
            list(HandOver.objects.values().order_by("pk")),
            AuditEntry.objects.count(),
        )


@pytest.fixture(scope="module")
def kept_scene(module_rows: None) -> Scene:
    actor = Actor(name="tester")
    client = lifecycle.create_client(actor, slug="kept")
    flow = lifecycle.create_flow(actor, client, "citcall").flow
    staged = lifecycle.generate_key(actor, flow, "api_key").key
    active = flow.keys.get(purpose="api_key", state="active")
    handover = lifecycle.create_handover(actor, flow).handover
    retired, waiting = (
        lifecycle.retire_key(actor, lifecycle.generate_key(actor, flow, "api_key").key)
        for _ in range(2)
    )
    lifecycle.schedule_destruction(actor, waiting, days=7, reason="old")
    return Scene(flow, staged, active, retired, waiting, client, handover)


@pytest.fixture
def scene(kept_scene: Scene, db: None) -> Scene:
    return deepcopy(kept_scene)


#: Every address that shows something, and the permission it needs.
PAGES: dict[str, tuple[Callable[[Scene], str], str]] = {
    "clients": (lambda scene: reverse("admin:tenants_client_changelist"), "view_client"),
    "client": (
        lambda scene: reverse("admin:tenants_client_change", args=[scene.client.pk]),
        "view_client",
    ),
    "new client": (lambda scene: reverse("admin:tenants_client_add"), "add_client"),
    "flows": (lambda scene: reverse("admin:tenants_flow_changelist"), "view_flow"),
    "flow": (lambda scene: flow_url(scene.flow), "view_flow"),
    "flow's history": (
        lambda scene: reverse("admin:tenants_flow_history", args=[scene.flow.pk]),
        "view_flow",
    ),
    "contracts": (lambda scene: reverse("admin:tenants_flow_add"), "add_flow"),
    "new flow": (lambda scene: new_flow_url("citcall"), "add_flow"),
    "keys": (lambda scene: reverse("admin:tenants_key_changelist"), "view_key"),
    "key": (lambda scene: reverse("admin:tenants_key_change", args=[scene.staged.pk]), "view_key"),
    "hand-overs": (lambda scene: reverse("admin:tenants_handover_changelist"), "view_handover"),
    "hand-over": (
        lambda scene: reverse("admin:tenants_handover_change", args=[scene.handover.pk]),
        "view_handover",
    ),
    "audit trail": (
        lambda scene: reverse("admin:tenants_auditentry_changelist"),
        "view_auditentry",
    ),
    "audit entry": (
        lambda scene: reverse("admin:tenants_auditentry_change", args=[scene.entry.pk]),
        "view_auditentry",
    ),
}

#: Every address that changes something, what to send, and the permission it needs.
VERBS: dict[str, tuple[Callable[[Scene], str], dict[str, str], str]] = {
    "create client": (
        lambda scene: reverse("admin:tenants_client_add"),
        {"slug": "other", "name": "Other", "is_enabled": "on"},
        "add_client",
    ),
    "edit client": (
        lambda scene: reverse("admin:tenants_client_change", args=[scene.client.pk]),
        {"slug": "acme", "name": "Renamed"},
        "change_client",
    ),
    "create flow": (lambda scene: new_flow_url("citcall"), {}, "add_flow"),
    "edit flow": (lambda scene: flow_url(scene.flow), {}, "change_flow"),
    "generate": (
        lambda scene: reverse("admin:tenants_flow_generate", args=[scene.flow.pk]),
        {"purpose": "api_key", "version": "5", "expires": EXPIRES},
        "add_key",
    ),
    "import": (
        lambda scene: reverse("admin:tenants_flow_import", args=[scene.flow.pk]),
        {"purpose": "api_key", "text": "0123456789abcdef0123456789abcdef"},
        "add_key",
    ),
    "promote": (
        lambda scene: verb_url(scene.staged, "promote"),
        {"overlap_days": "7"},
        "change_key",
    ),
    "promote anyway": (
        lambda scene: verb_url(scene.staged, "promote"),
        {"overlap_days": "7", "override": "it burns", "confirm": "promote anyway"},
        "change_key",
    ),
    "retire": (lambda scene: verb_url(scene.staged, "retire"), {}, "change_key"),
    "revoke": (lambda scene: verb_url(scene.active, "revoke"), {"reason": "leaked"}, "change_key"),
    "set expiry": (
        lambda scene: verb_url(scene.active, "set_expiry"),
        {"expires": EXPIRES},
        "change_key",
    ),
    "schedule destruction": (
        lambda scene: verb_url(scene.retired, "schedule_destruction"),
        {"days": "7", "reason": "old"},
        "delete_key",
    ),
    "cancel destruction": (
        lambda scene: verb_url(scene.waiting, "cancel_destruction"),
        {},
        "delete_key",
    ),
    "make a hand-over": (
        lambda scene: reverse("admin:tenants_handover_make", args=[scene.flow.pk]),
        {"hours": "24"},
        "add_handover",
    ),
    "withdraw a hand-over": (
        lambda scene: reverse("admin:tenants_handover_withdraw", args=[scene.handover.pk]),
        {},
        "change_handover",
    ),
}
KEY_VERBS = [name for name in VERBS if "client" not in name and "flow" not in name]


@pytest.mark.once
@pytest.mark.parametrize("page", PAGES)
def test_nobody_is_sent_to_the_sign_in(scene: Scene, page: str) -> None:
    answer = Browser().get(PAGES[page][0](scene))
    assert answer.status_code == 302
    assert answer["Location"].startswith("/admin/login/")


@pytest.mark.once
@pytest.mark.parametrize("page", PAGES)
def test_staff_without_rights_sees_nothing(scene: Scene, sign_in: SignIn, page: str) -> None:
    assert sign_in().get(PAGES[page][0](scene)).status_code == 403


@pytest.mark.once
@pytest.mark.parametrize("page", PAGES)
def test_the_one_permission_opens_the_page(scene: Scene, sign_in: SignIn, page: str) -> None:
    url, permission = PAGES[page]
    assert sign_in(permission).get(url(scene)).status_code == 200


@pytest.mark.once
@pytest.mark.parametrize("page", PAGES)
def test_every_other_permission_does_not(scene: Scene, sign_in: SignIn, page: str) -> None:
    url, permission = PAGES[page]
    others = {*VIEWER, "delete_client", "delete_flow", "delete_key"} - {permission}
    assert sign_in(*others).get(url(scene)).status_code == 403


@pytest.mark.once
@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_by_nobody_changes_nothing(scene: Scene, verb: str) -> None:
    url, data, _ = VERBS[verb]
    before = scene.state()
    answer = Browser().post(url(scene), data)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/admin/login/")
    assert scene.state() == before


@pytest.mark.once
@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_by_a_viewer_is_forbidden(scene: Scene, sign_in: SignIn, verb: str) -> None:
    url, data, _ = VERBS[verb]
    browser = sign_in(*VIEWER)
    before = scene.state()
    assert browser.post(url(scene), data).status_code == 403
    assert scene.state() == before


@pytest.mark.once
@pytest.mark.parametrize("verb", KEY_VERBS)
def test_a_verb_by_who_has_the_other_permissions_is_forbidden(
    scene: Scene, sign_in: SignIn, verb: str
) -> None:
    url, data, permission = VERBS[verb]
    rights = {permission for _, _, permission in VERBS.values()} - {permission}
    browser = sign_in(*VIEWER, *rights)
    before = scene.state()
    assert browser.post(url(scene), data).status_code == 403
    assert scene.state() == before


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_by_the_right_person_is_done_and_audited(
    scene: Scene, sign_in: SignIn, verb: str
) -> None:
    url, data, permission = VERBS[verb]
    browser = sign_in(*VIEWER, permission)
    if verb == "create flow":
        data = form_of(browser.get(url(scene)).content.decode(), "new_id")
        data["client"] = str(scene.client.pk)
    if verb == "edit flow":
        data = form_of(browser.get(url(scene)).content.decode(), "allowed_networks")
        data["callback_url"] = "https://partner.example/"
    if verb == "make a hand-over":
        data = {**data, "key": str(scene.active.pk)}
    audited = AuditEntry.objects.count()
    before = scene.state()
    answer = browser.post(url(scene), data)
    assert answer.status_code in {200, 302}
    assert scene.state() != before
    entries = AuditEntry.objects.order_by("pk")[audited:]
    assert entries
    assert {entry.actor for entry in entries} == {browser_name(browser)}
    assert {entry.actor_address for entry in entries} == {"127.0.0.1"}
    assert all(entry.request_id for entry in entries)


def browser_name(browser: Browser) -> str:
    from django.contrib.auth import get_user  # noqa: PLC0415

    class Request:
        session = browser.session

    return str(get_user(Request()).get_username())  # type: ignore[arg-type]


@pytest.mark.once
@pytest.mark.parametrize("verb", KEY_VERBS)
@pytest.mark.parametrize("method", ["get", "head", "put", "patch", "delete", "options"])
def test_no_other_method_does_a_verb(
    scene: Scene, administrator: Browser, verb: str, method: str
) -> None:
    url, data, _ = VERBS[verb]
    before = scene.state()
    assert getattr(administrator, method)(url(scene), data).status_code == 405
    assert scene.state() == before


@pytest.mark.once
@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_without_the_csrf_token_is_forbidden(scene: Scene, verb: str) -> None:
    from django.contrib.auth.models import User  # noqa: PLC0415

    url, data, _ = VERBS[verb]
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(User.objects.create_superuser("root"))
    before = scene.state()
    assert browser.post(url(scene), data).status_code == 403
    assert scene.state() == before


@pytest.mark.once
@pytest.mark.parametrize("kind", ["client", "flow", "key", "handover", "auditentry"])
def test_nothing_can_be_deleted(scene: Scene, administrator: Browser, kind: str) -> None:
    row = {
        "client": scene.client,
        "flow": scene.flow,
        "key": scene.staged,
        "handover": scene.handover,
        "auditentry": scene.entry,
    }[kind]
    before = scene.state()
    url = reverse(f"admin:tenants_{kind}_delete", args=[row.pk])
    assert administrator.post(url, {"post": "yes"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": str(row.pk), "post": "yes"}
    administrator.post(reverse(f"admin:tenants_{kind}_changelist"), chosen)
    assert scene.state() == before


@pytest.mark.once
@pytest.mark.parametrize("kind", ["key", "handover", "auditentry"])
def test_keys_hand_overs_and_audit_entries_cannot_be_typed_in(
    scene: Scene, administrator: Browser, kind: str
) -> None:
    before = scene.state()
    row = {"key": scene.staged, "handover": scene.handover, "auditentry": scene.entry}[kind]
    assert administrator.get(reverse(f"admin:tenants_{kind}_add")).status_code == 403
    assert administrator.post(reverse(f"admin:tenants_{kind}_add"), {}).status_code == 403
    url = reverse(f"admin:tenants_{kind}_change", args=[row.pk])
    assert administrator.post(url, {"state": "active"}).status_code == 403
    assert scene.state() == before


@pytest.mark.once
def test_the_public_key_needs_the_permission(make_flow: Make, sign_in: SignIn) -> None:
    flow = make_flow("whatsapp_flows").flow
    key = flow.keys.get(purpose="whatsapp_rsa")
    url = reverse("admin:tenants_key_public", args=[key.pk])
    assert sign_in("view_flow").get(url).status_code == 403
    answer = sign_in("view_key").get(url)
    assert answer.status_code == 200
    assert answer.content.decode() == key.public_pem
    assert answer["Content-Disposition"] == (
        f'attachment; filename="whatsapp_flows-{flow.address}-whatsapp_rsa-v1.pem"'
    )
    token = flow.keys.get(purpose="app_secret")
    other = reverse("admin:tenants_key_public", args=[token.pk])
    assert sign_in("view_key", "view_flow").get(other).status_code == 404


@pytest.mark.once
def test_who_may_not_see_keys_sees_a_flow_without_them(scene: Scene, sign_in: SignIn) -> None:
    page = sign_in("view_flow").get(flow_url(scene.flow)).content.decode()
    assert scene.flow.address in page
    assert "Fingerprint" not in page
    assert "Hand-over links" not in page
    assert scene.active.fingerprint[:4] not in page


@pytest.mark.once
def test_buttons_are_only_for_who_may_press_them(scene: Scene, sign_in: SignIn) -> None:
    viewer = sign_in("view_flow", "view_key").get(flow_url(scene.flow)).content.decode()
    assert "Fingerprint" in viewer
    for verb in (*OFFERED, "generate", "import"):
        assert f"/{verb}/" not in viewer
    changer = sign_in("view_flow", "view_key", "change_key")
    page = changer.get(flow_url(scene.flow)).content.decode()
    assert verb_url(scene.staged, "promote") in page
    assert verb_url(scene.staged, "revoke") in page
    assert verb_url(scene.active, "revoke") in page
    assert verb_url(scene.active, "promote") not in page
    assert verb_url(scene.active, "retire") not in page
    assert verb_url(scene.active, "set_expiry") in page
    assert verb_url(scene.retired, "revoke") in page
    assert verb_url(scene.retired, "set_expiry") not in page
    assert "/generate/" not in page
    assert "_destruction/" not in page
    eraser = sign_in("view_flow", "view_key", "delete_key")
    page = eraser.get(flow_url(scene.flow)).content.decode()
    assert verb_url(scene.retired, "schedule_destruction") in page
    assert verb_url(scene.retired, "cancel_destruction") not in page
    assert verb_url(scene.waiting, "cancel_destruction") in page
    assert verb_url(scene.waiting, "schedule_destruction") not in page
    assert verb_url(scene.active, "schedule_destruction") not in page
    assert "/revoke/" not in page


@pytest.mark.once
def test_buttons_of_hand_overs_are_only_for_who_may_press_them(
    scene: Scene, sign_in: SignIn
) -> None:
    make = reverse("admin:tenants_handover_make", args=[scene.flow.pk])
    withdraw = reverse("admin:tenants_handover_withdraw", args=[scene.handover.pk])
    for permissions, may_make, may_withdraw in (
        (("view_handover",), False, False),
        (("add_handover",), True, False),
        (("change_handover",), False, True),
    ):
        browser = sign_in("view_flow", *permissions)
        page = browser.get(flow_url(scene.flow)).content.decode()
        assert "Hand-over links" in page
        assert (f'"{make}"' in page) == may_make
        assert (f'"{withdraw}"' in page) == may_withdraw
