"""Replays in the admin: begun from a form, watched, and cancelled."""

from __future__ import annotations

import uuid
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_POST
from unfold import widgets

from callbacks import operations
from callbacks.admin.filters import endpoint_of
from callbacks.admin.verbs import press
from callbacks.models import DeliveryState, Endpoint, Replay, ReplayState
from callbacks.operations import Selection
from callbacks.operations.deliveries import PERMISSION
from callbacks.operations.replays import REPLAYABLE
from tenants.actors import Actor
from tenants.admin.base import ReadOnlyAdmin, answering
from tenants.models import Client, Flow

if TYPE_CHECKING:
    _ReplayForm = forms.ModelForm[Replay]
else:
    _ReplayForm = forms.ModelForm

#: Seconds after which the page of one that runs is loaded again.
REFRESH: Final = 2
_SPANS: Final = {"1h": 1, "24h": 24, "7d": 7 * 24, "30d": 30 * 24}
_FORM: Final = "%Y-%m-%dT%H:%M:%S"


class _Moment(widgets.UnfoldAdminTextInputWidget):  # type: ignore[misc]  # the theme has no types
    def __init__(self) -> None:
        super().__init__({"type": "datetime-local", "step": "1"})


class ReplayForm(_ReplayForm):
    """Which deliveries to send again. A flow and a client are written as people write them."""

    since = forms.DateTimeField(label="Made from (UTC)", widget=_Moment)
    until = forms.DateTimeField(label="Made before (UTC)", widget=_Moment)
    states = forms.MultipleChoiceField(
        label="States",
        choices=[(state.value, state.label) for state in REPLAYABLE],
        widget=widgets.UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="What arrived before goes out with the id it had.",
    )
    client_slug = forms.CharField(
        label="Client",
        required=False,
        max_length=64,
        widget=widgets.UnfoldAdminTextInputWidget,
        help_text="Empty: any.",
    )
    flow_name = forms.CharField(
        label="Flow",
        required=False,
        max_length=200,
        widget=widgets.UnfoldAdminTextInputWidget,
        help_text="CONTRACT/ADDRESS, such as kairos/Ab3dE. Empty: any.",
    )
    endpoint = forms.ModelChoiceField(
        Endpoint.objects.order_by("pk"), required=False, widget=forms.HiddenInput
    )

    class Meta:
        model = Replay
        fields = ("since", "until", "states", "client_slug", "flow_name", "event", "reason")

    def clean_client_slug(self) -> Client | None:
        """Return the client."""
        slug = self.cleaned_data["client_slug"]
        client = Client.objects.filter(slug=slug).first() if slug else None
        if slug and client is None:
            raise ValidationError("There is no such client.")
        return client

    def clean_flow_name(self) -> Flow | None:
        """Return the flow."""
        name = self.cleaned_data["flow_name"]
        scheme, _, address = name.partition("/")
        flow = Flow.objects.filter(scheme=scheme, address=address).first() if name else None
        if name and flow is None:
            raise ValidationError("There is no such flow.")
        return flow

    def clean(self) -> dict[str, Any]:
        """Refuse a range that does not begin in the past, before it ends."""
        said: dict[str, Any] = super().clean() or self.cleaned_data
        since, until = said.get("since"), said.get("until")
        if since and until and since >= min(until, timezone.now()):
            raise ValidationError("The range must begin before it ends, and in the past.")
        return said

    def selection(self) -> Selection:
        """Return what a valid form asks for."""
        said = self.cleaned_data
        return Selection(
            client=said["client_slug"],
            flow=said["flow_name"],
            endpoint=said.get("endpoint"),
            event=said["event"],
            states=tuple(said["states"]),
            since=said["since"],
            until=said["until"],
        )


@admin.register(Replay)
class ReplayAdmin(ReadOnlyAdmin):
    """Ranges of deliveries that are sent again."""

    form = ReplayForm
    list_display = (
        "created_at",
        "state",
        "flow",
        "since",
        "until",
        "seen",
        "total",
        "queued",
        "requested_by",
        "ended_at",
    )
    list_select_related = ("flow",)
    list_filter = ("state",)
    readonly_fields = (
        "id",
        "state",
        "since",
        "until",
        "client",
        "flow",
        "endpoint",
        "event",
        "states",
        "requested_by",
        "reason",
        "created_at",
        "ended_at",
    )
    change_form_template = "admin/callbacks/replay_change.html"

    def get_urls(self) -> list[URLPattern]:
        """Add the address that cancels."""
        view = self.admin_site.admin_view(self.cancel_view)
        return [
            path("<uuid:replay_id>/cancel/", view, name="callbacks_replay_cancel"),
            *super().get_urls(),
        ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return whether a replay may be begun."""
        return request.user.has_perm(PERMISSION)

    def get_fieldsets(self, request: HttpRequest, obj: Replay | None = None) -> Any:
        """Return the form, or what is known."""
        asked = (*ReplayForm.Meta.fields, "endpoint")
        return [(None, {"fields": asked if obj is None else self.readonly_fields})]

    def get_readonly_fields(self, request: HttpRequest, obj: Replay | None = None) -> Any:
        """Return none for the form."""
        return () if obj is None else self.readonly_fields

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Return what the list of deliveries was narrowed by; a day back unless it says more."""
        said = request.GET
        now = timezone.now().astimezone(UTC)
        hours = _SPANS.get(said.get("span", ""), 24)
        endpoint = endpoint_of(said.get("endpoint"))
        flow = endpoint.flow if endpoint else _flow(said.get("flow", ""))
        chosen = said.get("states", "")
        known = chosen in REPLAYABLE
        return {
            "since": f"{now - timedelta(hours=hours):{_FORM}}",
            # The end of this second is the past when the form is sent.
            "until": f"{now + timedelta(seconds=1):{_FORM}}",
            "states": [chosen] if known else [DeliveryState.FAILED.value],
            "flow_name": f"{flow.scheme}/{flow.address}" if flow else "",
            "endpoint": endpoint.pk if endpoint else None,
            "event": said.get("event", "")[:64],
        }

    def save_model(
        self,
        request: HttpRequest,
        obj: Replay,
        form: Any,
        change: bool,  # noqa: FBT001 - Django's signature
    ) -> None:
        """Have the verb begin it."""
        with answering():
            made = operations.start_replay(
                Actor.from_request(request), form.selection(), reason=form.cleaned_data["reason"]
            )
        obj.pk = made.pk

    def response_add(
        self, request: HttpRequest, obj: Replay, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Go to its page."""
        url = reverse("admin:callbacks_replay_change", args=[obj.pk])
        return press(request, PERMISSION, lambda actor: "The replay has begun.", url)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Serve the page of a replay, which loads itself again while it runs."""
        replay = self.get_object(request, object_id)
        context: dict[str, Any] = {}
        if replay is not None:
            is_running = replay.state == ReplayState.RUNNING
            context = {
                "is_running": is_running,
                "refresh": REFRESH,
                "percent": _percent(replay),
                "may_cancel": is_running and request.user.has_perm(PERMISSION),
            }
        return super().change_view(
            request, object_id, form_url, {**context, **(extra_context or {})}
        )

    @method_decorator(require_POST)
    def cancel_view(self, request: HttpRequest, replay_id: uuid.UUID) -> HttpResponse:
        """End it where it is, and go back to its page."""

        def done(actor: Actor) -> str:
            operations.cancel_replay(actor, replay_id)
            return "The replay is cancelled. What it sent again already stays so."

        back = reverse("admin:callbacks_replay_change", args=[replay_id])
        return press(request, PERMISSION, done, back)


def _flow(text: str) -> Flow | None:
    try:
        return Flow.objects.filter(pk=uuid.UUID(text)).first()
    except ValueError:
        return None


def _percent(replay: Replay) -> int:
    """Return how far it is; what was forgotten meanwhile is not seen, so the end is the end."""
    if replay.state == ReplayState.DONE:
        return 100
    return min(99, 100 * replay.seen // replay.total) if replay.total else 0
