"""What an administrator sees: ids, kinds and times. What was said in a flow stays sealed."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import BinaryField, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from flows_endpoint.whatsapp_flows import actions, public_keys
from flows_endpoint.whatsapp_flows.cloud.dispositions import meaning_of
from flows_endpoint.whatsapp_flows.models import (
    AlertSource,
    Appointment,
    ErrorReport,
    FlowAlert,
    FlowHealth,
    FlowSession,
    MediaFile,
    MessageKind,
    MessageState,
    PhoneKey,
    StepReply,
    WebhookUpdate,
    WhatsappMessage,
)
from tenants.actors import Actor
from tenants.admin.base import ListedFilter, ReadOnlyAdmin, RefusedError, answering
from tenants.admin.fresh import needs_fresh
from tenants.models import Flow, Key


class _OfFlow(ReadOnlyAdmin):
    """Rows are written by the wire alone; what is sealed in them is not even loaded."""

    list_select_related = ("flow",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Return the rows without what is sealed in them."""
        sealed = [
            field.name
            for field in self.model._meta.concrete_fields
            if isinstance(field, BinaryField)
        ]
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.defer(*sealed)


@admin.register(ErrorReport)
class ErrorReportAdmin(_OfFlow):
    """Complaints of phones about our replies."""

    list_display = ("received_at", "flow", "kind")
    list_filter = ("kind", "flow__client")
    date_hierarchy = "received_at"
    fields = ("id", *list_display)


@admin.register(WebhookUpdate)
class WebhookUpdateAdmin(_OfFlow):
    """Updates received at the webhook addresses."""

    list_display = ("received_at", "flow", "kind", "processed_at", "failures", "id")
    list_filter = ("kind", "flow__client")
    date_hierarchy = "received_at"
    fields = (*list_display, "next_attempt_at")


@admin.register(Appointment)
class AppointmentAdmin(_OfFlow):
    """Bookings of the sandbox."""

    list_display = ("id", "flow", "created_at")
    list_filter = ("flow__client",)
    date_hierarchy = "created_at"
    fields = list_display


@admin.register(StepReply)
class StepReplyAdmin(_OfFlow):
    """Steps whose first reply is still given again."""

    list_display = ("__str__", "flow", "expires_at")
    list_filter = ("flow__client",)
    fields = ("name", "flow", "expires_at")


@admin.register(MediaFile)
class MediaFileAdmin(_OfFlow):
    """Attached files offered to the services behind flows; never their names or content."""

    list_display = ("id", "flow", "request_id", "expires_at", "fetched_at")
    fields = list_display


class _KindFilter(ListedFilter):
    title = "kind"
    parameter_name = "kind"
    values = tuple(MessageKind.values)


class _StateFilter(ListedFilter):
    title = "state"
    parameter_name = "state"
    values = tuple(MessageState.values)


@admin.register(WhatsappMessage)
class WhatsappMessageAdmin(_OfFlow):
    """Messages to users: how far they came, and why not further."""

    list_display = ("created_at", "flow", "kind", "state", "recipient", "code", "id")
    list_filter = (_KindFilter, _StateFilter)
    search_fields = ("=flow__address", "=code")
    search_help_text = "A flow's address or an error code, in full."
    date_hierarchy = "created_at"
    fields = readonly_fields = (
        "id",
        "flow",
        "kind",
        "state",
        "recipient",
        "code",
        "meaning",
        "error",
        "session",
        "created_at",
        "accepted_at",
        "sent_at",
        "delivered_at",
        "read_at",
        "failed_at",
    )

    @admin.display(description="To")
    def recipient(self, message: WhatsappMessage) -> str:
        """Return the last characters of the number or id."""
        return f"…{message.recipient_tail}"

    @admin.display(description="What the code means")
    def meaning(self, message: WhatsappMessage) -> str:
        """Return the platform's error code in plain words."""
        return meaning_of(message.code) or "-"

    def get_urls(self) -> list[URLPattern]:
        """Add the address that sends a message which opens a form."""
        view = self.admin_site.admin_view(self.send_view)
        sending = path(
            "flow/<uuid:flow_id>/send/", view, name="whatsapp_flows_whatsappmessage_send"
        )
        return [sending, *super().get_urls()]

    @method_decorator(require_POST)
    @method_decorator(sensitive_post_parameters("to"))
    def send_view(self, request: HttpRequest, flow_id: uuid.UUID) -> HttpResponse:
        """Open the form with a user, and go back to the flow's page."""
        if not request.user.has_perm("whatsapp_flows.send_whatsappmessage"):
            raise PermissionDenied
        flow = get_object_or_404(Flow, pk=flow_id)
        try:
            with answering():
                started = actions.send_flow(
                    Actor.from_request(request), flow, request.POST.get("to", "")
                )
        except RefusedError as refused:
            return _refused(request, refused, flow_id)
        text = f"The message to …{started.message.recipient_tail} is queued."
        messages.success(request, text)
        return HttpResponseRedirect(_page(flow_id))


@admin.register(FlowSession)
class FlowSessionAdmin(_OfFlow):
    """Forms under way and completed ones; what was filled in stays sealed."""

    list_display = ("created_at", "flow", "recipient", "succeeded_at", "replied_at", "id")
    list_filter = ("flow__client",)
    date_hierarchy = "created_at"
    fields = readonly_fields = list_display

    @admin.display(description="With")
    def recipient(self, session: FlowSession) -> str:
        """Return the last characters of the user's number or id."""
        return f"…{session.recipient_tail}" if session.recipient_tail else "-"


class _SourceFilter(ListedFilter):
    title = "source"
    parameter_name = "source"
    values = tuple(AlertSource.values)


@admin.register(FlowAlert)
class FlowAlertAdmin(_OfFlow):
    """What somebody should see to; it can be set aside."""

    list_display = ("opened_at", "flow", "source", "event", "subject", "message", "closed_at")
    list_filter = (_SourceFilter, ("closed_at", admin.EmptyFieldListFilter))
    date_hierarchy = "opened_at"
    fields = readonly_fields = (*list_display, "closed_by")
    actions = ("close",)

    def has_close_permission(self, request: HttpRequest) -> bool:
        """Return whether the action is offered."""
        return bool(request.user.has_perm("whatsapp_flows.close_flowalert"))

    @admin.action(description="Set the chosen alerts aside", permissions=["close"])
    def close(self, request: HttpRequest, queryset: QuerySet[FlowAlert]) -> None:
        """Close the chosen alerts."""
        actor = Actor.from_request(request)
        chosen = list(queryset.filter(closed_at__isnull=True))
        for alert in chosen:
            actions.close_alert(actor, alert)
        self.message_user(request, f"{len(chosen)} set aside.", messages.SUCCESS)


@admin.register(FlowHealth)
class FlowHealthAdmin(_OfFlow):
    """How each endpoint does by the platform's measures."""

    list_display = (
        "flow",
        "worst_level",
        "requests",
        "errors",
        "p50",
        "p90",
        "recent",
        "recent_errors",
        "computed_at",
    )
    fields = readonly_fields = (
        *list_display,
        "error_level",
        "latency_level",
        "availability_level",
    )


@admin.register(PhoneKey)
class PhoneKeyAdmin(_OfFlow):
    """The public keys the platform hands to phones."""

    list_display = ("flow", "phone_number_id", "verdict", "signature_status", "checked_at", "error")
    list_filter = ("verdict",)
    fields = readonly_fields = (*list_display, "fingerprint", "uploaded_at", "uploaded")

    def get_urls(self) -> list[URLPattern]:
        """Add the addresses that upload a version and look again."""
        view = self.admin_site.admin_view
        return [
            path(
                "flow/<uuid:flow_id>/upload/<uuid:key_id>/",
                view(self.upload_view),
                name="whatsapp_flows_phonekey_upload",
            ),
            path(
                "flow/<uuid:flow_id>/check/",
                view(self.check_view),
                name="whatsapp_flows_phonekey_check",
            ),
            *super().get_urls(),
        ]

    @method_decorator(require_POST)
    @needs_fresh(lambda flow_id, key_id: _page(flow_id))
    def upload_view(
        self, request: HttpRequest, flow_id: uuid.UUID, key_id: uuid.UUID
    ) -> HttpResponse:
        """Upload the public half of a version, and go back to the flow's page."""
        if not request.user.has_perm("whatsapp_flows.upload_phonekey"):
            raise PermissionDenied
        flow = get_object_or_404(Flow, pk=flow_id)
        key = get_object_or_404(Key.objects.select_related("flow"), pk=key_id, flow=flow)
        try:
            with answering():
                row = actions.upload_public_key(Actor.from_request(request), flow, key)
        except RefusedError as refused:
            return _refused(request, refused, flow_id)
        messages.success(request, f"{key.title} is uploaded.")
        _tell(request, row)
        return HttpResponseRedirect(_page(flow_id))

    @method_decorator(require_POST)
    def check_view(self, request: HttpRequest, flow_id: uuid.UUID) -> HttpResponse:
        """Read the key back now, and go back to the flow's page."""
        if not request.user.has_perm("whatsapp_flows.view_phonekey"):
            raise PermissionDenied
        flow = get_object_or_404(Flow, pk=flow_id)
        try:
            with answering():
                row = actions.check_public_key(Actor.from_request(request), flow)
        except RefusedError as refused:
            return _refused(request, refused, flow_id)
        _tell(request, row)
        return HttpResponseRedirect(_page(flow_id))


def _tell(request: HttpRequest, row: PhoneKey) -> None:
    if row.error:
        messages.error(request, f"The platform did not tell its key ({row.error}).")
    elif public_keys.is_good(row.verdict):
        messages.success(request, f"The public key at Meta: {row.get_verdict_display()}.")
    else:
        messages.warning(request, f"The public key at Meta: {row.get_verdict_display()}.")


def _page(flow_id: uuid.UUID) -> str:
    return reverse("admin:tenants_flow_change", args=[flow_id])


def _refused(request: HttpRequest, refused: RefusedError, flow_id: uuid.UUID) -> HttpResponse:
    for text in refused.messages:
        messages.error(request, text)
    return HttpResponseRedirect(_page(flow_id))
