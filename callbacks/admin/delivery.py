"""Deliveries in the admin: the list, and the page with the line of attempts."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from callbacks import operations
from callbacks.admin import attempts
from callbacks.admin.filters import EndpointFilter, EventFilter, MadeFilter, StateFilter
from callbacks.admin.verbs import press
from callbacks.models import Delivery, DeliveryState
from callbacks.operations.deliveries import PERMISSION
from tenants.actors import Actor
from tenants.admin.list_filters import FlowFilter
from tenants.admin.long_list import KeysetChangeList, LongListAdmin
from tenants.models import Flow

#: Most deliveries one action of the list is for: a page has fewer. A replay is for more.
_MOST: Final = 1000
_LINK: Final = '<a class="text-link underline" href="{}">{}</a>'


class DeliveryList(KeysetChangeList):
    """The list, with actions."""

    def get_results(self, request: HttpRequest) -> None:
        """Read the rows; what is chosen among them may be acted on."""
        super().get_results(request)
        self.show_admin_actions = bool(self.result_list)


@admin.register(Delivery)
class DeliveryAdmin(LongListAdmin):
    """What became of each message. Its body is on no page."""

    list_display = (
        "id",
        "created_at",
        "flow",
        "event",
        "state",
        "attempts",
        "next_attempt_at",
        "last_status",
        "last_error",
    )
    list_filter = (FlowFilter, EndpointFilter, MadeFilter, StateFilter, EventFilter)
    list_select_related = ("flow",)
    list_before_template = "admin/callbacks/replay_link.html"
    time_field = "created_at"
    narrowing = frozenset()
    search_fields = ("id",)
    search_help_text = "An id, a subject or a flow's address, in full."
    fields = readonly_fields = (
        "id",
        "flow",
        "endpoint_link",
        "event",
        "subject",
        "lane",
        "state",
        "attempts",
        "step",
        "next_attempt_at",
        "leased_until",
        "last_status",
        "last_error",
        "replay_link",
        "created_at",
        "settled_at",
    )
    actions = ("retry", "cancel")
    change_form_template = "admin/callbacks/delivery_change.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        """Return the deliveries without their bodies, which no page needs."""
        return super().get_queryset(request).defer("body")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[KeysetChangeList]:
        """Return the list with actions."""
        return DeliveryList

    def is_narrowed(self, given: Mapping[str, str]) -> bool:
        """Return whether one is asked for by its id, or a flow's that did not arrive."""
        state = given.get("state__exact", DeliveryState.DELIVERED)
        is_few = "flow__id__exact" in given and state != DeliveryState.DELIVERED
        return is_few or _as_id(given.get("q", "")) is not None

    def meanings(self, term: str, given: Mapping[str, str]) -> Sequence[Q]:
        """Return an id, a subject, or the flows of an address."""
        found = _as_id(term)
        ids = [Q(pk=found)] if found else []
        flows = Flow.objects.filter(address=term).order_by("pk").only("pk")
        subject = ~Q(subject="") & Q(subject=term)
        return [*ids, subject, *(Q(flow=flow) for flow in flows)]

    def get_urls(self) -> list[URLPattern]:
        """Add the address of the verbs."""
        view = self.admin_site.admin_view(self.verb_view)
        return [
            path("<uuid:delivery_id>/do/<slug:verb>/", view, name="callbacks_delivery_verb"),
            *super().get_urls(),
        ]

    # -- the list ----------------------------------------------------------------------------

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Serve the list, with the way to a replay of what it shows."""
        context = {**(extra_context or {}), "replay_url": _replay_url(request)}
        return super().changelist_view(request, context)

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """Return whether the actions are offered."""
        return request.user.has_perm(PERMISSION)

    @admin.action(description="Try the chosen deliveries again now", permissions=["retry"])
    def retry(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        """Have the chosen deliveries tried again."""
        self._do(request, queryset, operations.retry, "will be tried now", "have arrived already")

    @admin.action(description="Cancel the chosen deliveries", permissions=["retry"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        """Have the chosen deliveries never be tried again."""
        self._do(request, queryset, operations.cancel, "are cancelled", "are over already")

    def _do(
        self,
        request: HttpRequest,
        queryset: QuerySet[Delivery],
        verb: Callable[[Actor, list[uuid.UUID]], int],
        done: str,
        others: str,
    ) -> None:
        """Do ``verb`` to what was ticked, and say to how many it was done, and why to no more."""
        chosen = self._chosen(request, queryset)
        count = verb(Actor.from_request(request), chosen)
        self.message_user(request, f"{count} of {len(chosen)} {done}.", messages.SUCCESS)
        if count < len(chosen):
            text = f"The others {others} or are being tried at this moment."
            self.message_user(request, text, messages.INFO)

    def _chosen(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> list[uuid.UUID]:
        """Return what was ticked; of everything there is, the first :data:`_MOST`."""
        chosen = list(queryset.values_list("pk", flat=True)[: _MOST + 1])
        if len(chosen) > _MOST:
            text = f"Of these only the first {_MOST}. Send a range again to have more."
            self.message_user(request, text, messages.WARNING)
        return chosen[:_MOST]

    # -- the page ----------------------------------------------------------------------------

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Serve the page of a delivery, with its attempts."""
        context: dict[str, Any] = {}
        delivery = self.get_object(request, object_id)
        if delivery is not None and self.has_view_permission(request, delivery):
            may_read = request.user.has_perm("callbacks.read_answer")
            context["lines"] = attempts.lines(delivery, may_read=may_read)
            context["most"] = attempts.MOST
            context["verbs"] = _verbs(delivery) if request.user.has_perm(PERMISSION) else []
        return super().change_view(
            request, object_id, form_url, {**context, **(extra_context or {})}
        )

    @method_decorator(require_POST)
    def verb_view(self, request: HttpRequest, delivery_id: uuid.UUID, verb: str) -> HttpResponse:
        """Retry or cancel one, and go back to its page."""
        if verb not in {"retry", "cancel"}:
            raise Http404

        def done(actor: Actor) -> str:
            ids = [delivery_id]
            if verb == "retry" and operations.retry(actor, ids):
                return "It will be tried now."
            if verb == "cancel" and operations.cancel(actor, ids):
                return "It is cancelled."
            return "Nothing was changed: it is over already, or is being tried at this moment."

        back = reverse("admin:callbacks_delivery_change", args=[delivery_id])
        return press(request, PERMISSION, done, back)

    @admin.display(description="Endpoint")
    def endpoint_link(self, delivery: Delivery) -> SafeString:
        """Return the way to the endpoint."""
        url = reverse("admin:callbacks_endpoint_change", args=[delivery.endpoint_id])
        return format_html(_LINK, url, delivery.channel)

    @admin.display(description="Replay")
    def replay_link(self, delivery: Delivery) -> SafeString:
        """Return the way to the replay it is part of."""
        if delivery.replay_id is None:
            return SafeString("-")
        url = reverse("admin:callbacks_replay_change", args=[delivery.replay_id])
        return format_html(_LINK, url, delivery.replay_id)


def _verbs(delivery: Delivery) -> list[tuple[str, str]]:
    """Return the buttons that make sense now."""
    is_held = delivery.leased_until is not None and delivery.leased_until > timezone.now()
    if is_held or delivery.state == DeliveryState.DELIVERED:
        return []
    if delivery.state == DeliveryState.PENDING:
        return [("retry", "Try now"), ("cancel", "Cancel")]
    return [("retry", "Try again")]


def _replay_url(request: HttpRequest) -> str:
    """Return the address of the form of a replay, filled in as the list is; "" for no right."""
    if not request.user.has_perm(PERMISSION):
        return ""
    names = {
        "flow__id__exact": "flow",
        "endpoint": "endpoint",
        "state__exact": "states",
        "event": "event",
        "since": "span",
    }
    said = {to: request.GET[name] for name, to in names.items() if request.GET.get(name)}
    return f"{reverse('admin:callbacks_replay_add')}?{urlencode(said)}"


def _as_id(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text.strip())
    except ValueError:
        return None
