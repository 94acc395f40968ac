"""The secrets a partner holds: during a rotation two versions of each, both of them in use."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from crypto_schemes.keys import KeyVersion

#: Seconds within which a request that is under way must have ended.
_PATIENCE = 120.0


class Held:
    """Versions by purpose. Safe for many threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._versions: dict[str, list[KeyVersion]] = {}
        self._in_use: Counter[str] = Counter()
        self._next: dict[str, KeyVersion] = {}

    def add(self, version: KeyVersion) -> None:
        """Take a version; from now on requests use it as often as the others."""
        with self._changed:
            self._versions.setdefault(version.purpose, []).append(version)

    def prefer(self, purpose: str, key_id: str) -> None:
        """Have the next request use this version."""
        with self._changed:
            for version in self._versions.get(purpose, ()):
                if version.id == key_id:
                    self._next[purpose] = version

    def drop(self, purpose: str, key_id: str) -> None:
        """Use a version no more; returns when no request under it is under way."""
        with self._changed:
            held = self._versions[purpose]
            held[:] = [version for version in held if version.id != key_id]
            assert held, f"nothing left of {purpose}"
            if purpose in self._next and self._next[purpose].id == key_id:
                del self._next[purpose]
            ended = self._changed.wait_for(lambda: not self._in_use[key_id], _PATIENCE)
            assert ended, f"a request under {purpose} does not end"

    @contextmanager
    def using(self, *purposes: str) -> Iterator[dict[str, KeyVersion]]:
        """Yield any version of each purpose, in use until the block ends."""
        with self._changed:
            chosen = {
                purpose: self._next.pop(purpose)
                if purpose in self._next
                else random.choice(self._versions[purpose])
                for purpose in purposes
            }
            self._in_use.update(version.id for version in chosen.values())
        try:
            yield chosen
        finally:
            with self._changed:
                self._in_use.subtract(version.id for version in chosen.values())
                self._changed.notify_all()

    def all_of(self, purpose: str) -> tuple[KeyVersion, ...]:
        """Return every version held now."""
        with self._changed:
            return tuple(self._versions.get(purpose, ()))
