"""What a row of the exchange log means, in words an administrator can pass on to the partner.

A partner whose request does not open is told nothing about why, for any difference would help an
attacker. The step in the exchange log says it to the administrator; the same words stand in the
partners' pages, so that whoever has the step can read on there.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Final, NamedTuple, Protocol, cast

from crypto_schemes import registry
from flows_endpoint.exchange import Reason
from flows_endpoint.markdown import table


class Finding(NamedTuple):
    """What was found (``cause``), and what the partner does about it (``fix``)."""

    cause: str
    fix: str


#: By step, in the order a request meets them; by ``reason:step`` where a step alone is not clear,
#: and by ``reason:`` for one that comes without a step.
Findings = Mapping[str, Finding]


class _Module(Protocol):
    """A contract's module of findings."""

    FINDINGS: Findings

    def of_code(self, code: str, step: str) -> Finding | None:
        """Return what the contract's own code means, at a step where that matters."""


#: Where no contract has words of its own.
_OF_STEP: Final[Findings] = {
    "content-length": Finding(
        "The request says that its body is larger than the contract takes, or does not say how "
        "large it is.",
        "Send less, with a Content-Length that is right.",
    ),
    "body broke off": Finding(
        "The connection ended before the whole body had come.",
        "Send the request again; look for a time-out or a proxy on the way.",
    ),
    "query": Finding("The address has far too many parameters.", "Send those of the page only."),
    "too_many_calls": Finding(
        "So many calls to the service behind the flow were under way that one more would have kept "
        "others waiting. Nothing was sent to it.",
        "It is nothing the partner did: the request may come again. Look at the service; if it is "
        "well, raise SEALGATE_UPSTREAM_CALLS.",
    ),
    "replay guard": Finding(
        "What remembers used messages was not there. Nothing was done.",
        "The partner sends the request again later. Look at Redis and the database.",
    ),
}
_OF_REASON: Final[Mapping[str, Finding]] = {
    Reason.METHOD: Finding(
        "The address does not take this HTTP method.",
        "Send the method of the page; see that no redirect turned a POST into a GET.",
    ),
    Reason.SIZE: Finding("The body is larger than the contract takes.", "Send less at a time."),
    Reason.UNKNOWN_FLOW: Finding(
        "What the request is addressed by belongs to no flow, or flow or client is switched off.",
        "Compare the value with the one handed over, upper and lower case included.",
    ),
    Reason.SOURCE: Finding(
        "The request came from an address outside the flow's allow-list: the one in Source.",
        "Tell us the addresses you call from. If Source is one of our own, the proxy in front "
        "is missing from SEALGATE_TRUSTED_PROXIES.",
    ),
    Reason.RATE: Finding(
        "This address, or this user, failed too often in a short time.",
        "Mend what fails first, then wait: the count ends with its window.",
    ),
    Reason.UPSTREAM_DOWN: Finding(
        "The service behind the flow could not be reached.",
        "It is nothing the partner did. Look at the service and its address.",
    ),
    Reason.UPSTREAM_SLOW: Finding(
        "The service behind the flow did not answer in time. It may have done the work.",
        "It is nothing the partner did. Look at the service.",
    ),
    Reason.UPSTREAM_ANSWER: Finding(
        "The service behind the flow gave an answer that the contract cannot pass on.",
        "It is nothing the partner did. Look at what the service answers.",
    ),
    Reason.UNAVAILABLE: Finding(
        "Something the gateway needs was not there: a key, the database or a guard.",
        "It is nothing the partner did. The product's log has the request id.",
    ),
    Reason.INTERNAL: Finding(
        "The gateway itself failed.",
        "It is nothing the partner did. The product's log has the request id and the place.",
    ),
}


def finding(scheme: str, reason: str, step: str, code: str) -> Finding | None:
    """Return what a row of the log with these values means; None where nothing was refused.

    The contract's own words come first, then those of every contract, then the meaning of the
    contract's code.
    """
    if not reason:
        return None
    own: Findings = {}
    of_code = None
    if scheme in registry.NAMES:
        own = findings_of(scheme)
        of_code = _module(scheme).of_code(code, step)
    named = own.get(f"{reason}:{step}") or own.get(step) if step else None
    if named is None and reason == Reason.BUSINESS and of_code is not None:
        place = f" Found at: {step}." if step and step not in of_code.cause else ""
        return Finding(of_code.cause + place, of_code.fix)
    return named or _OF_STEP.get(step) or own.get(f"{reason}:") or _OF_REASON.get(reason) or of_code


def findings_of(scheme: str) -> Findings:
    """Return the steps of a contract that concern its partners."""
    return _module(scheme).FINDINGS


def findings_table(findings: Findings) -> str:
    """Return the steps as the partner's page shows them."""
    rows = [(key.rpartition(":")[2] or key[:-1], *found) for key, found in findings.items()]
    return table(("in the exchange log", "what was found", "what to do"), rows, code=1)


@cache
def _module(scheme: str) -> _Module:
    return cast("_Module", import_module(f"flows_endpoint.{scheme}.findings"))
