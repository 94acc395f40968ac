"""What a process reads of a flow before its first request, or after a change: rows, opened keys.

In plain SQL: of thousands of partners that call in turn each may be read anew, and the ORM takes
longer to build the statements than the whole request does.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from crypto_schemes import registry
from crypto_schemes.keys import KeyVersion, Material, parse_material
from tenants import at_rest, sql
from tenants.at_rest import AtRestError
from tenants.key_material import open_material
from tenants.models import OPENING_STATES, Client, Flow, Key, KeyState
from tenants.snapshot import FlowSnapshot, HeldKey
from tenants.source_address import parse_networks

_FLOWS: Final = Flow._meta.db_table
_KEYS: Final = Key._meta.db_table
_OPENING: Final = ", ".join(f"'{state.value}'" for state in OPENING_STATES)

_BY_WIRE_ID: Final = f"SELECT id FROM {_FLOWS} WHERE scheme = %s AND wire_id = %s"  # noqa: S608
_BY_SECRET: Final = f"""
    SELECT held.flow_id FROM {_KEYS} held JOIN {_FLOWS} flow ON flow.id = held.flow_id
    WHERE held.lookup_digest = %s AND held.purpose = %s AND held.state IN ({_OPENING})
    AND flow.scheme = %s
"""  # noqa: S608 - our own names
_FLOW: Final = f"""
    SELECT flow.client_id, client.slug, flow.scheme, flow.address, flow.identity, flow.options,
        flow.backend, flow.backend_class, flow.upstream_url, flow.callback_url,
        flow.allowed_networks
    FROM {_FLOWS} flow JOIN {Client._meta.db_table} client ON client.id = flow.client_id
    WHERE flow.id = %s AND flow.is_enabled AND client.is_enabled
"""  # noqa: S608
# The version that seals first, then from the newest on.
_VERSIONS: Final = f"""
    SELECT id, purpose, version, state, fingerprint, accept_until, created_at, material
    FROM {_KEYS} WHERE flow_id = %s AND state IN ({_OPENING})
    ORDER BY CASE state WHEN '{KeyState.ACTIVE.value}' THEN 0 ELSE 1 END, version DESC
"""  # noqa: S608


def flow_with_wire_id(scheme: str, wire_id: str) -> str | None:
    """Return the id of the flow that requests name ``wire_id``, enabled or not; or None."""
    return _only_id(sql.run(_BY_WIRE_ID, [scheme, wire_id]))


def flow_with_secret(scheme: str, purpose: str, digest: str) -> str | None:
    """Return the id of the flow that has a version with this digest which may open; or None."""
    return _only_id(sql.run(_BY_SECRET, [digest, purpose, scheme]))


def load(flow_id: str, known: Mapping[str, Material]) -> FlowSnapshot | None:
    """Return the flow with its opened keys, or None where it may not be served.

    ``known`` are materials that were parsed before, by the id of their version: versions never
    change. Raises AtRestError for a key that cannot be opened.
    """
    pk = [sql.uuid_digits(flow_id)]
    found = sql.run(_FLOW, pk).rows
    if not found:
        return None
    client_id, slug, scheme, address, identity, options, *backend, networks = found[0]
    backend_name, backend_class, upstream_url, callback_url = backend
    contract = registry.get(scheme)
    held: dict[str, list[HeldKey]] = {}
    for row in sql.run(_VERSIONS, pk).rows:
        version_id, purpose, number, state, fingerprint, accept_until, made_at, material = row
        version_id = str(sql.uuid_of(version_id))
        parsed = known.get(version_id)
        if parsed is None:
            opened = _open(material, Key.context_of(flow_id, purpose, number), version_id)
            # Validated in full when it was stored; the associated data vouches for it since.
            parsed = parse_material(contract.purpose(purpose), opened, trusted=True)
        version = KeyVersion(
            id=version_id,
            purpose=sys.intern(purpose),
            version=number,
            material=parsed,
            fingerprint=fingerprint,
        )
        held.setdefault(version.purpose, []).append(
            HeldKey(
                version=version,
                state=sys.intern(state),
                accept_until=accept_until and sql.moment(accept_until).timestamp(),
                made_at=sql.moment(made_at).timestamp(),
            )
        )
    return FlowSnapshot(
        id=flow_id,
        client_id=str(sql.uuid_of(client_id)),
        client_slug=slug,
        scheme_name=sys.intern(scheme),
        address=address,
        identity=MappingProxyType(json.loads(identity)),
        options=_options(scheme, options),
        backend=sys.intern(backend_name),
        backend_class=backend_class,
        upstream_url=upstream_url,
        callback_url=callback_url,
        networks=parse_networks(json.loads(networks)),
        keys=MappingProxyType({purpose: tuple(keys) for purpose, keys in held.items()}),
    )


def _open(sealed: bytes, context: str, version_id: str) -> bytes:
    try:
        return at_rest.open_sealed(sealed, context)
    except AtRestError:
        row = Key.objects.select_related("flow").filter(pk=version_id).first()
        if row is None:  # it is gone since
            raise
        return open_material(row)  # the same once more, for the words that say which it is


@lru_cache(maxsize=256)
def _options(scheme: str, written: str) -> Any:
    """Return validated options; most flows of a contract have the same ones, and share them."""
    return registry.get(scheme).options_type.from_mapping(json.loads(written))


def _only_id(done: sql.Done) -> str | None:
    return str(sql.uuid_of(done.rows[0][0])) if done.rows else None
