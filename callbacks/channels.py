"""Ways out: what is done with a delivery by the channel it goes over.

A delivery names its *channel*: ``callback`` posts to the flow's callback URL
(callbacks/callback_channel.py); an app that sends elsewhere registers its own in
``AppConfig.ready``. The engine is the same for all of them. It claims the delivery, asks the
channel to prepare a message, posts it, has the channel judge the answer, writes the result and
tells the channel of it:

1. :meth:`Channel.prepare`, by the thread that claims; reads the database;
2. the post and :meth:`Channel.judge`, by a thread that never touches the database;
3. :meth:`Channel.settled`, inside the transaction that writes the result.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, Final

from crypto_schemes.json_text import JSONValue
from crypto_schemes.scheme import read_json
from tenants import at_rest

if TYPE_CHECKING:
    from callbacks.models import Delivery
    from callbacks.transport import HttpAnswer
    from tenants.models import Flow

#: The channel of a delivery that names none.
CALLBACK: Final = "callback"


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one attempt. ``error`` is a class of failure, empty for a success.

    ``status`` is the HTTP status, if there was one; ``why`` says in words what to do about the
    failure, and names neither address nor body. The rest says what follows from a failure:

    - ``is_permanent``: trying again cannot help until somebody changes something.
    - ``wait``: try again after exactly so long, whatever the schedule says; how often in all
      stays the schedule's.
    - ``rest``: the receiver asked to be left alone so long (Retry-After): nothing goes to this
      endpoint before, and the schedule's wait may be longer but not shorter.
    - ``is_outage``: the receiver as a whole seems to be away; counts for the circuit breaker.
    - ``disables``: the endpoint stops until an operator enables it (gone, credentials refused).
    """

    status: int | None = None
    error: str = ""
    why: str = field(default="", compare=False)
    is_permanent: bool = False
    wait: timedelta | None = None
    rest: timedelta | None = None
    is_outage: bool = False
    disables: bool = False

    @property
    def is_delivered(self) -> bool:
        """Return whether the receiver took it."""
        return not self.error


@dataclass(frozen=True, slots=True)
class Message:
    """A delivery sealed, signed and ready to post.

    ``secrets`` are masked where the receiver repeats them, as are all header values, and where
    there is a ``payload``, what the body says in clear, the values of both. Plain HTTP
    goes to allow-listed networks only, unless ``require_tls`` is off.
    """

    url: str = field(repr=False)
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    require_tls: bool = field(default=True, repr=False)
    payload: JSONValue = field(default=None, repr=False)


class Channel(ABC):
    """One way out. Stateless: one object serves every thread."""

    name: ClassVar[str]

    def is_wanted(self, flow: Flow) -> bool:
        """Return whether a delivery of ``flow`` is to be written at all."""
        return True

    @abstractmethod
    def prepare(self, delivery: Delivery, now: float) -> Message | Result:
        """Return the message of ``delivery``, sealed and signed at Unix time ``now``.

        A Result says why there is none. May read the database. May raise AtRestError and
        SchemeError; the engine makes a Result of each (:func:`callbacks.sender.prepare`).
        """

    @abstractmethod
    def judge(self, delivery: Delivery, answer: HttpAnswer) -> Result:
        """Return what ``answer`` means.

        Touches no database; the delivery's flow and endpoint are loaded.
        """

    def settled(self, delivery: Delivery, result: Result) -> None:  # noqa: B027 - may do nothing
        """Hear of the result of an attempt, inside the transaction that writes it.

        ``delivery`` stands as it will be stored: ``state`` tells whether it arrived, waits for
        its next turn, has failed for good or was cancelled. What this raises undoes the
        record, and the attempt is made again: business rows and result stand or fall together.
        """


_channels: dict[str, Channel] = {}


def register(channel: Channel) -> None:
    """Have deliveries that name ``channel`` go over it. Called in ``AppConfig.ready``."""
    _channels[channel.name] = channel


def get(name: str) -> Channel:
    """Return the channel called ``name``. Raises KeyError."""
    return _channels[name]


def names() -> list[str]:
    """Return the names of all channels, ``callback`` first."""
    return sorted(_channels, key=lambda name: (name != CALLBACK, name))


def opened_body(delivery: Delivery) -> JSONValue:
    """Return the frozen body of ``delivery``. Raises AtRestError and OpenError."""
    return read_json(at_rest.open_sealed(delivery.body, delivery.at_rest_context))
