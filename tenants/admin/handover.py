"""Hand-over links in the admin: who made which, and what became of them."""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_POST

from tenants import lifecycle
from tenants.actors import Actor
from tenants.admin.base import ReadOnlyAdmin, RefusedError, answering, no_store, sent_back
from tenants.admin.fresh import needs_fresh
from tenants.admin.handover_panel import contents, standing, with_keys
from tenants.lifecycle import LifecycleError, approvals
from tenants.models import ApprovalRequest, Flow, HandOver


def _flow_page(flow_id: uuid.UUID) -> str:
    return f"{reverse('admin:tenants_flow_change', args=[flow_id])}#handovers"


@admin.register(HandOver)
class HandOverAdmin(ReadOnlyAdmin):
    """Links; what they show is on no page here, and the link itself on the answer that made it."""

    list_display = ("flow", "made", "created_by", "shown", "expires_at", "state")
    list_display_links = ("made",)
    list_filter = ("flow__scheme",)
    list_select_related = ("flow",)
    search_fields = ("flow__address", "flow__client__slug", "created_by")
    fields = readonly_fields = (
        "flow",
        "shown",
        "state",
        "created_by",
        "created_at",
        "expires_at",
        "opened_at",
        "opened_from",
        "withdrawn_at",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[HandOver]:
        """Return the links with the versions they cover, without anybody's digest."""
        return with_keys(super().get_queryset(request))

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Return False for the digest, which no page shows."""
        hidden = {"token_digest", "material", "lookup_digest"} & set(lookup.split("__"))
        return not hidden and super().lookup_allowed(lookup, value, request)  # type: ignore[arg-type]

    def get_urls(self) -> list[URLPattern]:
        """Add the addresses of the verbs."""
        view = self.admin_site.admin_view
        return [
            path("make/<uuid:flow_id>/", view(self.make_view), name="tenants_handover_make"),
            path(
                "<uuid:handover_id>/withdraw/",
                view(self.withdraw_view),
                name="tenants_handover_withdraw",
            ),
            *super().get_urls(),
        ]

    @method_decorator(require_POST)
    @needs_fresh(_flow_page)
    def make_view(self, request: HttpRequest, flow_id: uuid.UUID) -> HttpResponse:
        """Make a link to the chosen versions and show it, this once."""
        if not request.user.has_perm("tenants.add_handover"):
            raise PermissionDenied
        flow = get_object_or_404(Flow, pk=flow_id)
        token = lifecycle.new_token()
        try:
            with answering():
                keys, lifetime = _chosen(request), _lifetime(request)
                made = approvals.do_or_ask(
                    Actor.from_request(request),
                    lambda actor: lifecycle.create_handover(
                        actor, flow, keys=keys, lifetime=lifetime, token=token
                    ),
                    reason=request.POST.get("reason", ""),
                    material=lifecycle.digest_of(token).encode("ascii"),
                )
        except RefusedError as refused:
            return sent_back(request, refused, _flow_page(flow_id))
        is_asked = isinstance(made, ApprovalRequest)
        context = {
            **self.admin_site.each_context(request),
            "title": "The hand-over link is asked for"
            if is_asked
            else "The hand-over link is made",
            "opts": Flow._meta,
            "flow": flow,
            "url": lifecycle.link_of(token),
            "keys": flow.keys.filter(pk__in=keys).order_by("purpose", "version"),
            "issued": None if is_asked else made,
            "asked": made if is_asked else None,
            "hours": lifetime // timedelta(hours=1),
        }
        return no_store(TemplateResponse(request, "admin/tenants/handover_link.html", context))

    @method_decorator(require_POST)
    @needs_fresh(lambda handover_id: _flow_page(_handover(handover_id).flow_id))
    def withdraw_view(self, request: HttpRequest, handover_id: uuid.UUID) -> HttpResponse:
        """Have a link open no more and go back to its flow's page."""
        if not request.user.has_perm("tenants.change_handover"):
            raise PermissionDenied
        handover = _handover(handover_id)
        back = _flow_page(handover.flow_id)
        try:
            with answering():
                lifecycle.withdraw_handover(Actor.from_request(request), handover)
        except RefusedError as refused:
            return sent_back(request, refused, back)
        messages.success(request, "The link is withdrawn. It opens nothing any more.")
        return HttpResponseRedirect(back)

    # -- what the pages show -----------------------------------------------------------------

    @admin.display(description="Made", ordering="created_at")
    def made(self, handover: HandOver) -> str:
        """Return when it was made."""
        return f"{handover.created_at:%Y-%m-%d %H:%M}"

    @admin.display(description="Stands")
    def state(self, handover: HandOver) -> str:
        """Return what became of it."""
        stands = standing(handover, timezone.now())
        return f"{stands.word} {stands.more}".rstrip()

    @admin.display(description="Shows")
    def shown(self, handover: HandOver) -> str:
        """Return what it shows, in words."""
        return contents(handover)


def _handover(handover_id: uuid.UUID) -> HandOver:
    return get_object_or_404(HandOver, pk=handover_id)


def _chosen(request: HttpRequest) -> list[uuid.UUID]:
    """Return the ids of the chosen versions. Raises LifecycleError."""
    try:
        return [uuid.UUID(text) for text in request.POST.getlist("key")]
    except ValueError:
        raise LifecycleError(
            "A chosen version is none of this flow. Open its page again."
        ) from None


def _lifetime(request: HttpRequest) -> timedelta:
    """Return how long the link opens; a button without a choice of its own leaves it out."""
    hours = request.POST.get("hours", "")
    if not hours:
        return lifecycle.DEFAULT_LIFETIME
    # What is no number of hours is refused with the same words as too many of them.
    return timedelta(hours=int(hours) if hours.isdecimal() and len(hours) < 5 else 0)
