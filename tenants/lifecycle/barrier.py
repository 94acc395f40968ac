"""The guard before a promotion: every live process must open with the new version first."""

from __future__ import annotations

from tenants import rollout
from tenants.lifecycle.base import LifecycleError
from tenants.models import Key
from tenants.rollout import Process, Standing

#: What stands in the audit trail of a promotion that did not wait.
NOT_LOADED_BY = "not_loaded_by"


class NotLoadedError(LifecycleError):
    """Some live process has not loaded the version; the message names each."""


def require_loaded(key: Key, override: str) -> dict[str, list[str]]:
    """Refuse to promote ``key`` while a live process has not loaded it.

    Its flow is locked. With a reason in ``override`` it is promoted all the same; what is
    returned belongs into the audit entry: the processes that were not waited for, if any. Raises
    NotLoadedError.
    """
    seen = rollout.rollout_of(key)
    if seen.is_complete:
        return {}
    if override:
        return {NOT_LOADED_BY: [f"{process.name}: {stands}" for process, stands in seen.missing]}
    reasons = " ".join(_reason(process, stands) for process, stands in seen.missing)
    raise NotLoadedError(
        f"{key.title} cannot be promoted yet. {seen.summary}. {reasons} If there is no time for "
        "that, promote it with a reason; such a process may then refuse requests.",
        key=key,
    )


def _reason(process: Process, stands: Standing) -> str:
    told = f"{process.name} {stands} (last report {process.silent:.0f} s ago)"
    if stands is Standing.CANNOT_LOAD:
        return (
            f"{told}: see its log, compare its SEALGATE_MASTER_KEYS with the others', and restart "
            "it."
        )
    return (
        f"{told}: wait a second and try again; if it hangs, end it, and it stops counting "
        f"{rollout.longest_silence():.0f} s after its last report."
    )
