"""What the page of a flow shows of its hand-over links."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from tenants import lifecycle
from tenants.models import Flow, HandOver, HandOverState, Key

#: How many links the page of a flow shows.
_LATEST: Final = 8
#: What the form offers: hours, and how people say it.
_LIFETIMES: Final = (
    (1, "1 hour"),
    (24, "1 day"),
    (72, "3 days"),
    (168, "7 days"),
    (336, "14 days"),
)
_VARIANTS: Final = {
    HandOverState.WAITING: "info",
    HandOverState.OPENED: "success",
    HandOverState.WITHDRAWN: "",
    HandOverState.EXPIRED: "warning",
    HandOverState.CLOSED: "danger",
}
_WITHDRAWABLE: Final = (HandOverState.WAITING, HandOverState.CLOSED)


@dataclass(frozen=True, slots=True)
class Standing:
    """What became of a link: in a word, in which of the theme's colours, and in more words."""

    word: str
    variant: str
    more: str = ""


@dataclass(frozen=True, slots=True)
class HandOverRow:
    """One link of the list."""

    handover: HandOver
    shows: str
    stands: Standing
    may_withdraw: bool


def handover_context(flow: Flow, request: HttpRequest) -> dict[str, Any]:
    """Return what the panel needs; nothing for who may see no links."""
    may = request.user.has_perm
    if not any(may(f"tenants.{verb}_handover") for verb in ("view", "add", "change")):
        return {}
    now = timezone.now()
    may_withdraw = may("tenants.change_handover")
    latest = with_keys(flow.handovers.all())[:_LATEST]
    return {
        "handovers": [
            HandOverRow(
                handover=handover,
                shows=contents(handover),
                stands=standing(handover, now),
                may_withdraw=may_withdraw and handover.state(now) in _WITHDRAWABLE,
            )
            for handover in latest
        ],
        "may_list_handovers": may("tenants.view_handover"),
        "may_hand_over": may("tenants.add_handover"),
        "to_hand_over": lifecycle.keys_to_hand_over(flow),
        "lifetimes": _LIFETIMES,
        "usual_lifetime": lifecycle.DEFAULT_LIFETIME // lifecycle.SHORTEST_LIFETIME,
    }


def with_keys(handovers: QuerySet[HandOver]) -> QuerySet[HandOver]:
    """Return ``handovers`` with what tells their versions, and nothing secret."""
    keys = Key.objects.defer("material", "lookup_digest").select_related("flow")
    return handovers.defer("token_digest").prefetch_related(Prefetch("keys", queryset=keys))


def contents(handover: HandOver) -> str:
    """Return what a link shows, in words."""
    return ", ".join(sorted(key.title for key in handover.keys.all()))


def standing(handover: HandOver, now: datetime) -> Standing:
    """Return what became of a link."""
    state = handover.state(now)
    more = ""
    if handover.opened_at is not None:
        source = f" from {handover.opened_from}" if handover.opened_from else ""
        more = f"{handover.opened_at:%Y-%m-%d %H:%M}{source}"
    elif handover.withdrawn_at is not None:
        more = f"{handover.withdrawn_at:%Y-%m-%d %H:%M}"
    elif state == HandOverState.CLOSED:
        ended = ", ".join(sorted(key.title for key in handover.ended_keys(now)))
        more = f"{ended} has ended."
    return Standing(str(state), _VARIANTS[state], more)
