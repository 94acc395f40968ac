"""Endpoints in the admin: how they do, their settings, and the buttons that stop and start them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from statistics import quantiles
from typing import Any, Final

from django.contrib import admin
from django.forms import ModelForm
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_POST

from callbacks import operations
from callbacks.admin.verbs import press
from callbacks.admin.waits import WaitsField
from callbacks.channels import CALLBACK
from callbacks.models import Attempt, BreakerState, Delivery, DeliveryState, Endpoint, EndpointState
from callbacks.operations.endpoints import PERMISSION
from tenants.actors import Actor
from tenants.admin.base import (
    BoundedPaginator,
    RefusedError,
    UndeletableAdmin,
    answering,
    sent_back,
)

_DAY: Final = timedelta(days=1)
#: Attempts looked at for the figures of a day, the newest, and deliveries counted.
_MOST: Final = 10_000
_MOST_WAITING: Final = 1000

_DONE: Final[dict[str, tuple[Callable[..., Any], str]]] = {
    "pause": (operations.pause, "The endpoint is paused. Its deliveries wait."),
    "resume": (operations.resume, "The endpoint goes on. What is due is sent now."),
    "enable": (operations.enable, "The endpoint is active, and its circuit breaker is closed."),
}


@dataclass(frozen=True, slots=True)
class Day:
    """How the last 24 hours went, by at most the newest :data:`_MOST` attempts."""

    taken: int
    failed: int
    errors: tuple[tuple[str, int], ...]
    median_ms: float | None
    p90_ms: float | None
    waiting: int
    is_cut: bool

    @property
    def waiting_is_more(self) -> bool:
        """Return whether more wait than were counted."""
        return self.waiting > _MOST_WAITING


@admin.register(Endpoint)
class EndpointAdmin(UndeletableAdmin):
    """The receiver of a flow over one channel."""

    list_display = ("flow", "channel", "state", "breaker", "failures", "failing_since", "state_at")
    list_filter = ("state", "breaker", "channel")
    list_select_related = ("flow",)
    search_fields = ("=flow__address", "=flow__client__slug")
    search_help_text = "A flow's address or a client, in full."
    paginator = BoundedPaginator
    show_full_result_count = False
    list_per_page = 50
    readonly_fields = (
        "flow",
        "channel",
        "state",
        "state_reason",
        "state_at",
        "breaker",
        "failures",
        "opened_at",
        "ready_at",
        "failing_since",
    )
    fieldsets = (
        (None, {"fields": readonly_fields}),
        (
            "Settings",
            {
                "fields": (
                    "auth",
                    "auth_name",
                    "rate_per_second",
                    "burst",
                    "concurrency",
                    "is_fifo",
                    "schedule",
                )
            },
        ),
    )
    change_form_template = "admin/callbacks/endpoint_change.html"

    def get_urls(self) -> list[URLPattern]:
        """Add the address of the verbs."""
        view = self.admin_site.admin_view(self.verb_view)
        return [
            path("<int:endpoint_id>/do/<slug:verb>/", view, name="callbacks_endpoint_verb"),
            *super().get_urls(),
        ]

    def get_fieldsets(self, request: HttpRequest, obj: Endpoint | None = None) -> Any:
        """Return the sections; who may only look reads the waits as others type them."""
        if self.has_change_permission(request, obj):
            return super().get_fieldsets(request, obj)
        (_, standing), (title, settings) = self.fieldsets
        fields = [name if name != "schedule" else "waits" for name in settings["fields"]]
        return [(None, standing), (title, {"fields": fields})]

    @admin.display(description="Waits, in seconds")
    def waits(self, endpoint: Endpoint) -> str:
        """Return the waits, for who may only look."""
        typed = ", ".join(map(str, endpoint.schedule))
        return typed or "The usual: twelve waits over three days"

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Have the waits typed as seconds in one line."""
        if db_field.name != "schedule":
            return super().formfield_for_dbfield(db_field, request, **kwargs)
        return WaitsField(
            label="Waits, in seconds",
            help_text="After each failed attempt, such as 5, 60, 3600. Empty: twelve waits over "
            "three days.",
        )

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False: an endpoint is made with the first delivery of its flow."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Endpoint | None = None) -> bool:
        """Return whether the settings may be changed."""
        return request.user.has_perm(PERMISSION)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Serve the page of an endpoint, with how it does."""
        context: dict[str, Any] = {"show_save_and_add_another": False}
        endpoint = self.get_object(request, object_id)
        if endpoint is not None:
            context["day"] = _day(endpoint)
            context["verbs"] = _verbs(endpoint) if request.user.has_perm(PERMISSION) else []
            context["may_see_deliveries"] = request.user.has_perm("callbacks.view_delivery")
        try:
            return super().change_view(
                request, object_id, form_url, {**context, **(extra_context or {})}
            )
        except RefusedError as refused:
            return sent_back(request, refused, request.get_full_path())

    def save_model(
        self,
        request: HttpRequest,
        obj: Endpoint,
        form: ModelForm[Endpoint],
        change: bool,  # noqa: FBT001 - Django's signature
    ) -> None:
        """Have the verb write what the form changed."""
        said = {name: form.cleaned_data[name] for name in form.changed_data}
        with answering():
            operations.set_up(Actor.from_request(request), obj.pk, said)

    @method_decorator(require_POST)
    def verb_view(self, request: HttpRequest, endpoint_id: int, verb: str) -> HttpResponse:
        """Pause, resume, enable or test, and go back to the endpoint's page."""
        back = reverse("admin:callbacks_endpoint_change", args=[endpoint_id])
        if verb == "test":
            return press(request, PERMISSION, lambda actor: _test(actor, endpoint_id), back)
        if verb not in _DONE:
            raise Http404
        do, text = _DONE[verb]
        reason = request.POST.get("reason", "")

        def done(actor: Actor) -> str:
            do(actor, endpoint_id, reason=reason)
            return text

        return press(request, PERMISSION, done, back)


def _test(actor: Actor, endpoint_id: int) -> str:
    delivery = operations.send_test(actor, endpoint_id)
    return f"A test event is on its way: delivery {delivery.pk}."


def _verbs(endpoint: Endpoint) -> list[tuple[str, str]]:
    """Return the buttons that make sense now."""
    if endpoint.state == EndpointState.PAUSED:
        return [("resume", "Resume")]
    if endpoint.state == EndpointState.DISABLED:
        return [("enable", "Enable")]
    verbs = [("pause", "Pause")]
    if endpoint.breaker != BreakerState.CLOSED:
        verbs.append(("enable", "Close the breaker"))
    if endpoint.channel == CALLBACK and endpoint.flow.callback_url:
        verbs.append(("test", "Send a test event"))
    return verbs


def _day(endpoint: Endpoint) -> Day:
    since = timezone.now() - _DAY
    rows = Attempt.objects.filter(endpoint=endpoint, started_at__gte=since)
    tries = list(rows.order_by("-started_at").values_list("error", "total_ms")[: _MOST + 1])
    errors = Counter(error for error, _ in tries[:_MOST] if error)
    times = [taken for _, taken in tries[:_MOST] if taken is not None]
    tenths = quantiles(times, n=10) if len(times) > 1 else [*times * 9]
    # The conditions of the index that claiming uses, in its words.
    pending = Delivery.objects.filter(
        endpoint=endpoint, state=DeliveryState.PENDING, next_attempt_at__isnull=False
    )
    return Day(
        taken=min(len(tries), _MOST) - sum(errors.values()),
        failed=sum(errors.values()),
        errors=tuple(errors.most_common(8)),
        median_ms=round(tenths[4], 1) if tenths else None,
        p90_ms=round(tenths[8], 1) if tenths else None,
        waiting=pending.order_by()[: _MOST_WAITING + 1].count(),
        is_cut=len(tries) > _MOST,
    )
