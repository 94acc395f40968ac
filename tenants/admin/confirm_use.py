"""The page that asks before a version in use ends: figures, what to type, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from tenants.admin.base import no_store
from tenants.admin.key_panel import place_of
from tenants.lifecycle import UseNotConfirmedError
from tenants.models import Flow, Key


@dataclass(frozen=True, slots=True)
class _Words:
    button: str
    effect: str
    keeps: tuple[str, ...] = ()


_WORDS: Final = {
    "retire": _Words("Retire", "Within a second it opens nothing anywhere."),
    "revoke": _Words("Revoke", "Within a second it opens nothing anywhere, and never will again."),
    "promote": _Words(
        "Promote without an overlap",
        "Promoting its successor without an overlap retires it at once. With an overlap of some "
        "days both open, and nobody is refused.",
        keeps=("overlap_days", "override", "confirm"),
    ),
}
#: The same where the client's policy wants a second person.
_ASKING: Final = {
    "revoke": _Words(
        "Ask to revoke",
        "This asks another administrator. Once they approve, it opens nothing anywhere within a "
        "second, and never will again; until then it goes on opening.",
    ),
}


def confirm_page(
    request: HttpRequest, site: AdminSite, key: Key, verb: str, asked: UseNotConfirmedError
) -> HttpResponse:
    """Return the answer to a POST of ``verb`` on ``key`` that left out the confirmation.

    It sends the same again, with what is typed. The version that would end is the one of
    ``asked``, which for a promotion is the predecessor.
    """
    is_guarded = key.flow.client.needs_second_person
    words = (_ASKING.get(verb) if is_guarded else None) or _WORDS[verb]
    context = {
        **site.each_context(request),
        "title": f"{asked.key.title} is in use",
        "opts": Flow._meta,
        "flow": key.flow,
        "key": key,
        "place": place_of(key.flow_id, key.purpose),
        "ending": asked.key,
        "verb": verb,
        "words": words,
        "use": asked.use,
        "phrase": asked.phrase,
        "problem": asked.problem,
        "reason": request.POST.get("reason", ""),
        "kept": {name: request.POST.get(name, "") for name in words.keeps},
    }
    return no_store(TemplateResponse(request, "admin/tenants/confirm_use.html", context))
