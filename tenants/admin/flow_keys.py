"""The pages on which the keys of a flow are made and taken in."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from tenants import lifecycle
from tenants.actors import Actor
from tenants.admin.approval import asked_for
from tenants.admin.base import RefusedError, UndeletableAdmin, answering, sent_back
from tenants.admin.fresh import needs_fresh
from tenants.admin.issued import issued_page
from tenants.admin.key_panel import KEYS, place_of
from tenants.lifecycle import approvals
from tenants.models import ApprovalRequest, Flow


def _keys(flow_id: uuid.UUID) -> str:
    return f"{reverse('admin:tenants_flow_change', args=[flow_id])}{KEYS}"


class FlowKeyPages(UndeletableAdmin):
    """Adds them to the admin of flows. Verbs on one version are in :mod:`tenants.admin.key`."""

    def get_urls(self) -> list[URLPattern]:
        """Add the addresses of the verbs that make or take a key."""
        view = self.admin_site.admin_view
        return [
            path(
                "<uuid:flow_id>/generate/", view(self.generate_view), name="tenants_flow_generate"
            ),
            path("<uuid:flow_id>/import/", view(self.import_view), name="tenants_flow_import"),
            *super().get_urls(),
        ]

    @method_decorator(require_POST)
    @needs_fresh(_keys)
    def generate_view(self, request: HttpRequest, flow_id: uuid.UUID) -> HttpResponse:
        """Make the next version of a key and show once what the partner needs of it."""
        flow = self._flow(request, flow_id)
        purpose, version = request.POST.get("purpose", ""), request.POST.get("version", "")
        try:
            with answering():
                issued = lifecycle.generate_key(
                    Actor.from_request(request),
                    flow,
                    purpose,
                    version=int(version) if version.isdecimal() and len(version) < 10 else 0,
                    expires_at=lifecycle.read_expiry(request.POST.get("expires", "")),
                )
        except RefusedError as refused:
            return sent_back(request, refused, place_of(flow_id, purpose))
        spec = flow.contract.purpose(purpose)
        title = f"{issued.key.title} is {issued.key.state}"
        if issued.handed is None:
            messages.success(request, f"{title}.")
            return HttpResponseRedirect(place_of(flow_id, purpose))
        secret = issued.handed.members
        return issued_page(
            request,
            self.admin_site,
            flow,
            title=title,
            credentials=None if spec.for_own_service else secret,
            own_service=secret if spec.for_own_service else None,
            keys=[issued.key],
        )

    @method_decorator(require_POST)
    @method_decorator(sensitive_post_parameters("text", "passphrase"))
    @needs_fresh(_keys)
    def import_view(self, request: HttpRequest, flow_id: uuid.UUID) -> HttpResponse:
        """Take a secret that was made elsewhere. It is not shown again."""
        flow = self._flow(request, flow_id)
        said = request.POST
        purpose = said.get("purpose", "")
        try:
            with answering():
                material = lifecycle.read_text(
                    flow, purpose, said.get("text", ""), said.get("passphrase", "")
                )
                expires_at = lifecycle.read_expiry(said.get("expires", ""))
                done = approvals.do_or_ask(
                    Actor.from_request(request),
                    lambda actor: lifecycle.import_key(
                        actor, flow, purpose, material, expires_at=expires_at
                    ),
                    reason=said.get("reason", ""),
                    material=material,
                )
        except RefusedError as refused:
            return sent_back(request, refused, place_of(flow_id, purpose))
        messages.success(
            request,
            asked_for(done)
            if isinstance(done, ApprovalRequest)
            else f"{done.title} is imported and {done.state}.",
        )
        return HttpResponseRedirect(place_of(flow_id, purpose))

    def _flow(self, request: HttpRequest, flow_id: uuid.UUID) -> Flow:
        if not request.user.has_perm("tenants.add_key"):
            raise PermissionDenied
        return get_object_or_404(Flow, pk=flow_id)
