"""The side bar: what a person may open, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse

from flows_endpoint import attention
from tenants.actors import account_of
from tenants.lifecycle.approvals import DECIDE
from tenants.lifecycle.requests import waiting
from tenants.schemes_in_use import schemes_in_use

_Group = tuple[str, tuple[tuple[str, str, str, str], ...]]
#: Group, then title, icon (Material Symbols), admin model, permission.
_GROUPS: Final[tuple[_Group, ...]] = (
    (
        "Partners",
        (
            ("Clients", "domain", "tenants_client", "tenants.view_client"),
            ("Flows", "route", "tenants_flow", "tenants.view_flow"),
            ("Keys", "key", "tenants_key", "tenants.view_key"),
            ("Hand-overs", "forward_to_inbox", "tenants_handover", "tenants.view_handover"),
        ),
    ),
    (
        "Traffic",
        (
            (
                "Exchanges",
                "swap_horiz",
                "flows_endpoint_exchangerow",
                "flows_endpoint.view_exchangerow",
            ),
            ("Deliveries", "outbox", "callbacks_delivery", "callbacks.view_delivery"),
            ("Endpoints", "webhook", "callbacks_endpoint", "callbacks.view_endpoint"),
            ("Replays", "replay", "callbacks_replay", "callbacks.view_replay"),
        ),
    ),
    (
        "Oversight",
        (
            (
                "Approval requests",
                "how_to_reg",
                "tenants_approvalrequest",
                "tenants.view_approvalrequest",
            ),
            ("Audit trail", "history", "tenants_auditentry", "tenants.view_auditentry"),
            ("People", "group", "auth_user", "auth.view_user"),
            ("Roles", "badge", "auth_group", "auth.view_group"),
        ),
    ),
)


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the groups of links; a link shows for who has the permission of its list."""
    badges = {"tenants_approvalrequest": _to_decide(request)}
    overview = {"title": "Overview", "icon": "dashboard", "link": reverse("admin:index")}
    return [
        {"items": [overview]},
        *(
            {
                "title": title,
                "separator": True,
                "items": [
                    {
                        "title": name,
                        "icon": icon,
                        "link": reverse(f"admin:{model}_changelist"),
                        "permission": _needs(permission),
                        "badge": badges.get(model, 0),
                        "badge_variant": "warning",
                    }
                    for name, icon, model, permission in items
                ],
            }
            for title, items in (*_GROUPS[:-1], *_groups_of_contracts(_in_use()), *_GROUPS[-1:])
        ),
    ]


def grouped(apps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return Django's list of apps and their models by the groups of the side bar.

    So the search finds a list under the words beside it. What is not in the side bar stays where
    it was.
    """
    groups = (*_GROUPS, *_groups_of_contracts(attention.groups()))
    place = {model: title for title, items in groups for _, _, model, _ in items}
    found: dict[str, list[dict[str, Any]]] = {title: [] for title, _ in groups}
    others = []
    for app in apps:
        left: list[dict[str, Any]] = []
        for model in app["models"]:
            group = place.get(_name(model))
            (found[group] if group else left).append(model)
        if left:
            others.append(app | {"models": left})
    return [{"name": title, "models": found[title]} for title in found if found[title]] + others


def _name(model: Mapping[str, Any]) -> str:
    """Return a model of Django's list as the groups name it."""
    meta = model["model"]._meta
    return f"{meta.app_label}_{meta.model_name}"


def _in_use() -> Mapping[str, attention.Group]:
    """Return the groups of contracts that have flows: nothing begins in one of the others."""
    groups = attention.groups()
    have_flows = schemes_in_use({group.scheme for group in groups.values()})
    return {title: group for title, group in groups.items() if group.scheme in have_flows}


def _groups_of_contracts(groups: Mapping[str, attention.Group]) -> Iterator[_Group]:
    for title, group in groups.items():
        yield (
            title,
            tuple((link.title, link.icon, link.model, link.permission) for link in group.links),
        )


def account(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the links in the menu of the signed-in person."""
    return [{"title": "Second factor", "link": reverse("admin:second_factor")}]


def styles(request: HttpRequest) -> str:
    """Return the address of the style sheet that stands beside the theme's."""
    return static("console/console.css")


def scripts(request: HttpRequest) -> str:
    """Return the address of the script that copies values."""
    return static("console/copy.js")


def reach(request: HttpRequest) -> str:
    """Return the address of the script that makes everything reachable without a mouse."""
    return static("console/reach.js")


def _to_decide(request: HttpRequest) -> int:
    """Return how many requests wait for a decision this person may take."""
    if not request.user.has_perm(DECIDE):
        return 0
    return waiting().exclude(requested_by_account=account_of(request.user)).count()


def _needs(permission: str) -> Callable[[HttpRequest], bool]:
    def has(request: HttpRequest) -> bool:
        return request.user.has_perm(permission)

    return has
