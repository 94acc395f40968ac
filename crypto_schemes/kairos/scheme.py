"""Both sides of the Kairos contract, as :mod:`crypto_schemes.kairos` describes it."""

from __future__ import annotations

import secrets
import string
from collections.abc import Mapping
from typing import Final

from crypto_schemes import base64_text, json_text
from crypto_schemes.base64_text import Base64TextError
from crypto_schemes.ciphers import mac, rsa
from crypto_schemes.envelope import OpenedRequest, SealedCallback, SealedReply, SealedRequest
from crypto_schemes.errors import (
    AuthenticationError,
    EnvelopeError,
    KeyUnavailableError,
    OpenError,
    SealError,
)
from crypto_schemes.json_text import JSONTextError, JSONValue
from crypto_schemes.kairos.authentication import FLOW_ID, SECURITY_ID
from crypto_schemes.kairos.envelope import (
    ENCRYPTED_MEMBER,
    FLOW_ID_FORM,
    FLOW_ID_MEMBER,
    STEPS,
    WRAPPED_KEY_MEMBER,
    KairosEnvelope,
    attempt,
    encrypt_value,
    read_envelope,
)
from crypto_schemes.kairos.options import KairosOptions
from crypto_schemes.keys import Credentials, Kind, PurposeSpec
from crypto_schemes.scheme import IdentityField, Scheme, read_json, write_json

RSA_KEY: Final = "kairos_rsa"
CALLBACK_PASSWORD: Final = "callback_basic_password"

_ALPHANUMERIC: Final = string.ascii_letters + string.digits
#: The vendor advises 6 to 8 characters and takes more; 22 carry as much as the AES key holds.
_KEY_STRING_LENGTH: Final = 24


class KairosScheme(Scheme[KairosOptions]):
    """The Kairos contract; see the module's text."""

    name = "kairos"
    label = "Kairos"
    title = "Kairos outbound calls"
    promise = (
        "Hides request bodies from whoever reads the traffic (AES-128-ECB under an RSA-wrapped "
        "key); it does not notice changes, equal blocks show as equal, and replies travel plain: "
        "TLS, the IP allow-list and the security-id carry the rest."
    )
    options_type = KairosOptions
    purposes = (
        PurposeSpec(
            name=RSA_KEY,
            kind=Kind.RSA,
            title="Request key pair",
            help="Partners wrap the AES key of each request with the public half.",
            sizes=(4096, 3072, 2048),
            credential="public_key_pem",
        ),
        PurposeSpec(
            name=SECURITY_ID,
            kind=Kind.TOKEN,
            title="Security id",
            help="Travels inside every request and proves that it comes from the partner.",
            sizes=(32,),
            pattern=r"[0-9A-Fa-f]{64}",
        ),
        PurposeSpec(
            name=CALLBACK_PASSWORD,
            kind=Kind.TOKEN,
            title="Callback password",
            help="Password of the HTTP Basic authentication at the partner's callback address; "
            "used only with the option callback_username.",
            sizes=(24,),
            alphabet="url",
            pattern=r"[\x20-\x7e]{8,256}",
            issued_at_creation=False,
        ),
    )
    identity = (
        IdentityField(
            name=FLOW_ID,
            title="Flow id",
            help="8 letters and digits that name the flow in every request.",
            pattern=FLOW_ID_FORM.pattern,
            make=lambda address: address if FLOW_ID_FORM.fullmatch(address) else _random_text(8),
        ),
    )
    located_by = FLOW_ID
    bundle = (FLOW_ID, SECURITY_ID, "public_key_pem")
    agreed = (
        "rsa_padding",
        "encrypt_helper",
        "plain_requests",
        "partner_key_generation",
        "error_http_status",
        "checksum_window",
        "callback_username",
    )
    path = "/kairos-apis/enc/outbound/create"

    def key_size(self, spec: PurposeSpec, options: KairosOptions) -> int:
        """Return the option ``rsa_bits`` for the key pair."""
        return int(options.rsa_bits) if spec.name == RSA_KEY else super().key_size(spec, options)

    def open_request(
        self,
        request: SealedRequest,
        credentials: Credentials,
        options: KairosOptions,
        *,
        now: float,
    ) -> OpenedRequest:
        """Decrypt ``request``; any JSON value may be inside.

        ``context`` is the envelope's flow-id and ``once`` the opened text. The sender is not
        known yet: go on with :func:`authenticate`. Raises EnvelopeError as
        :func:`read_envelope` does and with code ``envelope_member``, AuthenticationError
        (code ``flow_id``), KeyUnavailableError, or OpenError for everything else.
        """
        envelope = read_envelope(request.body)
        if not mac.equal(envelope.flow_id, credentials.identity.get(FLOW_ID, "")):
            raise AuthenticationError("The flow-id is not the one of the flow.", code="flow_id")
        if envelope.encrypted_value is None or envelope.wrapped_key is None:
            raise EnvelopeError(
                f"{ENCRYPTED_MEMBER} or {WRAPPED_KEY_MEMBER} is missing or not a string.",
                "Send both as base64 text.",
                code="envelope_member",
            )
        versions = credentials.accepted(RSA_KEY)
        if not versions:
            raise KeyUnavailableError(
                f"There is no {RSA_KEY} key that opens.", f"Generate one for {envelope.flow_id}."
            )
        furthest = 0
        for version in versions:
            tried = attempt(
                version, envelope.encrypted_value, envelope.wrapped_key, options.rsa_padding
            )
            if tried.failed is None:
                return OpenedRequest(
                    payload=tried.value,
                    raw=tried.raw,
                    opened_by=(version,),
                    once=tried.raw,
                    context=envelope.flow_id,
                )
            furthest = max(furthest, STEPS.index(tried.failed))
        raise OpenError("The request cannot be opened.", code=STEPS[furthest])

    def seal_reply(
        self,
        payload: JSONValue,
        opened: OpenedRequest,
        credentials: Credentials,
        options: KairosOptions,
        *,
        now: float,
    ) -> SealedReply:
        """Return ``payload`` as plain JSON: the contract encrypts no reply. Raises SealError."""
        return SealedReply(body=write_json(payload))

    def seal_request(
        self,
        payload: JSONValue,
        credentials: Credentials,
        options: KairosOptions,
        *,
        now: float,
    ) -> SealedRequest:
        """Encrypt ``payload``, as it is, under a fresh key string of 24 alphanumerics.

        ``identity`` must name the flow-id and the active version of ``kairos_rsa`` be its
        public key (or the pair). Raises SealError or KeyUnavailableError.
        """
        raw = write_json(payload)
        envelope = self.seal_text(raw, _random_text(_KEY_STRING_LENGTH), credentials, options)
        return SealedRequest(body=envelope.as_body(), headers={"content-type": "application/json"})

    def seal_text(
        self, raw: bytes, key_string: str, credentials: Credentials, options: KairosOptions
    ) -> KairosEnvelope:
        """Return the envelope of the JSON text ``raw`` under a key string of one's choice.

        Raises SealError (code ``key_string``) for an empty key string and one too long for an
        RSA block, or when the flow-id is not known, or KeyUnavailableError.
        """
        flow_id = credentials.identity.get(FLOW_ID, "")
        if not FLOW_ID_FORM.fullmatch(flow_id):
            raise SealError("The identity has no valid flow_id.", "Name the one you were given.")
        if not key_string:
            raise SealError("The key string is empty.", code="key_string")
        public = credentials.active(RSA_KEY).rsa_public
        try:
            encoded = base64_text.encode(key_string.encode("utf-8"))
            block = rsa.encrypt(public, encoded.encode("ascii"), options.rsa_padding)
            return KairosEnvelope(
                flow_id=flow_id,
                encrypted_value=encrypt_value(raw, key_string),
                wrapped_key=base64_text.encode(block),
            )
        except ValueError:
            raise SealError(
                "The key string is too long or not Unicode text.",
                "Use up to 24 letters and digits.",
                code="key_string",
            ) from None

    def encrypt_data(
        self,
        request_value: str,
        key_string: str,
        credentials: Credentials,
        options: KairosOptions,
    ) -> dict[str, str | None]:
        """Return the reply of the encrypt helper, its members in the vendor's order.

        ``request_value`` is base64 of JSON text. Raises EnvelopeError (code
        ``request_value``), SealError or KeyUnavailableError.
        """
        try:
            raw = base64_text.decode(request_value, white_space=True)
            json_text.parse(raw)
        except (Base64TextError, JSONTextError):
            raise EnvelopeError(
                "requestValue is not base64 of JSON text.", code="request_value"
            ) from None
        envelope = self.seal_text(raw, key_string, credentials, options)
        return {
            FLOW_ID_MEMBER: envelope.flow_id,
            ENCRYPTED_MEMBER: envelope.encrypted_value,
            WRAPPED_KEY_MEMBER: envelope.wrapped_key,
        }

    def open_reply(
        self,
        reply: SealedReply,
        sent: SealedRequest,
        credentials: Credentials,
        options: KairosOptions,
        *,
        now: float,
    ) -> JSONValue:
        """Return the reply's value, success or error alike: all are plain. Raises OpenError."""
        return read_json(reply.body)

    def seal_callback(
        self,
        payload: JSONValue,
        credentials: Credentials,
        options: KairosOptions,
        *,
        now: float,
    ) -> SealedCallback:
        """Return the callback as plain JSON, with HTTP Basic where ``callback_username`` is set.

        Raises SealError, or KeyUnavailableError when the password is missing.
        """
        headers = {}
        if options.callback_username:
            password = credentials.active(CALLBACK_PASSWORD).text
            headers["authorization"] = _basic(options.callback_username, password)
        return SealedCallback(body=write_json(payload), headers=headers)

    def open_callback(
        self,
        body: bytes,
        headers: Mapping[str, str],
        credentials: Credentials,
        options: KairosOptions,
        *,
        now: float,
    ) -> JSONValue:
        """Return the callback's value, after its Basic header where a user name is set.

        Raises AuthenticationError (code ``callback_basic``) or OpenError.
        """
        if options.callback_username:
            expected = [
                _basic(options.callback_username, version.text)
                for version in credentials.accepted(CALLBACK_PASSWORD)
            ]
            if mac.equal_any(expected, headers.get("authorization", "")) is None:
                raise AuthenticationError(
                    "The callback does not carry the agreed user name and password.",
                    code="callback_basic",
                )
        return read_json(body)


def _random_text(length: int) -> str:
    return "".join(secrets.choice(_ALPHANUMERIC) for _ in range(length))


def _basic(username: str, password: str) -> str:
    """Return the Basic credentials of RFC 7617 in UTF-8."""
    return "Basic " + base64_text.encode(f"{username}:{password}".encode())


SCHEME: Final = KairosScheme()
