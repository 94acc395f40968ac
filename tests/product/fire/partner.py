"""A partner of one flow under fire: what those of all contracts have in common."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import urllib3

from crypto_schemes import base64_text, registry
from crypto_schemes.ciphers import rsa
from crypto_schemes.envelope import SealedReply, SealedRequest
from crypto_schemes.keys import Credentials, KeyVersion, Kind, Material
from tests.product.fire.held import Held
from tests.product.fire.wire import Wire

Answer = urllib3.BaseHTTPResponse
Way = Callable[[Wire], None]


@dataclass(frozen=True)
class Flow:
    """What a client process is told of a flow."""

    id: str
    scheme: str
    address: str
    path: str
    identity: Mapping[str, str]


def material_of(kind: Kind, text: str) -> Material:
    """Return what a partner makes of what was handed over."""
    if kind is Kind.RSA:
        return rsa.load_public_pem(text)
    return base64_text.decode(text) if kind is Kind.AES else text


class Partner(ABC):
    """One flow. ``held`` has a version of each of its secrets before anything is asked."""

    #: Purposes whose secret is handed over.
    secrets: ClassVar[tuple[str, ...]]
    #: Purposes that rotate without anything being handed over.
    kept: ClassVar[tuple[str, ...]] = ()

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.held = Held()
        self.scheme = registry.get(flow.scheme)
        self.options: Any = self.scheme.options_type.from_mapping({})

    @abstractmethod
    def ways(self) -> list[tuple[float, Way]]:
        """Return what it asks, each with its weight."""

    def begin(self, wire: Wire) -> None:  # noqa: B027 - most have nothing to do
        """Do what comes before the first request."""

    @abstractmethod
    def way_under(self, purpose: str) -> Way:
        """Return what is asked under a secret of ``purpose``."""

    def add(self, purpose: str, key_id: str, text: str) -> None:
        """Take a version that was handed over."""
        spec = self.scheme.purpose(purpose)
        self.held.add(KeyVersion(key_id, purpose, 0, material_of(spec.kind, text)))

    def try_out(self, purpose: str, key_id: str, wire: Wire) -> None:
        """Ask something under this very version."""
        self.held.prefer(purpose, key_id)
        self.way_under(purpose)(wire)

    def drop(self, purpose: str, key_id: str, wire: Wire) -> None:
        """Use a version no more; returns when nothing under it is under way."""
        self.held.drop(purpose, key_id)

    def _credentials(self, versions: Mapping[str, KeyVersion]) -> Credentials:
        return Credentials(
            identity=self.flow.identity,
            versions={purpose: (version,) for purpose, version in versions.items()},
        )

    def _ask(self, wire: Wire, method: str, path: str, **how: Any) -> Any:
        return wire.ask(self.flow.scheme, method, path, **how)


def is_ok(answer: Answer) -> Any:
    """Return True for 200, else None."""
    return True if answer.status == 200 else None


def written(name: str) -> str:
    """Return a header's name as it travels."""
    return {"pass-key": "pass_key", "header-secrets": "header_secrets"}.get(name, name)


def opened(
    partner: Partner,
    sent: SealedRequest,
    credentials: Credentials,
    is_success: Callable[[Any], bool],
) -> Callable[[Answer], Any]:
    """Return a check that opens the answer to ``sent``."""

    def check(answer: Answer) -> Any:
        if answer.status != 200:
            return None
        reply = SealedReply(answer.data, answer.headers.get("Content-Type", ""))
        said: Any = partner.scheme.open_reply(
            reply, sent, credentials, partner.options, now=time.time()
        )
        return True if is_success(said) else None

    return check
