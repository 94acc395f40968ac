"""A partner over real HTTP: the client side of a scheme with the credentials it was issued."""

from __future__ import annotations

import base64
import time
from typing import Any

import urllib3

from crypto_schemes import registry
from crypto_schemes.ciphers import rsa
from crypto_schemes.envelope import SealedReply, SealedRequest
from crypto_schemes.keys import Credentials, KeyVersion, Kind, Material


class Partner:
    """Built from what ``manage.py provision --json`` prints and the product's base URL."""

    def __init__(self, provisioned: dict[str, Any], base_url: str) -> None:
        self.scheme = registry.get(provisioned["scheme"])
        self.bundle: dict[str, str] = provisioned["credentials"]
        self.url = base_url + provisioned["path"]
        self.options = self.scheme.options_type.from_mapping({})
        self._http = urllib3.PoolManager(retries=False, timeout=30)
        versions = {
            spec.name: (KeyVersion(spec.name, spec.name, 1, _parsed(spec.kind, given)),)
            for spec in self.scheme.all_purposes()
            if (given := self.bundle.get(spec.credential_name))
        }
        names = {item.name for item in self.scheme.identity}
        self.credentials = Credentials(
            identity={name: self.bundle[name] for name in names if name in self.bundle},
            versions=versions,
        )

    def seal(self, payload: Any) -> SealedRequest:
        """Return the sealed request of ``payload``, dated now."""
        return self.scheme.seal_request(payload, self.credentials, self.options, now=time.time())

    def send(self, request: SealedRequest, *, method: str = "POST") -> tuple[int, bytes, str]:
        """Return status, body and content type of what came back."""
        headers = {_on_the_wire(name): value for name, value in request.headers.items()}
        reply = self._http.request(method, self.url, body=request.body, headers=headers)
        return reply.status, reply.data, reply.headers.get("Content-Type", "")

    def call(self, payload: Any) -> Any:
        """Send ``payload`` and return the opened answer."""
        sent = self.seal(payload)
        _, body, content_type = self.send(sent)
        return self.scheme.open_reply(
            SealedReply(body=body, content_type=content_type),
            sent,
            self.credentials,
            self.options,
            now=time.time(),
        )


def _on_the_wire(name: str) -> str:
    return {"pass-key": "pass_key", "header-secrets": "header_secrets"}.get(name, name)


def _parsed(kind: Kind, given: str) -> Material:
    if kind is Kind.RSA:
        return rsa.load_public_pem(given)
    if kind is Kind.AES:
        return base64.b64decode(given)
    return given
