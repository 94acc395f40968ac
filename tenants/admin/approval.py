"""Requests for a second person in the admin: what waits, and the buttons that decide on it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_POST
from unfold.decorators import display

from crypto_schemes.keys import short_fingerprint
from tenants import key_use
from tenants.actors import Actor, account_of
from tenants.admin.base import ListedFilter, ReadOnlyAdmin, RefusedError, answering, sent_back
from tenants.admin.fresh import needs_fresh
from tenants.lifecycle import approvals, needs_confirmation
from tenants.lifecycle.covered import COVERED, changes, covered, fingerprints, what
from tenants.lifecycle.requests import waiting
from tenants.models import ApprovalRequest, ApprovalState, Flow


class StateFilter(ListedFilter):
    """By where it stands."""

    title = "state"
    parameter_name = "state"
    values = tuple(ApprovalState.values)


class VerbFilter(ListedFilter):
    """By what is asked for."""

    title = "verb"
    parameter_name = "verb"
    values = tuple(COVERED)


def page_of(request_id: uuid.UUID, name: str = "change") -> str:
    """Return the address of a request's page, or of one of its buttons."""
    return reverse(f"admin:tenants_approvalrequest_{name}", args=[request_id])


def asked_for(row: ApprovalRequest) -> str:
    """Return what is said to somebody who pressed a button and thereby asked."""
    return (
        f"Asked for: {what(row)}. Nothing is changed yet; another administrator decides until "
        f"{row.expires_at:%Y-%m-%d %H:%M} UTC."
    )


def guarded_context(flow: Flow, request: HttpRequest) -> dict[str, Any]:
    """Return what the page of a flow whose keys need two people shows of that."""
    if not flow.client.needs_second_person:
        return {}
    rows: QuerySet[ApprovalRequest] = ApprovalRequest.objects.none()
    if request.user.has_perm("tenants.view_approvalrequest"):
        rows = waiting().filter(flow=flow).select_related("key__flow", "flow", "client")
    asked = list(rows)
    return {
        "is_guarded": True,
        "waiting": [(row, what(row)) for row in asked],
        "revoking": {row.key_id for row in asked if row.verb == "key.revoke"},
        "erasing": {row.key_id for row in asked if row.verb == "key.schedule_destruction"},
    }


@admin.register(ApprovalRequest)
class ApprovalRequestAdmin(ReadOnlyAdmin):
    """What was asked for, by whom, and what came of it."""

    list_display = ("title", "client", "flow", "requested_by", "requested_at", "until", "standing")
    list_filter = (StateFilter, VerbFilter)
    list_select_related = ("client", "flow", "key__flow")
    search_fields = ("client__slug", "flow__address", "requested_by")
    change_form_template = "admin/tenants/approval_change.html"
    fields = readonly_fields = ("verb", "client", "flow", "key", "reason", "state")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApprovalRequest]:
        """Return the requests without what they carry, which no page shows."""
        rows: QuerySet[ApprovalRequest] = super().get_queryset(request)
        return rows.defer("arguments", "key__material")

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Return False for what no page shows: a filter typed into the URL would spell it out."""
        hidden = lookup.startswith(("arguments", "key", "flow__keys"))
        return not hidden and super().lookup_allowed(lookup, value, request)  # type: ignore[arg-type]

    # -- addresses ---------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        """Add the addresses of the decisions."""
        view = self.admin_site.admin_view
        return [
            path(
                f"<uuid:request_id>/{name}/",
                view(getattr(self, f"{name}_view")),
                name=f"tenants_approvalrequest_{name}",
            )
            for name in ("approve", "refuse", "withdraw")
        ] + super().get_urls()

    @method_decorator(require_POST)
    @needs_fresh(page_of)
    def approve_view(self, request: HttpRequest, request_id: uuid.UUID) -> HttpResponse:
        """Have it done."""
        return self._decide(
            request,
            request_id,
            lambda actor, row, note: approvals.approve(actor, row, note=note),
            "Approved and done: {}.",
        )

    @method_decorator(require_POST)
    @needs_fresh(page_of)
    def refuse_view(self, request: HttpRequest, request_id: uuid.UUID) -> HttpResponse:
        """Decline it."""
        return self._decide(
            request,
            request_id,
            lambda actor, row, note: approvals.refuse(actor, row, note=note),
            "Refused: {}. Nothing is changed.",
        )

    @method_decorator(require_POST)
    @needs_fresh(page_of)
    def withdraw_view(self, request: HttpRequest, request_id: uuid.UUID) -> HttpResponse:
        """Take it back."""
        return self._decide(
            request,
            request_id,
            lambda actor, row, note: approvals.withdraw(actor, row),
            "Withdrawn: {}. Nothing is changed.",
        )

    def _decide(
        self,
        request: HttpRequest,
        pk: uuid.UUID,
        decide: Callable[[Actor, ApprovalRequest, str], ApprovalRequest],
        said: str,
    ) -> HttpResponse:
        row = get_object_or_404(ApprovalRequest, pk=pk)
        title = what(row)
        try:
            with answering():
                decide(Actor.from_request(request), row, request.POST.get("note", ""))
            messages.success(request, said.format(title))
        except RefusedError as refused:
            return sent_back(request, refused, page_of(pk))
        return HttpResponseRedirect(page_of(pk))

    # -- what the page shows -----------------------------------------------------------------

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Serve the page of a request."""
        row = self.get_object(request, object_id)
        context = {} if row is None else self._shown(request, row)
        return super().change_view(
            request, object_id, form_url, {**context, **(extra_context or {})}
        )

    def _shown(self, request: HttpRequest, row: ApprovalRequest) -> dict[str, Any]:
        user = request.user
        is_own = account_of(user) == row.requested_by_account
        is_open = row.state == ApprovalState.PENDING and row.expires_at > timezone.now()
        return {
            "title": what(row),
            "asked": row,
            "effect": covered(row.verb).effect,
            "standing": _standing(row),
            "fingerprints": [(each, short_fingerprint(each)) for each in fingerprints(row)],
            "hours": row.details.get("hours"),
            "changes": changes(row),
            "in_use": key_use.use_of(row.key) if row.key and needs_confirmation(row.key) else None,
            "refusing": {"formaction": page_of(row.pk, "refuse")},
            "may_decide": is_open and not is_own and user.has_perm(approvals.DECIDE),
            "may_withdraw": is_open and is_own,
        }

    @admin.display(description="What")
    def title(self, row: ApprovalRequest) -> str:
        """Return what is asked for."""
        return what(row)

    @admin.display(description="Until", ordering="expires_at")
    def until(self, row: ApprovalRequest) -> Any:
        """Return until when it waits; nothing once it is decided."""
        return row.expires_at if row.state == ApprovalState.PENDING else None

    @display(  # type: ignore[untyped-decorator]  # the theme has no types
        description="State",
        ordering="state",
        label={
            "waiting": "warning",
            "approved": "success",
            "refused": "danger",
        },
    )
    def standing(self, row: ApprovalRequest) -> tuple[str, str]:
        """Return where it stands, in a word."""
        word = _standing(row)
        return word, word


def _standing(row: ApprovalRequest) -> str:
    if row.state != ApprovalState.PENDING:
        return str(row.state)
    # The worker says so within a minute; the page is right before.
    return "waiting" if row.expires_at > timezone.now() else "expired"
