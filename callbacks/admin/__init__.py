"""The admin over deliveries, endpoints and replays.

Bodies are on no page. Whatever changes anything goes through :mod:`callbacks.operations`, by POST
only.
"""

from callbacks.admin.delivery import DeliveryAdmin
from callbacks.admin.endpoint import EndpointAdmin
from callbacks.admin.replay import ReplayAdmin

__all__ = ["DeliveryAdmin", "EndpointAdmin", "ReplayAdmin"]
