"""Clients in the admin."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from tenants import lifecycle
from tenants.actors import Actor
from tenants.admin.base import RefusedError, UndeletableAdmin, answering
from tenants.models import Client

_FIELDS: Final = ("slug", "name", "contact_email", "notes", "is_enabled")


@admin.register(Client)
class ClientAdmin(UndeletableAdmin):
    """Create and edit partners."""

    list_display = ("slug", "name", "is_enabled", "flow_count", "created_at")
    list_filter = ("is_enabled",)
    search_fields = ("slug", "name", "contact_email")
    fields = (*_FIELDS, "flow_list", "created_at")
    readonly_fields = ("flow_list", "created_at")
    change_form_template = "admin/tenants/client_change.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Client]:
        """Return the clients with the number of their flows."""
        clients: QuerySet[Client] = super().get_queryset(request)
        return clients.annotate(flows_in_all=Count("flows"))

    @admin.display(description="Flows", ordering="flows_in_all")
    def flow_count(self, client: Client) -> int:
        """Return how many flows the client has."""
        return int(getattr(client, "flows_in_all", 0))

    @admin.display(description="Flows")
    def flow_list(self, client: Client) -> SafeString:
        """Return a link to the client's flows."""
        url = reverse("admin:tenants_flow_changelist")
        return format_html(
            '<a href="{}?client__id__exact={}">{} in all</a>',
            url,
            client.pk,
            self.flow_count(client),
        )

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Serve the form; what a verb refuses after the form's own checks becomes a message."""
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except RefusedError as refused:
            return _back(request, refused)

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
        with answering():
            if change:
                said = {name: getattr(obj, name) for name in form.changed_data}
                lifecycle.update_client(actor, obj, said)
            else:
                said = {name: getattr(obj, name) for name in _FIELDS}
                obj.pk = lifecycle.create_client(actor, **said).pk


def _back(request: HttpRequest, refused: RefusedError) -> HttpResponse:
    for text in refused.messages:
        messages.error(request, text)
    return HttpResponseRedirect(request.get_full_path())
