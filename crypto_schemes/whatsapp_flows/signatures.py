"""The signatures of the WhatsApp platform: request bodies, flow tokens, webhook challenges.

Everything is keyed with the *app secret*. After a reset Meta keeps signing with
the old secret for a chosen number of hours, so each function here takes all
accepted secrets, looks at every one of them whatever the outcome and says which
one fitted.

Sources: Meta, "Webhooks: validating payloads" and "WhatsApp Flows: implementing
your endpoint"; RFC 2104 (HMAC), RFC 7515 and RFC 7519 (JWT).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import jwt
from jwt.algorithms import HMACAlgorithm

from crypto_schemes import json_text
from crypto_schemes.ciphers import mac
from crypto_schemes.errors import AuthenticationError, EnvelopeError, SealError, SignatureError
from crypto_schemes.json_text import JSONTextError, JSONValue
from crypto_schemes.keys import KeyVersion

#: Name of the header that signs a body, as :class:`SealedRequest` spells names.
SIGNATURE_HEADER = "x-hub-signature-256"
#: Longest challenge echoed, in characters. Meta sends about ten digits.
MAX_CHALLENGE = 256

_CHALLENGE = re.compile(rf"[\x21-\x7e]{{1,{MAX_CHALLENGE}}}")
_COMPACT_JWT = re.compile(r"[A-Za-z0-9_-]{1,1024}\.[A-Za-z0-9_-]{1,8192}\.[A-Za-z0-9_-]{1,128}")


class _AppSecretHMAC(HMACAlgorithm):
    """HS256 keyed with an app secret, whatever its text and length.

    The guards of the general class (against short keys, and against a public key taken
    for a secret) have no place where the one algorithm and the kind of key are fixed.
    """

    def prepare_key(self, key: str | bytes) -> bytes:
        return key if isinstance(key, bytes) else key.encode("utf-8")

    def check_key_length(self, key: bytes) -> str | None:
        return None


def _hs256_only() -> jwt.PyJWS:
    signer = jwt.PyJWS(algorithms=["HS256"])
    signer.unregister_algorithm("HS256")
    signer.register_algorithm("HS256", _AppSecretHMAC(HMACAlgorithm.SHA256))
    return signer


_JWS = _hs256_only()


def _secret(version: KeyVersion) -> bytes:
    return version.text.encode("utf-8")


def sign_body(body: bytes, secret: KeyVersion) -> str:
    """Return the ``X-Hub-Signature-256`` value of the raw bytes ``body``.

    ``sha256=`` and 64 lower-case hex digits of HMAC-SHA-256.
    """
    return "sha256=" + mac.sha256(_secret(secret), body).hex()


def verify_body(body: bytes, header: str | None, secrets: Sequence[KeyVersion]) -> KeyVersion:
    """Return the app secret that signed the raw bytes ``body``.

    Raises SignatureError for a missing, malformed or wrong ``header`` and for a flow
    without any accepted secret.
    """
    if not secrets:
        raise SignatureError(
            "There is no accepted app secret to check the signature with.",
            "Import the app secret of the Meta app and promote it.",
            code="no_app_secret",
        )
    expected = [sign_body(body, secret) for secret in secrets]
    found = mac.equal_any(expected, "" if header is None else header)
    if not header:
        raise SignatureError(
            "The request carries no X-Hub-Signature-256 header.", code="signature_missing"
        )
    if found is None:
        raise SignatureError(
            "The X-Hub-Signature-256 header does not fit the body.",
            "Sign the raw bytes as sent with the current app secret of the Meta app.",
        )
    return secrets[found]


def sign_flow_token(flow_token: str, secret: KeyVersion) -> str:
    """Return the JWT (HS256) that vouches for ``flow_token``, as the platform makes it."""
    try:
        claims = json_text.compact({"flow_token": flow_token})
    except JSONTextError as error:
        raise SealError(str(error)) from None
    return _JWS.encode(claims, _secret(secret), algorithm="HS256")


def verify_flow_token(
    signature: JSONValue, flow_token: JSONValue, secrets: Sequence[KeyVersion], *, now: float
) -> KeyVersion:
    """Return the app secret that signed the JWT ``signature`` over ``flow_token``.

    The JWT must be HS256, not past its ``exp`` (seconds, RFC 7519 §4.1.4) where it has
    one, and carry the flow token as the value of a claim (``flow_token`` in practice).
    Raises SignatureError for everything else.
    """
    fitting: KeyVersion | None = None
    claims: Mapping[str, Any] = {}
    for secret in secrets:
        found = _claims(signature, secret)
        if found is not None and fitting is None:
            fitting, claims = secret, found
    if fitting is None or not _vouches(claims, flow_token, now):
        raise SignatureError(
            "The flow_token_signature does not vouch for the flow token.",
            code="bad_token_signature",
        )
    return fitting


def _claims(signature: JSONValue, secret: KeyVersion) -> Mapping[str, Any] | None:
    """Return the claims of a JWT that ``secret`` signed, or None."""
    if not isinstance(signature, str) or not _COMPACT_JWT.fullmatch(signature):
        return None
    try:
        claims = json_text.parse(_JWS.decode(signature, _secret(secret), algorithms=["HS256"]))
    except (jwt.PyJWTError, JSONTextError):
        return None
    return claims if isinstance(claims, dict) else None


def _vouches(claims: Mapping[str, Any], flow_token: JSONValue, now: float) -> bool:
    expiry = claims.get("exp")
    if expiry is not None and (
        isinstance(expiry, bool) or not isinstance(expiry, int | float) or expiry <= now
    ):
        return False
    # Every claim is signed, so it does not matter under which name the token stands.
    return isinstance(flow_token, str) and any(
        isinstance(value, str) and mac.equal(value, flow_token) for value in claims.values()
    )


def answer_challenge(
    query: Mapping[str, str], tokens: Sequence[KeyVersion]
) -> tuple[str, KeyVersion]:
    """Return the text that proves a webhook address to be ours, and the token that fitted.

    ``query`` are the parameters of the GET request. Raises AuthenticationError for a
    wrong ``hub.verify_token``, EnvelopeError for a request that is not a subscription
    or whose ``hub.challenge`` is not 1 to 256 printable ASCII characters.
    """
    fitting = mac.equal_any([token.text for token in tokens], query.get("hub.verify_token", ""))
    if query.get("hub.mode") != "subscribe":
        raise EnvelopeError(
            "The request is not a webhook subscription.", "Send hub.mode=subscribe."
        )
    if fitting is None:
        raise AuthenticationError(
            "The verify token is not the one of this flow.",
            "Enter the flow's verify token in the webhook settings of the Meta app.",
            code="bad_verify_token",
        )
    challenge = query.get("hub.challenge", "")
    if not _CHALLENGE.fullmatch(challenge):
        raise EnvelopeError("The hub.challenge parameter is missing or malformed.")
    return challenge, tokens[fitting]
