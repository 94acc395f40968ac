"""Which backend serves a flow."""

from __future__ import annotations

from functools import cache

from django.utils.module_loading import import_string

from flows_endpoint.backends.base import Backend
from flows_endpoint.backends.upstream import UpstreamBackend
from flows_endpoint.exchange import Reason, Refusal
from tenants.keyring import FlowSnapshot

_upstream = UpstreamBackend()


@cache
def load(path: str) -> Backend:
    """Return the one instance of the backend class at the dotted ``path``.

    Raises ImportError or TypeError with the reason.
    """
    found = import_string(path)
    if not (isinstance(found, type) and issubclass(found, Backend)):
        raise TypeError(f"{path} is not a subclass of flows_endpoint.backends.Backend.")
    return found()


def backend_of(flow: FlowSnapshot, sandbox: Backend) -> Backend:
    """Return the backend of ``flow``; ``sandbox`` is its contract's.

    Raises Refusal (unavailable) when a dotted path cannot be loaded.
    """
    if flow.backend == "sandbox":
        return sandbox
    if flow.backend == "upstream":
        return _upstream
    try:
        return load(flow.backend_class)
    except (ImportError, TypeError) as error:
        raise Refusal(Reason.UNAVAILABLE, step=f"backend:{type(error).__name__}") from None
