"""Keys in the admin: to look at, and the verbs that move a version on."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Final

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_POST

from tenants import lifecycle
from tenants.actors import Actor
from tenants.admin.approval import asked_for
from tenants.admin.base import RefusedError, answering
from tenants.admin.fresh import needs_fresh
from tenants.admin.key_filters import LastUseFilter, PurposeFilter, SchemeFilter
from tenants.admin.key_panel import OVERRIDE_PHRASE
from tenants.admin.list_filters import FlowFilter
from tenants.admin.long_list import LongListAdmin
from tenants.lifecycle import LifecycleError, approvals
from tenants.models import ApprovalRequest, Client, Flow, Key

#: Seconds the answer to *Promote* waits for processes; the page then says which are missing.
_WAIT_SECONDS: Final = 3.0


def _promote(actor: Actor, key: Key, request: HttpRequest) -> str:
    days = request.POST.get("overlap_days", "")
    if not days.isdecimal() or len(days) > 3:
        raise LifecycleError(f"The overlap is 0 to {lifecycle.LONGEST_OVERLAP.days} whole days.")
    lifecycle.promote_when_loaded(
        actor,
        key,
        seconds=_WAIT_SECONDS,
        overlap=timedelta(days=int(days)),
        override=_override(request),
    )
    return f"{key.title} is active."


def _override(request: HttpRequest) -> str:
    """Return why it cannot wait for every process; empty unless that is said and confirmed."""
    reason, typed = (
        request.POST.get("override", "").strip(),
        request.POST.get("confirm", "").strip(),
    )
    if not reason and not typed:
        return ""
    if not reason:
        raise LifecycleError("Promoting before every process has loaded it needs a reason.")
    if typed.lower() != OVERRIDE_PHRASE:
        raise LifecycleError(f"Type {OVERRIDE_PHRASE!r} to confirm. Nothing was changed.")
    return reason


def _retire(actor: Actor, key: Key, request: HttpRequest) -> str:
    lifecycle.retire_key(actor, key, reason=request.POST.get("reason", "").strip())
    return f"{key.title} is retired."


def _revoke(actor: Actor, key: Key, request: HttpRequest) -> str:
    reason = request.POST.get("reason", "")
    done = approvals.do_or_ask(
        actor, lambda one: lifecycle.revoke_key(one, key, reason=reason), reason=reason
    )
    if isinstance(done, ApprovalRequest):
        return asked_for(done)
    return f"{key.title} is revoked. Within a second it opens nothing anywhere."


_HEX: Final = frozenset("0123456789abcdef")

_VERBS: Final[dict[str, Callable[[Actor, Key, HttpRequest], str]]] = {
    "promote": _promote,
    "retire": _retire,
    "revoke": _revoke,
}


@admin.register(Key)
class KeyAdmin(LongListAdmin):
    """Versions of secrets; the secrets themselves are on no page."""

    list_display = (
        "flow",
        "purpose",
        "version",
        "state",
        "fingerprint_digits",
        "last_used_at",
        "use_count",
        "accept_until",
        "created_at",
    )
    list_display_links = ("purpose",)
    list_filter = (FlowFilter, "state", LastUseFilter, PurposeFilter, SchemeFilter)
    list_select_related = ("flow",)
    time_field = "created_at"
    narrowing = LongListAdmin.narrowing | {"state__exact", "purpose"}
    search_fields = ("fingerprint",)
    search_help_text = "A fingerprint's beginning, a flow's address or a client, in full."
    fields = readonly_fields = (
        "flow",
        "purpose",
        "version",
        "state",
        "fingerprint",
        "public_pem",
        "created_at",
        "activated_at",
        "accept_until",
        "ended_at",
        "end_reason",
        "last_used_at",
        "use_count",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Key]:
        """Return the keys without their material, which no page needs."""
        return super().get_queryset(request).defer("material", "lookup_digest")

    def meanings(self, term: str, given: Mapping[str, str]) -> Sequence[Q]:
        """Return flows, a client, or the beginning of a fingerprint."""
        digits = term.replace(" ", "").lower()
        is_fingerprint = 4 <= len(digits) <= 64 and _HEX.issuperset(digits)
        return [
            *(Q(flow=flow) for flow in Flow.objects.filter(address=term).order_by("pk")),
            *(Q(flow__client=client) for client in Client.objects.filter(slug=term)),
            # From the term itself to the first that does not begin with it.
            *([Q(fingerprint__gte=digits, fingerprint__lt=f"{digits}g")] if is_fingerprint else []),
        ]

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Return False for what no page shows: a filter typed into the URL would spell it out."""
        hidden = lookup.partition("__")[0] in {"material", "lookup_digest"}
        return not hidden and super().lookup_allowed(lookup, value, request)  # type: ignore[arg-type]

    def get_urls(self) -> list[URLPattern]:
        """Add the addresses of the verbs and of the public key."""
        view = self.admin_site.admin_view
        return [
            path("<uuid:key_id>/public.pem", view(self.public_view), name="tenants_key_public"),
            path("<uuid:key_id>/do/<slug:verb>/", view(self.verb_view), name="tenants_key_verb"),
            *super().get_urls(),
        ]

    @method_decorator(require_POST)
    @needs_fresh(lambda key_id, verb: _flow_page(key_id))
    def verb_view(self, request: HttpRequest, key_id: uuid.UUID, verb: str) -> HttpResponse:
        """Move a version on and go back to its flow's page."""
        if verb not in _VERBS:
            raise Http404
        if not request.user.has_perm("tenants.change_key"):
            raise PermissionDenied
        key = get_object_or_404(Key, pk=key_id)
        try:
            with answering():
                messages.success(request, _VERBS[verb](Actor.from_request(request), key, request))
        except RefusedError as refused:
            for text in refused.messages:
                messages.error(request, text)
        return HttpResponseRedirect(reverse("admin:tenants_flow_change", args=[key.flow_id]))

    def public_view(self, request: HttpRequest, key_id: uuid.UUID) -> HttpResponse:
        """Return the public half of an RSA version as a PEM file."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        key = get_object_or_404(Key.objects.select_related("flow"), pk=key_id)
        if not key.public_pem:
            raise Http404
        response = HttpResponse(key.public_pem, content_type="application/x-pem-file")
        name = f"{key.flow.scheme}-{key.flow.address}-{key.purpose}-v{key.version}.pem"
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response

    @admin.display(description="Fingerprint")
    def fingerprint_digits(self, key: Key) -> str:
        """Return the start of the fingerprint, readable."""
        return key.short_fingerprint


def _flow_page(key_id: uuid.UUID) -> str:
    key = get_object_or_404(Key, pk=key_id)
    return reverse("admin:tenants_flow_change", args=[key.flow_id])
