"""What goes out: where to, what, and how each attempt went."""

from callbacks.models.attempts import Attempt
from callbacks.models.deliveries import Delivery, DeliveryState, Urgency
from callbacks.models.endpoints import AuthKind, BreakerState, Endpoint, EndpointState
from callbacks.models.replays import Replay, ReplayState

__all__ = [
    "Attempt",
    "AuthKind",
    "BreakerState",
    "Delivery",
    "DeliveryState",
    "Endpoint",
    "EndpointState",
    "Replay",
    "ReplayState",
    "Urgency",
]
