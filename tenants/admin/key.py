"""Keys in the admin: to look at, and the verbs that move a version on."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from unfold.decorators import display

from tenants import lifecycle
from tenants.actors import Actor
from tenants.admin.approval import asked_for
from tenants.admin.base import RefusedError, answering, sent_back
from tenants.admin.confirm_use import confirm_page
from tenants.admin.fresh import needs_fresh
from tenants.admin.key_filters import LastUseFilter, PurposeFilter, SchemeFilter
from tenants.admin.key_panel import OFFERED, OVERRIDE_PHRASE, place_of
from tenants.admin.list_filters import FlowFilter
from tenants.admin.long_list import LongListAdmin
from tenants.admin.look import at_minute, flow_name
from tenants.key_attention import KINDS
from tenants.lifecycle import LifecycleError, UseNotConfirmedError, approvals
from tenants.models import ApprovalRequest, Client, Flow, Key, KeyState

#: Seconds the answer to *Promote* waits for processes; the page then says which are missing.
_WAIT_SECONDS: Final = 3.0


def _promote(actor: Actor, key: Key, said: QueryDict) -> str:
    lifecycle.promote_when_loaded(
        actor,
        key,
        seconds=_WAIT_SECONDS,
        overlap=timedelta(days=_days(said, "overlap_days")),
        override=_override(said),
        reason=said.get("reason", ""),
        confirmed_use=said.get("confirmed_use", ""),
    )
    return f"{key.title} is active."


def _override(said: QueryDict) -> str:
    """Return why it cannot wait for every process; empty unless that is said and confirmed."""
    reason, typed = said.get("override", "").strip(), said.get("confirm", "").strip()
    if not reason and not typed:
        return ""
    if not reason:
        raise LifecycleError("Promoting before every process has loaded it needs a reason.")
    if typed.lower() != OVERRIDE_PHRASE:
        raise LifecycleError(f"Type {OVERRIDE_PHRASE!r} to confirm. Nothing was changed.")
    return reason


def _retire(actor: Actor, key: Key, said: QueryDict) -> str:
    lifecycle.retire_key(
        actor, key, reason=said.get("reason", ""), confirmed_use=said.get("confirmed_use", "")
    )
    return f"{key.title} is retired."


def _revoke(actor: Actor, key: Key, said: QueryDict) -> str:
    reason, typed = said.get("reason", ""), said.get("confirmed_use", "")
    done = approvals.do_or_ask(
        actor,
        lambda one: lifecycle.revoke_key(one, key, reason=reason, confirmed_use=typed),
        reason=reason,
    )
    if isinstance(done, ApprovalRequest):
        return asked_for(done)
    return f"{key.title} is revoked. Within a second it opens nothing anywhere."


def _set_expiry(actor: Actor, key: Key, said: QueryDict) -> str:
    expires_at = lifecycle.read_expiry(said.get("expires", ""))
    lifecycle.set_key_expiry(actor, key, expires_at=expires_at)
    if expires_at is None:
        return f"{key.title} has no expiry."
    return f"{key.title} expires on {expires_at:%Y-%m-%d}. It goes on opening after that."


def _schedule_destruction(actor: Actor, key: Key, said: QueryDict) -> str:
    days, reason = _days(said, "days"), said.get("reason", "")
    done = approvals.do_or_ask(
        actor,
        lambda one: lifecycle.schedule_destruction(one, key, days=days, reason=reason),
        reason=reason,
    )
    if isinstance(done, ApprovalRequest):
        return asked_for(done)
    return (
        f"The material of {key.title} will be erased on {done.destroy_at:%Y-%m-%d %H:%M} UTC, "
        "unless somebody cancels that before."
    )


def _cancel_destruction(actor: Actor, key: Key, said: QueryDict) -> str:
    lifecycle.cancel_destruction(actor, key, reason=said.get("reason", ""))
    return f"The material of {key.title} is kept."


def _days(said: QueryDict, name: str) -> int:
    """Return a number of days; one that no verb takes where it is none."""
    text = said.get(name, "")
    return int(text) if text.isdecimal() and len(text) <= 3 else -1


_HEX: Final = frozenset("0123456789abcdef")

_VERBS: Final[dict[str, Callable[[Actor, Key, QueryDict], str]]] = {
    "promote": _promote,
    "retire": _retire,
    "revoke": _revoke,
    "set_expiry": _set_expiry,
    "schedule_destruction": _schedule_destruction,
    "cancel_destruction": _cancel_destruction,
}


class AttentionFilter(admin.SimpleListFilter):
    """What the first page counts, as a list."""

    title = "attention"
    parameter_name = "attention"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        """Return what there is to choose from."""
        return [(name, kind.title) for name, kind in KINDS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Key]) -> QuerySet[Key]:
        """Return the keys of the chosen kind. Raises IncorrectLookupParameters for no kind."""
        chosen = self.value()
        if not chosen:
            return queryset
        if chosen not in KINDS:
            raise IncorrectLookupParameters
        return queryset.filter(KINDS[chosen].condition(timezone.now()))


@admin.register(Key)
class KeyAdmin(LongListAdmin):
    """Versions of secrets; the secrets themselves are on no page."""

    list_display = (
        "secret",
        "of_flow",
        "standing",
        "fingerprint_digits",
        "last_use",
        "use_count",
        "ends",
        "created",
    )
    list_filter = (
        AttentionFilter,
        FlowFilter,
        "state",
        LastUseFilter,
        PurposeFilter,
        SchemeFilter,
    )
    list_select_related = ("flow",)
    time_field = "created_at"
    narrowing = LongListAdmin.narrowing | {"state__exact", "purpose"}
    search_fields = ("fingerprint",)
    search_help_text = "A fingerprint's beginning, a flow's address or a client, in full."
    fields = readonly_fields = (
        "flow",
        "secret",
        "state",
        "fingerprint",
        "public_key",
        "created_at",
        "activated_at",
        "accept_until",
        "expires_at",
        "ended_at",
        "end_reason",
        "destroy_at",
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

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Serve the page of a version, under its name for people."""
        key = self.get_object(request, object_id)
        context = {} if key is None else {"subtitle": f"{key.title} ({key.short_fingerprint})"}
        return super().change_view(
            request, object_id, form_url, {**context, **(extra_context or {})}
        )

    @method_decorator(require_POST)
    @needs_fresh(lambda key_id, verb: _place(key_id))
    def verb_view(self, request: HttpRequest, key_id: uuid.UUID, verb: str) -> HttpResponse:
        """Move a version on and go back to its secret on the flow's page.

        To end one that is in use without confirming it is answered with the page that asks.
        """
        if verb not in _VERBS:
            raise Http404
        if not request.user.has_perm(OFFERED[verb]):
            raise PermissionDenied
        key = get_object_or_404(Key.objects.select_related("flow"), pk=key_id)
        try:
            with answering():
                done = _VERBS[verb](Actor.from_request(request), key, request.POST)
            messages.success(request, done)
        except UseNotConfirmedError as asked:
            return confirm_page(request, self.admin_site, key, verb, asked)
        except RefusedError as refused:
            return sent_back(request, refused, place_of(key.flow_id, key.purpose))
        return HttpResponseRedirect(place_of(key.flow_id, key.purpose))

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

    # -- what the pages show -----------------------------------------------------------------

    @admin.display(description="Secret")
    def secret(self, key: Key) -> str:
        """Return what it is for, and the version."""
        return key.title

    @admin.display(description="Flow")
    def of_flow(self, key: Key) -> SafeString:
        """Return contract and address."""
        return flow_name(key.flow)

    @display(  # type: ignore[untyped-decorator]  # the theme has no types
        description="State",
        label={
            KeyState.STAGED: "info",
            KeyState.ACTIVE: "success",
            KeyState.RETIRING: "warning",
            KeyState.REVOKED: "danger",
        },
    )
    def standing(self, key: Key) -> tuple[str, str]:
        """Return the state in a word; the page of the key says what it means."""
        return key.state, key.state.capitalize()

    @admin.display(description="Last use")
    def last_use(self, key: Key) -> str:
        """Return when it opened something last."""
        return at_minute(key.last_used_at) if key.last_used_at else "never"

    @admin.display(description="Ends")
    def ends(self, key: Key) -> SafeString:
        """Return the days still ahead of it, or behind."""
        days = (
            ("opens until", key.accept_until),
            ("expires", key.expires_at),
            ("erased", key.destroy_at),
        )
        said = ((words, f"{day:%Y-%m-%d}") for words, day in days if day)
        return format_html_join("", "<div>{} {}</div>", said) or SafeString("-")

    @admin.display(description="Created")
    def created(self, key: Key) -> str:
        """Return the day it was made."""
        return f"{key.created_at:%Y-%m-%d}"

    @admin.display(description="Public key (PEM)")
    def public_key(self, key: Key) -> SafeString:
        """Return the public half as text to copy; the page of the flow has it as a file."""
        text = '<pre class="sg-secret">{}</pre>'
        return format_html(text, key.public_pem) if key.public_pem else SafeString("-")

    @admin.display(description="Fingerprint")
    def fingerprint_digits(self, key: Key) -> str:
        """Return the start of the fingerprint, readable."""
        return key.short_fingerprint


def _place(key_id: uuid.UUID) -> str:
    key = get_object_or_404(Key, pk=key_id)
    return place_of(key.flow_id, key.purpose)
