"""One protocol played from its first step to the last, and how that ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from crypto_schemes import registry
from crypto_schemes.errors import SchemeError
from script.partner_demo.expectations import UnexpectedError
from script.partner_demo.partner import Partner, credentials_of
from script.partner_demo.provisioning import Provisioned
from script.partner_demo.receiver import Inbox
from script.partner_demo.screen import Outcome, Scene, Screen


@dataclass(frozen=True, slots=True)
class Play:
    """What a partner of one protocol does. ``steps`` raises UnexpectedError at the first fault."""

    scheme: str
    title: str
    subtitle: str
    steps: Callable[[Partner], None]
    #: Spells a header's name as the contract does.
    on_the_wire: Callable[[str], str] = str
    #: What the contract wants a callback to be answered with.
    callback_reply: bytes = b"{}"


def perform(
    play: Play,
    provisioned: Provisioned,
    inbox: Inbox,
    *,
    base_url: str,
    screen: Screen,
    callback_seconds: float,
) -> Outcome:
    """Play it with fresh credentials, and return how it ended.

    Raises KeyMaterialError for credentials that are none.
    """
    scheme = registry.get(play.scheme)
    scene = Scene(screen, play.title, play.subtitle)
    started = time.monotonic()
    partner = Partner(
        base_url=base_url,
        path=provisioned.path,
        bundle=provisioned.credentials,
        scheme=scheme,
        credentials=credentials_of(scheme, provisioned.credentials),
        inbox=inbox,
        scene=scene,
        callback_seconds=callback_seconds,
        on_the_wire=play.on_the_wire,
    )
    fault = ""
    try:
        play.steps(partner)
    except (UnexpectedError, SchemeError) as error:
        fault = str(error)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        fault = f"Expected an answer of the contract's form. Reading it gave: {error!r}"
    if fault:
        scene.failed(fault)
        fault = f"Step {scene.steps} ({scene.step_title}). {fault}"
    scene.close()
    return Outcome(
        title=play.title,
        steps=scene.steps,
        requests=partner.requests,
        callbacks=partner.callbacks,
        seconds=time.monotonic() - started,
        fault=fault,
    )
