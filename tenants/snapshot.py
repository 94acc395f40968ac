"""Flows as the hot path sees them: immutable, with parsed keys."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from crypto_schemes import registry
from crypto_schemes.keys import Credentials, KeyVersion, Material
from crypto_schemes.scheme import Scheme
from tenants.models import Backend, KeyState
from tenants.source_address import Network

#: Bytes, measured with Python 3.11 and OpenSSL 4: a snapshot with its names, a version in it, an
#: RSA key of 2048 bits that was parsed, one that was used, and what each thread that used it keeps
#: to blind it with.
_OF_FLOW: Final = 3_000
_OF_KEY: Final = 570
_RSA_PARSED: Final = 2_300
_RSA_USED: Final = 4_850
_RSA_OF_THREAD: Final = 2_100


@dataclass(frozen=True, slots=True)
class HeldKey:
    """A key version in a snapshot. Times are Unix time; ``accept_until`` None is no end."""

    version: KeyVersion
    state: str
    accept_until: float | None
    made_at: float = 0.0

    def opens(self, now: float) -> bool:
        """Return whether it may open at Unix time ``now``."""
        return self.accept_until is None or now < self.accept_until


@dataclass(frozen=True, slots=True)
class _Fitting:
    """Credentials that hold from Unix time ``since`` until before ``until``."""

    since: float
    until: float
    credentials: Credentials = field(repr=False)


@dataclass(frozen=True, slots=True)
class FlowSnapshot:
    """All that serving a request needs to know of a flow. Immutable, shared by threads.

    ``keys`` holds, by purpose, the versions that open: the active one first, then the others
    from the newest to the oldest.
    """

    id: str
    client_id: str
    client_slug: str
    scheme_name: str
    address: str
    identity: Mapping[str, str]
    options: Any
    backend: str
    backend_class: str
    upstream_url: str
    callback_url: str
    networks: tuple[Network, ...]
    keys: Mapping[str, tuple[HeldKey, ...]] = field(repr=False)
    #: The credentials last made, where there are some: they change only when a version's time ends.
    _made: list[_Fitting] = field(default_factory=list, init=False, repr=False, compare=False)

    @property
    def scheme(self) -> Scheme[Any]:
        """Return the contract."""
        return registry.get(self.scheme_name)

    @property
    def weight(self) -> int:
        """Return about how many bytes of memory it takes once its keys are in use.

        Without what each thread keeps: :attr:`weight_of_thread`.
        """
        held = [key for keys in self.keys.values() for key in keys]
        of_pairs = _RSA_PARSED * _pairs(held) + _RSA_USED * _pairs(self._in_use)
        return _OF_FLOW + _OF_KEY * len(held) + int(of_pairs)

    @property
    def weight_of_thread(self) -> int:
        """Return about how many bytes each thread takes that uses its keys."""
        return int(_RSA_OF_THREAD * _pairs(self._in_use))

    @property
    def _in_use(self) -> list[HeldKey]:
        """Return the active versions: of those in overlap few are in use."""
        every = [key for keys in self.keys.values() for key in keys]
        return [key for key in every if key.state == KeyState.ACTIVE]

    @property
    def materials(self) -> dict[str, Material]:
        """Return the parsed keys by the id of their version."""
        held = [key for keys in self.keys.values() for key in keys]
        return {key.version.id: key.version.material for key in held}

    @property
    def is_sandbox(self) -> bool:
        """Return whether the sandbox serves it; anything else is a live flow."""
        return self.backend == Backend.SANDBOX

    def credentials(self, now: float | None = None) -> Credentials:
        """Return identities and the versions that open at Unix time ``now``."""
        moment = time.time() if now is None else now
        made = self._made
        if made and made[0].since <= moment < made[0].until:
            return made[0].credentials
        fitting = self._credentials(moment)
        # One assignment, so that threads see either whole.
        made[:] = [fitting]
        return fitting.credentials

    def _credentials(self, moment: float) -> _Fitting:
        versions = {}
        sealing = set()
        ends = [math.inf]
        for purpose, held in self.keys.items():
            usable = tuple([key.version for key in held if key.opens(moment)])
            ends += [key.accept_until for key in held if key.accept_until and key.opens(moment)]
            if usable:
                versions[purpose] = usable
                if held[0].state == KeyState.ACTIVE:
                    sealing.add(purpose)
        return _Fitting(
            since=moment,
            until=min(ends),
            credentials=Credentials(
                identity=self.identity, versions=versions, sealing=frozenset(sealing)
            ),
        )


def _pairs(held: Iterable[HeldKey]) -> float:
    """Return how many RSA keys of 2048 bits these are worth."""
    materials = [key.version.material for key in held]
    return sum(key.key_size / 2048 for key in materials if isinstance(key, RSAPrivateKey))
