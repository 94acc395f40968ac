"""The side bar: what a person may open, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse

from flows_endpoint import attention
from tenants.actors import account_of
from tenants.lifecycle.approvals import DECIDE
from tenants.lifecycle.requests import waiting

#: Group, then title, icon (Material Symbols), admin model, permission.
_GROUPS: Final = (
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
            for title, items in (*_GROUPS[:-1], *_groups_of_contracts(), *_GROUPS[-1:])
        ),
    ]


def _groups_of_contracts() -> Iterator[tuple[str, list[tuple[str, str, str, str]]]]:
    for title, links in attention.groups().items():
        yield title, [(link.title, link.icon, link.model, link.permission) for link in links]


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
