"""Kairos: order an encrypted outbound call, and hear how it went."""

from __future__ import annotations

import hashlib
import secrets
import string
from datetime import UTC, datetime
from typing import Final

from crypto_schemes import base64_text, kairos
from crypto_schemes.ciphers import aes, rsa
from crypto_schemes.envelope import SealedRequest
from crypto_schemes.json_text import JSONValue
from crypto_schemes.kairos import KairosOptions
from crypto_schemes.keys import Credentials, KeyVersion
from crypto_schemes.scheme import write_json
from script.partner_demo import expectations as expect
from script.partner_demo.partner import Partner
from script.partner_demo.play import Play

_PULL: Final = "/kairos-apis/outbound/pull"
_JSON: Final = {"content-type": "application/json"}
_LETTERS: Final = string.ascii_letters + string.digits
#: In the sandbox somebody answers every call to a number that ends in 0016.
_NUMBER: Final = "+919876500016"


def steps(partner: Partner) -> None:
    """Seal, send, receive the callback, pull, and see what is refused."""
    scene, bundle = partner.scene, partner.bundle

    scene.step("Write the request as JSON")
    request: JSONValue = {
        "api-version": "1.0",
        "security-id": bundle["security_id"],
        "flow-id": bundle["flow_id"],
        "calls": [
            {
                "client-identifier": f"order-{secrets.randbelow(10**6):06d}",
                "start-time": datetime.now(UTC).isoformat(timespec="seconds"),
                "contact-numbers": [_NUMBER],
                "keys": [{"name": "$flow.key.NAME", "value": "Asha"}],
            }
        ],
    }
    scene.json(request)
    raw = write_json(request)

    scene.step("Encode it, and make a key from any text")
    encoded = base64_text.encode(raw)
    key_string = "".join(secrets.choice(_LETTERS) for _ in range(8))
    encoded_key = base64_text.encode(key_string.encode())
    key = hashlib.sha256(encoded_key.encode()).digest()[:16]
    scene.values(
        [
            ("P", "base64(JSON)", encoded),
            ("s", "8 random letters and digits", key_string),
            ("K", "base64(s)", encoded_key),
            ("key", "SHA-256(K), first 16 bytes", key),
        ]
    )

    scene.step("Encrypt P under the key, and K for the gateway alone")
    value = base64_text.encode(aes.ecb_encrypt(key, encoded.encode()))
    public = rsa.load_public_pem(bundle["public_key_pem"])
    wrapped = base64_text.encode(rsa.encrypt(public, encoded_key.encode(), "pkcs1v15"))
    scene.values(
        [
            ("requestEncryptedValue", "AES-128-ECB(key, P)", value),
            ("requestDigitalSignatureValue", f"RSA-{public.key_size}(K)", wrapped),
        ]
    )
    envelope = kairos.SCHEME.seal_text(raw, key_string, partner.credentials, KairosOptions())
    expect.same("the value made by hand", value, envelope.encrypted_value)
    scene.ok("The same value as crypto_schemes.kairos makes in one call")

    scene.step("Send it")
    body = write_json(
        {
            "requestEncryptedValue": value,
            "requestDigitalSignatureValue": wrapped,
            "flow-id": bundle["flow_id"],
        }
    )
    sealed = SealedRequest(body=body, headers=_JSON)
    answer = partner.open(partner.send(sealed), sealed)
    expect.same("api-response-code", expect.member(answer, "api-response-code"), 200)
    expect.same("the number of calls", len(expect.member(answer, "call-details")), 1)
    ordered, accepted = request["calls"][0], expect.member(answer, "call-details", 0)
    expect.same(
        "client-identifier",
        expect.member(accepted, "client-identifier"),
        ordered["client-identifier"],
    )
    phonon_uuid = expect.text(accepted, "phonon-uuid")
    scene.ok("Accepted: replies of this contract are plain JSON")

    scene.step("Receive the callback when the call has ended")
    called_back = partner.await_callback(
        "the call has ended", lambda value: _body(value).get("phonon-uuid") == phonon_uuid
    )
    details = expect.member(called_back, "body", "callDetails", 0)
    expect.same("calleeNumber", expect.member(details, "calleeNumber"), _NUMBER)
    expect.same("hangupCause", expect.member(details, "hangupCause"), "16")
    seconds = int(expect.text(details, "duration")) / 1000
    scene.ok(f"Our call, by its phonon-uuid: connected for {seconds:.1f} s")

    scene.step("Or ask: pull the status of calls")
    asked = SealedRequest(
        body=write_json(
            {
                "security-id": bundle["security_id"],
                "flow-id": bundle["flow_id"],
                "phonon-uuids": [phonon_uuid],
                "fetch-attempt": "LAST",
            }
        ),
        headers=_JSON,
    )
    pulled = partner.send(asked, path=_PULL).json()
    expect.same("api-response-code", expect.member(pulled, "api-response-code"), 200)
    expect.same("the pulled details", expect.member(pulled, "data", 0, "callDetails", 0), details)
    expect.one_of(
        "the status", expect.member(pulled, "data", 0, "status"), ("COMPLETED", "PARTIAL_COMPLETE")
    )
    scene.ok("The same details as in the callback")

    scene.step("And what is refused")
    partner.probe(
        "same payload",
        sealed,
        expected_status=200,
        expected_body=b'{"api-response-code":201,"api-response-message":"Checksum Repeated"}',
    )
    partner.probe(
        "another RSA key",
        _for_another_key(partner, request),
        expected_status=200,
        expected_body=b'{"api-response-code":400,"api-response-message":"Invalid Format"}',
    )


def _body(called_back: JSONValue) -> dict[str, JSONValue]:
    body = called_back.get("body") if isinstance(called_back, dict) else None
    return body if isinstance(body, dict) else {}


def _for_another_key(partner: Partner, request: JSONValue) -> SealedRequest:
    """Return a request that the flow's key does not open."""
    stranger = KeyVersion("stranger", kairos.RSA_KEY, 1, rsa.generate(2048).public_key())
    credentials = Credentials(partner.credentials.identity, {kairos.RSA_KEY: (stranger,)})
    return kairos.SCHEME.seal_request(request, credentials, KairosOptions(), now=0)


PLAY: Final = Play(
    scheme="kairos",
    title="Kairos",
    subtitle="outbound calls · RSA-4096 wraps AES-128",
    steps=steps,
)
