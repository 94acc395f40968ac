"""What a verb raises, as an ordinary failure of a command: a sentence and no trace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError

from crypto_schemes.errors import SchemeError
from tenants.actors import NotAllowedError
from tenants.at_rest import AtRestError
from tenants.lifecycle import LifecycleError, UseNotConfirmedError


@contextmanager
def as_command_errors() -> Iterator[None]:
    """Turn what a verb raises into CommandError."""
    try:
        yield
    except UseNotConfirmedError as error:
        how = f'--confirm "{error.phrase}" --reason WHY'
        raise CommandError(f"{error} Here that is {how}") from None
    except (LifecycleError, NotAllowedError, AtRestError) as error:
        raise CommandError(str(error)) from None
    except SchemeError as error:
        raise CommandError(f"{error.what} {error.fix}".rstrip()) from None
    except ValidationError as error:
        raise CommandError("\n".join(_sentences(error))) from None


def _sentences(error: ValidationError) -> list[str]:
    if not hasattr(error, "error_dict"):
        return list(error.messages)
    return [
        message if name in {"__all__", "options"} else f"{name}: {message}"
        for name, messages in error.message_dict.items()
        for message in messages
    ]
