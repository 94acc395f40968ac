"""The verbs on flows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import IntegrityError, transaction

from crypto_schemes.scheme import CALLBACK_SIGNING, UPSTREAM_SIGNING
from tenants.actors import Actor
from tenants.addresses import make_address
from tenants.clearance import Intent
from tenants.flow_checks import check_backend, check_options
from tenants.lifecycle import second_person
from tenants.lifecycle.base import (
    LifecycleError,
    apply,
    audit,
    lock_client,
    lock_flow,
    one_line,
    touch,
)
from tenants.lifecycle.bundles import Extra, bundle_of
from tenants.lifecycle.clients import save_new
from tenants.lifecycle.keys import IssuedKey, first_materials, issue
from tenants.models import Backend, Client, Flow, KeyState

_CHANGEABLE: Final = frozenset(
    {
        "options",
        "backend",
        "backend_class",
        "upstream_url",
        "callback_url",
        "allowed_networks",
        "is_enabled",
    }
)
_BACKEND_FIELDS: Final = frozenset({"backend", "backend_class", "upstream_url"})
#: Where what was opened goes, and who may send something: two people change it where the client's
#: policy says so.
WHERE_DATA_GOES: Final = _BACKEND_FIELDS | {"callback_url", "allowed_networks"}


@dataclass(frozen=True, slots=True)
class IssuedFlow:
    """A flow just made, and the bundle of credentials for its partner (shown once).

    ``credentials`` holds exactly the members the contract's bundle names, ``extra`` what else is
    for the partner, ``callback_secret`` among it, ``upstream_secret`` what is for the company's
    own service alone, and ``keys`` has every first key with its secret as it is handed over.
    """

    flow: Flow
    credentials: Mapping[str, str] = field(repr=False)
    extra: tuple[Extra, ...] = field(repr=False)
    callback_secret: str = field(repr=False)
    upstream_secret: str = field(repr=False)
    keys: tuple[IssuedKey, ...] = field(repr=False)


def create_flow(
    actor: Actor,
    client: Client,
    scheme: str,
    *,
    address: str = "",
    options: Mapping[str, Any] | None = None,
    backend: str = Backend.SANDBOX,
    **details: Any,
) -> IssuedFlow:
    """Make a flow with its identities and first keys.

    A client that is not saved yet (``Client(slug=…)``) is created along with it, or neither
    is. Raises ValidationError for bad options or details, and LifecycleError when the address
    is in use.
    """
    actor.require("tenants.add_flow")
    flow = Flow(scheme=scheme, backend=backend, options=dict(options or {}), **details)
    flow.address = address or make_address(scheme)
    flow.clean_fields(exclude=["client", "wire_id", "identity"])
    flow.options = check_options(scheme, flow.options)
    check_backend(flow)
    _name(flow)
    _refuse_taken(flow)
    flow.validate_constraints(exclude=["client"])
    materials = first_materials(flow)
    with transaction.atomic():
        owner = save_new(actor, client) if client._state.adding else lock_client(client.pk)
        flow.client = owner
        try:
            with transaction.atomic():
                flow.save(force_insert=True)
        except IntegrityError:  # another was first, since the check above
            if Flow.objects.filter(pk=flow.pk).exists():
                raise LifecycleError("This flow is made already.") from None
            _refuse_taken(flow)
            raise
        audit(actor, "flow.create", flow=flow, after=_facts(flow))
        issued = tuple(
            issue(actor, flow, spec, material, KeyState.ACTIVE) for spec, material in materials
        )
        touch(flow.pk)
        flow.refresh_from_db(fields=["changed_epoch"])
    texts = [item.handed for item in issued if item.handed]
    written = {text.spec.name: text.written for text in texts}
    bundle = bundle_of(flow, texts)
    return IssuedFlow(
        flow=flow,
        credentials=bundle.credentials,
        extra=bundle.extra,
        callback_secret=written[CALLBACK_SIGNING.name],
        upstream_secret=written[UPSTREAM_SIGNING.name],
        keys=issued,
    )


@transaction.atomic
def update_flow(actor: Actor, flow: Flow, changes: Mapping[str, Any], *, reason: str = "") -> Flow:
    """Write ``changes`` to a flow; contract and address never change.

    Only what changes is checked, so that a flow whose backend class is gone can still be
    switched off. Raises ValidationError, LifecycleError, or SecondPersonNeededError: then
    ``changes`` are held back as one.
    """
    actor.require("tenants.change_flow")
    reason = one_line(reason)
    locked = lock_flow(flow.pk)
    # All of it, so that what stays is what was shown too: a backend is switched on to its URL.
    goes = {name: getattr(locked, name) for name in sorted(WHERE_DATA_GOES)}
    if "options" in changes:
        changes = {**changes, "options": check_options(locked.scheme, changes["options"])}
    before, after = apply(locked, changes, _CHANGEABLE)
    if after:
        locked.clean_fields(
            exclude=[item.name for item in Flow._meta.fields if item.name not in after]
        )
        if _BACKEND_FIELDS & set(after):
            check_backend(locked)
        locked.validate_constraints()
        if WHERE_DATA_GOES & set(after):
            said = {"was": goes | before, "becomes": goes | after, "reason": reason}
            intent = Intent("flow.update", locked.client_id, locked.pk, arguments=said)
            second_person.require(actor, intent)
        locked.save(update_fields=list(after))
        audit(actor, "flow.update", flow=locked, before=before, after=after, reason=reason)
        touch(locked.pk)
    return locked


def _name(flow: Flow) -> None:
    """Give the flow its public names and what requests name it by."""
    contract = flow.contract
    flow.identity = {item.name: item.make(flow.address) for item in contract.identity}
    if contract.located_by is not None:
        flow.wire_id = {"address": flow.address, **flow.identity}[contract.located_by]


def _refuse_taken(flow: Flow) -> None:
    others = Flow.objects.filter(scheme=flow.scheme).exclude(pk=flow.pk)
    if others.filter(address=flow.address).exists():
        raise LifecycleError(
            f"The {flow.scheme} address {flow.address} is in use. Choose another, or leave it out "
            "to have one made."
        )
    if flow.wire_id is not None and others.filter(wire_id=flow.wire_id).exists():
        raise LifecycleError(
            f"The {flow.contract.located_by} {flow.wire_id} is in use. Choose another address."
        )


def _facts(flow: Flow) -> dict[str, Any]:
    fixed = {"scheme": flow.scheme, "address": flow.address, "identity": flow.identity}
    return fixed | {name: getattr(flow, name) for name in sorted(_CHANGEABLE)}
