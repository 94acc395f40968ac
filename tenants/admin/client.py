"""Clients in the admin."""

from __future__ import annotations

import uuid
from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_POST

from tenants import lifecycle
from tenants.actors import Actor
from tenants.admin.approval import asked_for
from tenants.admin.base import RefusedError, UndeletableAdmin, answering, sent_back
from tenants.admin.fresh import NotFreshError, ask_again, needs_fresh, require_fresh
from tenants.lifecycle import approvals, requests
from tenants.models import ApprovalRequest, Client, Flow

#: How many flows the page of a client shows.
_LISTED: Final = 50
_FIELDS: Final = ("slug", "name", "contact_email", "notes", "is_enabled", "needs_second_person")
#: What takes a fresh session: it switches flows on and off, or says whom a slug means.
_ASKS: Final = frozenset({"slug", "is_enabled", "needs_second_person"})


@admin.register(Client)
class ClientAdmin(UndeletableAdmin):
    """Create and edit partners."""

    list_display = ("slug", "name", "is_enabled", "needs_second_person", "flow_count", "created_at")
    list_filter = ("is_enabled", "needs_second_person")
    search_fields = ("slug", "name", "contact_email")
    fields = (*_FIELDS, "created_at")
    readonly_fields = ("created_at",)
    change_form_template = "admin/tenants/client_change.html"

    def get_readonly_fields(self, request: HttpRequest, obj: Client | None = None) -> Any:
        """Fix the policy while it is on: it is switched off with a second person alone."""
        fixed = super().get_readonly_fields(request, obj)
        is_on = obj is not None and obj.needs_second_person
        return (*fixed, "needs_second_person") if is_on else fixed

    def get_urls(self) -> list[URLPattern]:
        """Add the address that asks to do without a second person."""
        view = self.admin_site.admin_view(self.relax_view)
        return [
            path("<uuid:client_id>/relax/", view, name="tenants_client_relax"),
            *super().get_urls(),
        ]

    @method_decorator(require_POST)
    @needs_fresh(lambda client_id: reverse("admin:tenants_client_change", args=[client_id]))
    def relax_view(self, request: HttpRequest, client_id: uuid.UUID) -> HttpResponse:
        """Ask that one person alone may change the client's keys again."""
        if not request.user.has_perm("tenants.change_client"):
            raise PermissionDenied
        client = get_object_or_404(Client, pk=client_id)
        reason = request.POST.get("reason", "")
        try:
            with answering():
                done = approvals.do_or_ask(
                    Actor.from_request(request),
                    lambda actor: lifecycle.relax_client(actor, client, reason=reason),
                    reason=reason,
                )
            messages.success(
                request,
                asked_for(done)
                if isinstance(done, ApprovalRequest)
                else "No second person is needed.",
            )
        except RefusedError as refused:
            return sent_back(
                request, refused, reverse("admin:tenants_client_change", args=[client_id])
            )
        return HttpResponseRedirect(reverse("admin:tenants_client_change", args=[client_id]))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Client]:
        """Return the clients with the number of their flows."""
        clients: QuerySet[Client] = super().get_queryset(request)
        # Not a join: that would count the flows of every client before the first page is cut off.
        flows = Flow.objects.filter(client=OuterRef("pk")).order_by().values("client")
        counted = Subquery(flows.annotate(number=Count("pk")).values("number"))
        return clients.annotate(flows_in_all=Coalesce(counted, 0))

    @admin.display(description="Flows", ordering="flows_in_all")
    def flow_count(self, client: Client) -> int:
        """Return how many flows the client has."""
        return int(getattr(client, "flows_in_all", 0))

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Serve the form; what a verb refuses after the form's own checks becomes a message."""
        client = self.get_object(request, object_id) if object_id else None
        context = {**_flows(request, client), **(extra_context or {})}
        if client is not None and client.needs_second_person:
            asked = requests.waiting().filter(client=client, flow=None).first()
            context = {"relaxing": asked, "is_guarded": True, **context}
        try:
            return super().changeform_view(request, object_id, form_url, context)
        except RefusedError as refused:
            return sent_back(request, refused, request.get_full_path())
        except NotFreshError:
            return ask_again(request.get_full_path())

    def response_post_save_add(self, request: HttpRequest, obj: Client) -> HttpResponseRedirect:
        """Lead to the page of the client just made: its first flow is the next step."""
        if not self.has_view_or_change_permission(request, obj):
            elsewhere: HttpResponseRedirect = super().response_post_save_add(request, obj)
            return elsewhere
        return HttpResponseRedirect(reverse("admin:tenants_client_change", args=[obj.pk]))

    def save_model(
        self,
        request: HttpRequest,
        obj: Client,
        form: forms.ModelForm[Client],
        change: bool,  # noqa: FBT001 - Django's signature
    ) -> None:
        """Have the lifecycle create or update the client."""
        actor = Actor.from_request(request)
        if change and _ASKS & set(form.changed_data):
            require_fresh(request)
        with answering():
            if change:
                said = {name: getattr(obj, name) for name in form.changed_data}
                lifecycle.update_client(actor, obj, said)
            else:
                said = {name: getattr(obj, name) for name in _FIELDS}
                obj.pk = lifecycle.create_client(actor, **said).pk


def _flows(request: HttpRequest, client: Client | None) -> dict[str, Any]:
    """Return the client's first flows, how many there are, and where to add one."""
    if client is None:
        return {}
    may = request.user.has_perm
    found: dict[str, Any] = {}
    if may("tenants.add_flow"):
        found["add_flow_url"] = f"{reverse('admin:tenants_flow_add')}?client={client.pk}"
    if may("tenants.view_flow"):
        flows = client.flows.select_related("client").order_by("scheme", "address")
        found["flows"] = [(flow, _state(flow)) for flow in flows[:_LISTED]]
        found["flow_count"] = flows.count()
    return found


def _state(flow: Flow) -> tuple[str, str]:
    """Return whether requests to ``flow`` are served, in a word, and the colour of the word."""
    if not flow.client.is_enabled:
        return "off with its client", "danger"
    return ("on", "success") if flow.is_enabled else ("off", "danger")
