"""WhatsApp Flows, the data endpoint: OAEP-wrapped AES-128-GCM bodies, signed by the app secret.

Request: ``{"encrypted_flow_data","encrypted_aes_key","initial_vector"}``, base64. A
128-bit AES key travels under RSA-2048 OAEP (SHA-256, MGF1-SHA-256); the data is
AES-128-GCM with a 16-byte IV, the tag appended, no associated data. The raw body is
signed in ``X-Hub-Signature-256``. Reply: the same key, every bit of the IV inverted,
base64 as ``text/plain``.

Errors and what they mean on the wire: SignatureError is HTTP 432, OpenError is 421
(the phone fetches the public key anew and sends once more).

Sources: Meta, "WhatsApp Flows: implementing your endpoint"; RFC 8017 §7.1 (OAEP);
NIST SP 800-38D (GCM).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import ClassVar

from crypto_schemes import base64_text, json_text
from crypto_schemes.base64_text import Base64TextError
from crypto_schemes.ciphers import aes, rsa
from crypto_schemes.envelope import OpenedRequest, SealedReply, SealedRequest
from crypto_schemes.errors import OpenError, SchemeError, SealError, SignatureError
from crypto_schemes.json_text import JSONTextError, JSONValue
from crypto_schemes.keys import Credentials, KeyVersion, Kind, PurposeSpec
from crypto_schemes.options import Options
from crypto_schemes.scheme import IdentityField, Scheme, read_json, write_json
from crypto_schemes.whatsapp_flows import signatures
from crypto_schemes.whatsapp_flows.options import WhatsAppFlowsOptions
from crypto_schemes.whatsapp_flows.payload import needs_no_token

#: Largest request body in bytes.
MAX_BODY = 10 * 1024 * 1024
#: Sizes of the AES key and of the IV, in bytes.
AES_KEY = 16
IV = 16

#: Each byte with every bit inverted.
_INVERTED = bytes(range(255, -1, -1))
_PADDING = rsa.RSAPadding.OAEP_SHA256
#: Below every 2048-bit modulus, so that decrypting it costs what any block costs.
_DUMMY_BLOCK = b"\x01" * 256
_DUMMY_DATA = b"\x01" * 64


@dataclass(frozen=True, slots=True)
class Session:
    """The AES key and IV of one request, which its reply needs."""

    key: bytes = field(repr=False)
    iv: bytes = field(repr=False)

    @property
    def reply_iv(self) -> bytes:
        """Return the IV of the reply: every bit inverted."""
        return self.iv.translate(_INVERTED)


@dataclass(frozen=True, slots=True)
class _Wire:
    """The decoded members of a request, dummies where one was unusable."""

    block: bytes = field(repr=False)
    iv: bytes = field(repr=False)
    data: bytes = field(repr=False)
    #: The step that failed, empty when all members are usable.
    failed: str = ""


class WhatsAppFlows(Scheme[WhatsAppFlowsOptions]):
    """The contract of the WhatsApp Flows data endpoint."""

    name: ClassVar[str] = "whatsapp_flows"
    label: ClassVar[str] = "WhatsApp Flows"
    title: ClassVar[str] = "WhatsApp Flows"
    promise: ClassVar[str] = (
        "Bodies are confidential and authentic both ways, signed with the app secret; nothing"
        " in them says when they were sent, so a recorded request can be sent again."
    )
    options_type: ClassVar[type[Options]] = WhatsAppFlowsOptions
    purposes: ClassVar[tuple[PurposeSpec, ...]] = (
        PurposeSpec(
            name="whatsapp_rsa",
            kind=Kind.RSA,
            title="Flow encryption key",
            help="Opens requests. Its public half is uploaded for the business phone number.",
            sizes=(2048,),
            credential="public_key_pem",
        ),
        PurposeSpec(
            name="app_secret",
            kind=Kind.TOKEN,
            title="App secret",
            help=(
                "Signs what Meta sends and the flow tokens. In production import the one of the"
                " Meta app; after a reset there, import the new one before retiring the old."
            ),
            sizes=(16,),
            pattern=r"[\x21-\x7e]{8,128}",
        ),
        PurposeSpec(
            name="verify_token",
            kind=Kind.TOKEN,
            title="Webhook verify token",
            help="Entered in the Meta app beside the webhook address; proves the address is ours.",
            sizes=(24,),
            alphabet="url",
            pattern=r"[\x21-\x7e]{8,128}",
        ),
        PurposeSpec(
            name="access_token",
            kind=Kind.TOKEN,
            title="Cloud API access token",
            help="Sends messages and uploads public keys. Import the token of a system user.",
            sizes=(32,),
            issued_at_creation=False,
            shared=False,
            pattern=r"[\x21-\x7e]{8,1024}",
        ),
    )
    identity: ClassVar[tuple[IdentityField, ...]] = ()
    located_by: ClassVar[str | None] = "address"
    agreed = ("error_427_body", "require_token_signature", "retry_window")
    bundle: ClassVar[tuple[str, ...]] = ("public_key_pem", "app_secret", "verify_token")
    path: ClassVar[str] = "/whatsapp/flows/{address}"

    def open_request(
        self,
        request: SealedRequest,
        credentials: Credentials,
        options: WhatsAppFlowsOptions,
        *,
        now: float,
    ) -> OpenedRequest:
        """Check the signature over the raw body, then open it with any accepted key.

        ``opened_by`` names the app secret and the RSA key, and a further app secret
        when that one signed the flow token. Raises SignatureError (codes
        ``no_app_secret``, ``signature_missing``, ``bad_signature``,
        ``token_signature_missing``, ``bad_token_signature``) or OpenError (codes
        ``envelope``, ``base64``, ``iv``, ``rsa``, ``gcm``, ``json``), after the same
        work whatever failed.
        """
        app_secrets = credentials.accepted("app_secret")
        signed_by = signatures.verify_body(
            request.body, request.headers.get(signatures.SIGNATURE_HEADER), app_secrets
        )
        raw, session, key = _open(request.body, credentials.accepted("whatsapp_rsa"))
        payload = read_json(raw)
        vouched_by = _check_token(payload, app_secrets, options, now=now)
        extra = () if vouched_by is None or vouched_by == signed_by else (vouched_by,)
        return OpenedRequest(
            payload=payload, raw=raw, opened_by=(signed_by, key, *extra), context=session
        )

    def seal_reply(
        self,
        payload: JSONValue,
        opened: OpenedRequest,
        credentials: Credentials,
        options: WhatsAppFlowsOptions,
        *,
        now: float,
    ) -> SealedReply:
        """Encrypt ``payload`` under the request's AES key and inverted IV."""
        return self.seal_text(write_json(payload), opened)

    def seal_text(self, text: bytes, opened: OpenedRequest) -> SealedReply:
        """Return what :meth:`seal_reply` returns, for a payload that is written as JSON already."""
        if not isinstance(opened.context, Session):
            raise SealError("The request to answer was not opened by this scheme.")
        session = opened.context
        sealed = aes.gcm_encrypt(session.key, session.reply_iv, text)
        return SealedReply(
            body=base64_text.encode(sealed).encode("ascii"), content_type="text/plain"
        )

    def seal_token_error(
        self,
        message: str,
        opened: OpenedRequest,
        credentials: Credentials,
        options: WhatsAppFlowsOptions,
        *,
        now: float,
    ) -> SealedReply:
        """Return the body of HTTP 427, which tells the user that the flow is no longer valid.

        Sealed or plain by the option ``error_427_body``. Raises SealError.
        """
        payload = {"error_msg": message}
        if options.error_427_body == "plain":
            return SealedReply(body=write_json(payload))
        return self.seal_reply(payload, opened, credentials, options, now=now)

    def seal_request(
        self,
        payload: JSONValue,
        credentials: Credentials,
        options: WhatsAppFlowsOptions,
        *,
        now: float,
    ) -> SealedRequest:
        """Encrypt and sign a request as the platform does, slashes escaped as ``\\/``."""
        raw = write_json(payload)
        public_key = credentials.active("whatsapp_rsa").rsa_public
        app_secret = credentials.active("app_secret")
        session = Session(secrets.token_bytes(AES_KEY), secrets.token_bytes(IV))
        block = rsa.encrypt(public_key, session.key, _PADDING)
        body = write_envelope(raw, session, block)
        return SealedRequest(
            body=body,
            headers={
                "content-type": "application/json",
                signatures.SIGNATURE_HEADER: signatures.sign_body(body, app_secret),
            },
            context=session,
        )

    def open_reply(
        self,
        reply: SealedReply,
        sent: SealedRequest,
        credentials: Credentials,
        options: WhatsAppFlowsOptions,
        *,
        now: float,
    ) -> JSONValue:
        """Decrypt a reply with the key of the request.

        Where the option ``error_427_body`` is ``plain``, an ``application/json`` body of
        just ``{"error_msg": text}`` is returned as it is; it is not authenticated.
        Raises OpenError, also for the empty bodies of 421, 432 and 500.
        """
        if not isinstance(sent.context, Session):
            raise OpenError("The request was not sealed by this scheme.", code="context")
        if not reply.body:
            raise OpenError("The reply is empty: the server refused the request.", code="empty")
        if options.error_427_body == "plain" and reply.content_type == "application/json":
            return _plain_error(reply.body)
        session = sent.context
        try:
            sealed = base64_text.decode(reply.body)
            # Only the one spelling of these bytes, so that no changed character passes.
            if base64_text.encode(sealed).encode("ascii") != reply.body:
                raise Base64TextError("not canonical base64")
            raw = aes.gcm_decrypt(session.key, session.reply_iv, sealed)
        except Base64TextError:
            raise OpenError("The reply cannot be opened.", code="base64") from None
        except aes.AESDecryptionError:
            raise OpenError("The reply cannot be opened.", code="gcm") from None
        return read_json(raw)


def write_envelope(raw: bytes, session: Session, block: bytes) -> bytes:
    """Return the body of a request: ``raw`` sealed under ``session``, whose key ``block`` wraps."""
    members = {
        "encrypted_flow_data": aes.gcm_encrypt(session.key, session.iv, raw),
        "encrypted_aes_key": block,
        "initial_vector": session.iv,
    }
    text = json_text.compact({name: base64_text.encode(value) for name, value in members.items()})
    return text.replace(b"/", b"\\/")


def _plain_error(body: bytes) -> JSONValue:
    value = read_json(body)
    if (
        not isinstance(value, dict)
        or value.keys() != {"error_msg"}
        or not isinstance(value["error_msg"], str)
    ):
        raise OpenError("The plain reply is not an error message.", code="plain")
    return value


def _read_wire(body: bytes) -> _Wire:
    """Return the members of ``body``; a member that cannot be used becomes a dummy."""
    failed = ""
    names = ("encrypted_aes_key", "initial_vector", "encrypted_flow_data")
    try:
        outer = json_text.parse(body)
    except JSONTextError:
        outer = None
    decoded: list[bytes] = []
    for name in names:
        text = outer.get(name) if isinstance(outer, dict) else None
        if not isinstance(text, str):
            failed, text = failed or "envelope", ""
        try:
            decoded.append(base64_text.decode(text))
        except Base64TextError:
            failed = failed or "base64"
            decoded.append(b"")
    block, iv, data = decoded
    if len(iv) != IV:
        failed, iv = failed or "iv", bytes(IV)
    return _Wire(block, iv, data or _DUMMY_DATA, failed)


def _unwrap(version: KeyVersion, block: bytes) -> tuple[bool, bytes]:
    """Return whether ``block`` holds an AES key for ``version``, and that key or a random one.

    Blocks the RSA code would turn away unread are replaced, so that each costs one
    decryption. The random key is new each time: with one that could be foreseen, a
    sender could tell a failed unwrapping from a failed tag.
    """
    key = version.rsa_private
    usable = rsa.block_in_range(version.rsa_modulus, block)
    stand_in = secrets.token_bytes(AES_KEY)
    try:
        unwrapped = rsa.decrypt(key, block if usable else _DUMMY_BLOCK, _PADDING)
    except rsa.RSADecryptionError:
        return False, stand_in
    if not usable or len(unwrapped) != AES_KEY:
        return False, stand_in
    return True, unwrapped


def _open(body: bytes, keys: tuple[KeyVersion, ...]) -> tuple[bytes, Session, KeyVersion]:
    """Return the plaintext of ``body``, its session and the key that opened it.

    A failure tries every key, each with one RSA and one AES decryption and one reading
    as JSON, and only then raises OpenError naming the step that got furthest.
    """
    wire = _read_wire(body)
    failed = "rsa"
    for version in keys:
        unwrapped, aes_key = _unwrap(version, wire.block)
        try:
            raw, authentic = aes.gcm_decrypt(aes_key, wire.iv, wire.data), True
        except aes.AESDecryptionError:
            raw, authentic = wire.data, False
        if authentic and unwrapped and not wire.failed:
            return raw, Session(aes_key, wire.iv), version
        if unwrapped:
            failed = "gcm"
        _read_in_vain(raw)
    raise OpenError("The request cannot be opened.", code=wire.failed or failed)


def _read_in_vain(raw: bytes) -> None:
    """Read ``raw`` as JSON and forget it: what failed earlier shall cost no less."""
    try:
        read_json(raw)
    except SchemeError:
        return


def _check_token(
    payload: JSONValue,
    app_secrets: tuple[KeyVersion, ...],
    options: WhatsAppFlowsOptions,
    *,
    now: float,
) -> KeyVersion | None:
    """Return the app secret that signed the payload's flow token, or None without one."""
    signature = payload.get("flow_token_signature") if isinstance(payload, dict) else None
    if signature is not None:
        return signatures.verify_flow_token(
            signature, payload.get("flow_token"), app_secrets, now=now
        )
    if options.require_token_signature and not needs_no_token(payload):
        raise SignatureError(
            "The request carries no flow_token_signature.",
            "Publish the flow with data_api_version 4.0, or switch the requirement off.",
            code="token_signature_missing",
        )
    return None


#: The scheme.
SCHEME = WhatsAppFlows()
