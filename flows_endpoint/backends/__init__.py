"""Who does the business behind an opened request: the sandbox, an upstream, or your own class."""

from flows_endpoint.backends.base import Answer, Backend, Call

__all__ = ["Answer", "Backend", "Call"]
