"""What operators are told about endpoints: a log line each, for whoever watches the logs."""

from __future__ import annotations

import logging

from callbacks.models import Endpoint

logger = logging.getLogger("sealgate.callbacks")


def endpoint_failing(endpoint: Endpoint, days: int, error: str) -> None:
    """Warn that nothing has arrived for ``days`` days."""
    logger.warning(
        "Nothing has arrived at the endpoint for %d days; it is disabled after 5.",
        days,
        extra=_facts(endpoint) | {"days": days, "error": error},
    )


def endpoint_disabled(endpoint: Endpoint) -> None:
    """Say that the endpoint was disabled, and why."""
    logger.error(
        "The endpoint is disabled: %s Its deliveries wait until it is enabled.",
        endpoint.state_reason,
        extra=_facts(endpoint),
    )


def _facts(endpoint: Endpoint) -> dict[str, object]:
    return {"flow": str(endpoint.flow_id), "channel": endpoint.channel, "endpoint": endpoint.pk}
