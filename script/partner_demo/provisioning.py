"""What an administrator does first: make a client and its flow, and hand over credentials."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from script.partner_demo.server import ROOT, Server


class ProvisioningError(Exception):
    """No flow could be made. The message says why."""


@dataclass(frozen=True, slots=True)
class Provisioned:
    """One object of ``manage.py provision --json``: a flow, and the credentials for it."""

    scheme: str
    client: str
    flow: str
    address: str
    path: str
    credentials: Mapping[str, str] = field(repr=False)
    #: What callbacks are signed with.
    callback_secret: str = field(repr=False)


def provision(server: Server, scheme: str, callback_url: str) -> Provisioned:
    """Make a client ``demo-…`` with a flow of ``scheme`` on the server's database.

    Raises ProvisioningError.
    """
    client = f"demo-{scheme.replace('_', '-')}-{secrets.token_hex(3)}"
    command = ["manage.py", "provision", scheme, "--client", client, "--json"]
    command += ["--callback-url", callback_url, "--callback-secret"]
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=dict(server.environment),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["it said nothing"]
        raise ProvisioningError(f"manage.py provision {scheme} failed: {lines[-1]}")
    try:
        given = json.loads(done.stdout)
        return Provisioned(
            **{name: str(given[name]) for name in ("scheme", "client", "flow", "address", "path")},
            credentials=dict(given["credentials"]),
            callback_secret=str(given["credentials"]["callback_signing"]),
        )
    except (ValueError, KeyError, TypeError):
        raise ProvisioningError(
            f"manage.py provision {scheme} did not print the object that was expected."
        ) from None
