"""What somebody means to do, and the leave to do exactly that without asking a second person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Intent:
    """A verb, on which row, with which arguments (as JSON holds them).

    Two intents are the same thing when they are equal. None holds a secret: material to import
    is named by its fingerprint.
    """

    verb: str
    client_id: UUID
    flow_id: UUID | None = None
    key_id: UUID | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Clearance:
    """Leave to carry out one intent, once.

    :mod:`tenants.lifecycle.approvals` makes these, for what a second person has approved or a
    shell takes upon itself; :func:`tenants.lifecycle.second_person.require` takes them. Nothing
    else handles them. ``named`` is what the audit trail adds to every entry made under it.
    """

    intent: Intent
    named: Mapping[str, str]
    is_spent: bool = False
