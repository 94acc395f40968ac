"""Every address of the admin, for nobody and for each role; and what pages show is what one may do.

The tables below name every address there is: one that is added and not listed fails the first test.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.test import Client as Browser
from django.urls import Resolver404, URLPattern, URLResolver, resolve, reverse
from django.utils import timezone

from callbacks import operations
from callbacks.models import Delivery, Endpoint, Replay
from callbacks.operations import Selection
from flows_endpoint.models import ExchangeRow
from tenants import lifecycle
from tenants.actors import Actor
from tenants.lifecycle import IssuedFlow
from tenants.models import ApprovalRequest, AuditEntry, Client, Flow, HandOver, Key
from tests.callbacks.outbox import put
from tests.console.test_roles import KEYS, LOOKING, OPERATING, OVERSEEING, PEOPLE
from tests.tenants.asking import ask_to_revoke
from tests.tenants.people import somebody

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(300)]
Make = Callable[..., IssuedFlow]
Roles = frozenset[str]

NOBODY: Roles = frozenset()
DECIDING: Roles = frozenset({"Approver", "Administrator"})
EVERYBODY: Roles = frozenset(LOOKING)
#: What a role may is decided in Python, whatever the database. In the second pass it is asked for
#: by the one that may open the most: of every page's statements none is left out.
FOREMOST = "Administrator"
ROLES = [
    pytest.param(role, marks=() if role == FOREMOST else pytest.mark.once)
    for role in sorted(LOOKING)
]
STRANGER = pytest.param("", marks=pytest.mark.once)

#: Of each model: who may look, who may add, who may change. Nobody deletes anything here.
MODELS: dict[str, tuple[set[str] | Roles, set[str] | Roles, set[str] | Roles]] = {
    "tenants_client": (LOOKING, OPERATING, OPERATING),
    "tenants_flow": (LOOKING, KEYS, OPERATING),
    "tenants_key": (LOOKING, NOBODY, NOBODY),
    "tenants_handover": (LOOKING, NOBODY, NOBODY),
    "tenants_approvalrequest": (LOOKING, NOBODY, NOBODY),
    "tenants_auditentry": (OVERSEEING, NOBODY, NOBODY),
    "callbacks_delivery": (LOOKING, NOBODY, NOBODY),
    "callbacks_endpoint": (LOOKING, NOBODY, OPERATING),
    "callbacks_replay": (LOOKING, OPERATING, NOBODY),
    "flows_endpoint_exchangerow": (LOOKING, NOBODY, NOBODY),
    "auth_user": (PEOPLE, PEOPLE, PEOPLE),
    "auth_group": (PEOPLE, NOBODY, NOBODY),
    **{
        f"whatsapp_flows_{name}": (LOOKING, NOBODY, NOBODY)
        for name in (
            *("whatsappmessage", "flowsession", "flowalert", "flowhealth", "phonekey"),
            *("errorreport", "webhookupdate"),
        )
    },
    # What the sandboxes keep, for superusers alone.
    **dict.fromkeys(
        (
            *("kairos_callrequest", "kairos_outboundcall", "kairos_callattempt"),
            *("kairos_callallowance", "citcall_missedcall", "citcall_firstreply"),
            *("isu_payout", "isu_collection", "whatsapp_flows_appointment"),
            *("whatsapp_flows_stepreply", "whatsapp_flows_mediafile", "flynn_account"),
            *("flynn_usersession", "flynn_portalsession", "flynn_invoice", "flynn_ewaybill"),
        ),
        (NOBODY, NOBODY, NOBODY),
    ),
}
#: Pages of their own, and who may open them.
PAGES: dict[str, set[str] | Roles] = {
    "index": EVERYBODY,
    "search": EVERYBODY,
    "confirm": EVERYBODY,
    "jsi18n": EVERYBODY,
    "password_change": EVERYBODY,
    "password_change_done": EVERYBODY,
    "auth_user_password_change": PEOPLE,
    "tenants_key_public": LOOKING,
}
#: What only a POST does, and who may. Who asked for something may withdraw it, whoever they are.
POSTS: dict[str, set[str] | Roles] = {
    "tenants_client_relax": OPERATING,
    "tenants_flow_generate": KEYS,
    "tenants_flow_import": KEYS,
    "tenants_key_verb": KEYS,
    "tenants_handover_make": KEYS,
    "tenants_handover_withdraw": KEYS,
    "tenants_approvalrequest_approve": DECIDING,
    "tenants_approvalrequest_refuse": DECIDING,
    "tenants_approvalrequest_withdraw": NOBODY,
    "callbacks_delivery_verb": OPERATING,
    "callbacks_endpoint_verb": OPERATING,
    "callbacks_replay_cancel": OPERATING,
    "whatsapp_flows_whatsappmessage_send": OPERATING,
    "whatsapp_flows_phonekey_upload": KEYS,
    "whatsapp_flows_phonekey_check": LOOKING,
}
#: For whoever is at the door; each is tested where it is at home.
DOORS = {"login", "logout", "second_factor", "autocomplete", "view_on_site", "app_list"}


@dataclass
class Scene:
    """One row of each main model, in states in which every button is possible."""

    flow: Flow
    staged: Key
    handover: HandOver
    delivery: Delivery
    replay: Replay
    exchange: ExchangeRow
    guarded: Client
    asked: ApprovalRequest
    person: User
    entry: AuditEntry = field(init=False)

    def __post_init__(self) -> None:
        self.entry = AuditEntry.objects.order_by("pk")[0]

    def row(self, model: str) -> Any:
        """Return the primary key of the row of ``model``, or one that is nobody's."""
        rows = {
            "tenants_client": self.guarded.pk,
            "tenants_flow": self.flow.pk,
            "tenants_key": self.staged.pk,
            "tenants_handover": self.handover.pk,
            "tenants_approvalrequest": self.asked.pk,
            "tenants_auditentry": self.entry.pk,
            "callbacks_delivery": self.delivery.pk,
            "callbacks_endpoint": self.delivery.endpoint_id,
            "callbacks_replay": self.replay.pk,
            "flows_endpoint_exchangerow": self.exchange.pk,
            "auth_user": self.person.pk,
            "auth_group": Group.objects.order_by("pk")[0].pk,
        }
        return rows.get(model)

    def state(self) -> tuple[object, ...]:
        return (
            list(Client.objects.values().order_by("pk")),
            list(Flow.objects.values().order_by("pk")),
            list(Key.objects.values().order_by("pk")),
            list(HandOver.objects.values().order_by("pk")),
            list(ApprovalRequest.objects.values().order_by("pk")),
            list(Delivery.objects.values().order_by("pk")),
            list(Endpoint.objects.values().order_by("pk")),
            list(Replay.objects.values().order_by("pk")),
            AuditEntry.objects.count(),
        )

    def post_url(self, name: str) -> str:
        usual = [self.asked.pk] if "approvalrequest" in name else [self.flow.pk]
        arguments: dict[str, list[Any]] = {
            "tenants_client_relax": [self.guarded.pk],
            "tenants_key_verb": [self.staged.pk, "revoke"],
            "tenants_handover_withdraw": [self.handover.pk],
            "callbacks_delivery_verb": [self.delivery.pk, "cancel"],
            "callbacks_endpoint_verb": [self.delivery.endpoint_id, "pause"],
            "callbacks_replay_cancel": [self.replay.pk],
            "whatsapp_flows_phonekey_upload": [self.flow.pk, self.staged.pk],
        }
        return reverse(f"admin:{name}", args=arguments.get(name, usual))


@pytest.fixture
def scene(make_flow: Make, actor: Actor, monkeypatch: pytest.MonkeyPatch) -> Scene:
    options = {
        "phone_number_id": "106540352242922",
        "meta_flow_id": "200000000000002",
        "flow_message": "Book.",
        "flow_cta": "Book",
    }
    made = make_flow("whatsapp_flows", callback_url="http://127.0.0.1:9/hook", options=options)
    lifecycle.import_text(actor, made.flow, "access_token", "EAAG-the-token-of-a-system-user")
    guarded = lifecycle.create_client(actor, slug="guarded", needs_second_person=True)
    other = lifecycle.create_flow(actor, guarded, "citcall").flow
    asker = somebody("asker", "Key officer")
    return Scene(
        flow=made.flow,
        staged=lifecycle.generate_key(actor, made.flow, "whatsapp_rsa").key,
        handover=lifecycle.create_handover(actor, made.flow).handover,
        delivery=put(made.flow),
        replay=operations.start_replay(
            actor,
            Selection(
                since=timezone.now() - timedelta(days=2),
                until=timezone.now() - timedelta(days=1),
                states=("failed",),
            ),
        ),
        exchange=ExchangeRow.objects.create(
            at=timezone.now(),
            request_id="request-0123456789",
            flow=made.flow,
            scheme="whatsapp_flows",
            operation="data",
            outcome="ok",
            http_status=200,
            milliseconds=1.0,
            request_size=10,
        ),
        guarded=guarded,
        asked=ask_to_revoke(asker, other.keys.get(purpose="api_key")),
        person=User.objects.get(username="asker"),
    )


def sign_in_as(role: str) -> Browser:
    """Return a browser of somebody with ``role`` who gave the password just now; "": nobody."""
    browser = Browser()
    if role:
        user = User.objects.create_user(f"me.{role}".replace(" ", "."), is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        browser.force_login(user)
        session = browser.session
        session["confirmed_at"] = int(timezone.now().timestamp())
        session.save()
    return browser


def names(patterns: list[URLPattern | URLResolver]) -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from names(pattern.url_patterns)
        elif pattern.name:
            yield pattern.name


def test_the_tables_name_every_address() -> None:
    of_models = {
        f"{model}_{page}"
        for model in MODELS
        for page in ("changelist", "add", "history", "delete", "change")
    }
    assert set(names(admin.site.urls[0])) == of_models | PAGES.keys() | POSTS.keys() | DOORS
    there = {f"{model._meta.app_label}_{model._meta.model_name}" for model in admin.site._registry}
    assert there == set(MODELS)


@pytest.mark.parametrize("role", [*ROLES, STRANGER])
def test_pages_open_for_their_roles_alone(role: str, scene: Scene) -> None:
    browser = sign_in_as(role)
    wrong: dict[str, int] = {}
    before = scene.state()

    def look(name: str, arguments: list[Any], is_allowed: bool, *, unknown: bool = False) -> None:
        answer = browser.get(reverse(f"admin:{name}", args=arguments))
        if not role:
            is_right = answer.status_code == 302 and "/admin/login/" in answer["Location"]
        elif unknown:  # of a row that is not: a way back, or nothing
            is_right = answer.status_code in ({302} if is_allowed else {302, 403})
        else:
            is_right = answer.status_code == (200 if is_allowed else 403)
        if not is_right:
            wrong[f"{name} {arguments}"] = answer.status_code

    for model, (lookers, adders, _) in MODELS.items():
        look(f"{model}_changelist", [], role in lookers)
        look(f"{model}_add", [], role in adders)
        row = scene.row(model)
        key = row if row is not None else "00000000-0000-4000-8000-000000000000"
        look(f"{model}_change", [key], role in lookers, unknown=row is None)
        look(f"{model}_history", [key], role in lookers, unknown=row is None)
        look(f"{model}_delete", [key], False, unknown=row is None)
    for name, roles in PAGES.items():
        of = {"auth_user_password_change": "auth_user", "tenants_key_public": "tenants_key"}
        look(name, [scene.row(of[name])] if name in of else [], role in roles)
    assert wrong == {}
    assert scene.state()[:-1] == before[:-1]


@pytest.mark.parametrize("role", [*ROLES, STRANGER])
def test_what_a_post_does_is_done_for_its_roles_alone(role: str, scene: Scene) -> None:
    browser = sign_in_as(role)
    wrong: dict[str, int] = {}
    for name, roles in POSTS.items():
        url = scene.post_url(name)
        if role in roles:
            # That it is done is tested where it is at home; here, that it is not forbidden.
            continue
        before = scene.state()
        for method in (browser.get, browser.post):
            answer = method(url, {"reason": "x", "purpose": "app_secret", "text": "7f3a" * 8})
            allowed = {302} if not role else {403, 405}
            if name == "tenants_approvalrequest_withdraw" and role:
                allowed = {302, 403, 405}  # refused in words: it is not theirs
            if answer.status_code not in allowed:
                wrong[name] = answer.status_code
        if scene.state()[:-1] != before[:-1]:
            wrong[name] = -1
    assert wrong == {}


# --- what pages show -----------------------------------------------------------------------


class _Shown(HTMLParser):
    """Collects the links of a page, and where its forms with a button go."""

    def __init__(self) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.posts: set[str] = set()
        self._form: tuple[str, str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "a" and given.get("href"):
            self.links.add(given["href"])
        if tag == "form":
            self._form = (given.get("method", "get").lower(), given.get("action", ""))
        is_button = (tag == "button" and given.get("type", "submit") == "submit") or (
            tag == "input" and given.get("type") == "submit"
        )
        if is_button and self._form and self._form[0] == "post":
            self.posts.add(given.get("formaction") or self._form[1])

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None


def _may_post(role: str, name: str) -> bool:
    if name in POSTS:
        return role in POSTS[name]
    model, _, page = name.rpartition("_")
    if model in MODELS and page in {"add", "change"}:
        return role in MODELS[model][1 if page == "add" else 2]
    if model in MODELS and page == "changelist":
        return role in MODELS[model][0]  # a list's own form, of actions
    return (name in PAGES and role in PAGES[name]) or name in DOORS


@pytest.mark.parametrize("role", ROLES)
def test_what_is_shown_is_allowed_and_what_is_not_shown_is_not(role: str, scene: Scene) -> None:
    browser = sign_in_as(role)
    waiting, opened = ["/admin/"], set[str]()
    dead: dict[str, int] = {}
    forbidden: set[tuple[str, str]] = set()
    shown: set[str] = set()
    rows = {scene.flow.pk, scene.guarded.pk, scene.asked.pk, scene.staged.pk, scene.handover.pk}
    rows |= {scene.delivery.pk, scene.replay.pk}
    waiting += [
        reverse(f"admin:{model}_change", args=[scene.row(model)])
        for model, (lookers, _, _) in MODELS.items()
        if scene.row(model) is not None and role in lookers
    ]
    kinds: dict[str, int] = {}
    while waiting:
        path = waiting.pop()
        try:
            name = resolve(path).url_name or ""
        except Resolver404:
            dead[path] = 404
            continue
        kinds[name] = kinds.get(name, 0) + 1
        if path in opened or (kinds[name] > 6 and not any(str(row) in path for row in rows)):
            continue
        opened.add(path)
        answer = browser.get(path)
        if answer.status_code not in {200, 302}:
            dead[path] = answer.status_code
        if not answer.get("Content-Type", "").startswith("text/html"):
            continue
        page = _Shown()
        page.feed(answer.content.decode())
        waiting += [
            link.path
            for link in (urlsplit(urljoin(path, href)) for href in page.links)
            if link.path.startswith("/admin/") and not link.netloc
        ]
        for action in page.posts:
            target = resolve(urlsplit(urljoin(path, action)).path).url_name or ""
            shown.add(target)
            if not _may_post(role, target):
                forbidden.add((path, target))
    assert dead == {}
    assert forbidden == set()
    possible = {name for name, roles in POSTS.items() if role in roles}
    assert shown & POSTS.keys() == possible
    assert len(opened) > 30
    assert re.search(r"/tenants/flow/[0-9a-f-]{36}/change/", " ".join(opened))
