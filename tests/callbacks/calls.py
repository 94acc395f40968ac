"""Shorthand for tests: attempts that were made, without a network."""

from __future__ import annotations

from django.utils import timezone

from callbacks.attempt import Call
from callbacks.channels import Result
from callbacks.models import Delivery
from callbacks.settle import Finished
from callbacks.timings import Timings


def called(delivery: Delivery, result: Result, answer: bytes = b"") -> Finished:
    """Return the attempt of ``delivery`` with a call that was really made."""
    return Finished(delivery, result, Call(timezone.now(), Timings(total=1.0), answer))
