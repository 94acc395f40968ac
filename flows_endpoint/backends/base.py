"""The two-method interface of a backend."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from crypto_schemes.json_text import JSONValue
from tenants.keyring import FlowSnapshot


@dataclass(frozen=True, slots=True)
class Call:
    """One opened request handed to a backend.

    ``raw`` is the exact JSON text the partner sealed, ``payload`` its value, ``details`` what
    the contract says beside the body (captured URL parts, opened headers), ``received_at``
    Unix seconds.
    """

    request_id: str
    flow: FlowSnapshot
    operation: str
    payload: JSONValue = field(repr=False)
    raw: bytes = field(repr=False)
    received_at: float
    details: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the backend answers; sealed by the contract and returned to the partner."""

    payload: JSONValue = field(repr=False)


class Backend(ABC):
    """Does the business of a flow.

    Subclass it, implement :meth:`handle`, and name the class by its dotted path as the flow's
    backend. One instance a process serves many threads: keep no state between calls.
    Raise :class:`flows_endpoint.exchange.Refusal` with ``Reason.BUSINESS`` and the contract's
    code to answer with one of its errors. Any other exception becomes the contract's
    own "internal failure", and everything written in the transaction is undone.
    """

    #: True: runs inside one database transaction with the replay guard, so that work and guard
    #: stand or fall together. False: for backends that wait for a network.
    atomic: ClassVar[bool] = True

    def is_safe(self, operation: str, payload: JSONValue) -> bool:
        """Return whether answering changes nothing, so that it may be asked more than once.

        As *safe* methods of HTTP are (RFC 9110, section 9.2.1). For a WhatsApp step an atomic
        backend is then asked outside a transaction, which spares the database three round trips.
        False is always right.
        """
        return False

    @abstractmethod
    def handle(self, call: Call) -> Answer:
        """Return the answer to ``call``."""
