"""A version that is still in use is not ended by a slip of the hand.

Who ends one that was used within the last days (USED_RECENTLY_DAYS) types which one it is, and
says why. The check stands in the verbs, under the lock of the flow, so that no page and no
command can leave it out; they show the figures of the refusal and ask.
"""

from __future__ import annotations

from typing import Final

from django.conf import settings
from django.utils import timezone

from tenants import key_use
from tenants.key_use import Use
from tenants.lifecycle.base import LifecycleError
from tenants.models import Key

_WRONG: Final = "That is not what stands there. Nothing was changed."
_NO_REASON: Final = "Say why: the reason stands in the audit trail. Nothing was changed."


class UseNotConfirmedError(LifecycleError):
    """A version in use would end, and that was not confirmed. Nothing was changed.

    ``use`` are the figures to show, ``phrase`` is what is to be typed. ``problem`` says what is
    wrong with what was given; empty where nothing was typed yet.
    """

    def __init__(self, key: Key, use: Use, phrase: str, problem: str) -> None:
        said = problem or "Whoever uses it will be refused."
        super().__init__(
            f"{key.title} is in use: {use}. {said} "
            f'To end it all the same, confirm with "{phrase}" and give a reason.'
        )
        self.key = key
        self.use = use
        self.phrase = phrase
        self.problem = problem


def use_phrase(key: Key) -> str:
    """Return what is typed to end ``key`` while it is in use, such as ``api_key v1``."""
    try:
        name = key.flow.contract.purpose(key.purpose).credential_name
    except KeyError:
        name = key.purpose
    return f"{name} v{key.version}"


def needs_confirmation(key: Key) -> bool:
    """Return whether ending ``key`` now would cut off somebody who used it lately."""
    now = timezone.now()
    if key.last_used_at is None or not key.opens(now):
        return False
    return (now - key.last_used_at).total_seconds() < settings.USED_RECENTLY_DAYS * 86_400


def require_confirmed_use(key: Key, typed: str, reason: str) -> None:
    """Raise UseNotConfirmedError unless ``key`` is out of use, or its end is confirmed."""
    if not needs_confirmation(key):
        return
    phrase = use_phrase(key)
    problem = ""
    if typed.strip() and typed.split() != phrase.split():
        problem = _WRONG
    elif typed.strip() and not reason.strip():
        problem = _NO_REASON
    elif typed.strip():
        return
    raise UseNotConfirmedError(key, key_use.use_of(key), phrase, problem)
