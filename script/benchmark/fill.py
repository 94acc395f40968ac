"""Fill an installation with WhatsApp flows, fast: rows as the product writes them, in bulk.

Run as ``python -m script.benchmark.fill CLIENTS KEY_FILE`` in the environment of the installation.
Each client gets one flow with ten key versions: five purposes, each in force and retired last
week, still opening. All flows share one RSA key, which costs nothing to open and saves making
thousands. Prints one JSON object: ``{address: app secret}``.
"""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import django

django.setup()

from crypto_schemes import registry  # noqa: E402
from crypto_schemes.ciphers import rsa  # noqa: E402
from crypto_schemes.keys import Kind, PurposeSpec  # noqa: E402
from tenants import at_rest  # noqa: E402
from tenants.lifecycle.base import touch  # noqa: E402
from tenants.models import Client, Flow, Key, KeyState  # noqa: E402

_SCHEME = "whatsapp_flows"
_AT_ONCE = 200


def main(clients: int, key_file: Path) -> dict[str, str]:
    """Make ``clients`` clients, each with a flow; return the app secret by address."""
    contract = registry.get(_SCHEME)
    options = contract.options_type()
    shared = rsa.load_private_der(key_file.read_bytes(), trusted=True)
    pair, fingerprint = rsa.private_to_der(shared), rsa.spki_fingerprint(shared)
    purposes = [spec for spec in contract.all_purposes() if spec.issued_at_creation]
    app_secrets: dict[str, str] = {}
    now = datetime.now(UTC)

    def keys(flow: Flow) -> Iterator[Key]:
        for spec in purposes:
            for version, state in ((1, KeyState.RETIRING), (2, KeyState.ACTIVE)):
                material = pair if spec.kind is Kind.RSA else contract.new_material(spec, options)
                if spec.name == "app_secret" and state is KeyState.ACTIVE:
                    app_secrets[flow.address] = material.decode("ascii")
                yield key(flow, spec, version, state, material)

    def key(flow: Flow, spec: PurposeSpec, version: int, state: KeyState, material: bytes) -> Key:
        row = Key(
            id=uuid.uuid4(),
            flow=flow,
            purpose=spec.name,
            version=version,
            state=state,
            fingerprint=fingerprint,
            activated_at=now,
            accept_until=now + timedelta(days=6) if state is KeyState.RETIRING else None,
        )
        row.material = at_rest.seal(material, row.at_rest_context)
        return row

    numbers = iter(range(clients))
    while some := list(islice(numbers, _AT_ONCE)):
        tag = uuid.uuid4().hex[:8]
        owners = [Client(id=uuid.uuid4(), slug=f"bench-{tag}-{n}", name="") for n in some]
        flows = [
            Flow(
                id=uuid.uuid4(),
                client=owner,
                scheme=_SCHEME,
                address=owner.slug,
                wire_id=owner.slug,
                options=contract.options_type().model_dump(mode="json"),
            )
            for owner in owners
        ]
        Client.objects.bulk_create(owners)
        Flow.objects.bulk_create(flows)
        Key.objects.bulk_create(row for flow in flows for row in keys(flow))
    with django.db.transaction.atomic():
        touch(Flow.objects.filter(scheme=_SCHEME).values_list("pk", flat=True)[:1][0])
    return app_secrets


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), Path(sys.argv[2]))))
