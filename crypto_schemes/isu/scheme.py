"""The ISU scheme: request, reply and callback, put together from headers and values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from crypto_schemes.envelope import OpenedRequest, SealedCallback, SealedReply, SealedRequest
from crypto_schemes.errors import EnvelopeError, KeyUnavailableError
from crypto_schemes.isu.headers import (
    CLIENT_SECRET,
    HEADER_KEY,
    PASS_KEY,
    OpenedHeader,
    open_header,
    seal_header,
)
from crypto_schemes.isu.key_text import key_from_text, key_to_text, new_key
from crypto_schemes.isu.options import IsuOptions
from crypto_schemes.isu.value import open_any, seal_value, try_json
from crypto_schemes.json_text import JSONValue
from crypto_schemes.keys import Credentials, KeyVersion, Kind, PurposeSpec
from crypto_schemes.scheme import IdentityField, Scheme, read_json, write_json

PAYLOAD_KEY = "isu_payload_aes"

#: The vendor's plain answer to a wrong method; the one ``ResponseData`` that is not sealed.
INVALID_REQUEST = "Invalid Request"


class IsuScheme(Scheme[IsuOptions]):
    """The contract; see the module for its form and :func:`open_header` for its checks."""

    name = "isu"
    label = "ISU"
    title = "ISU (header_secrets and pass_key)"
    promise = (
        "Hides credentials and bodies with AES-256-CBC and proves who calls; "
        "it does not bind the header to the body, so TLS must protect the way."
    )
    options_type = IsuOptions
    located_by = None
    bundle = ("pass_key", "client_id", "client_secret", "aes_key_base64")
    agreed = tuple(IsuOptions.model_fields)
    identity = (
        IdentityField(
            name="client_id",
            title="Client id",
            help="The partner's name inside header_secrets: 1 to 64 printable ASCII "
            "characters without a comma.",
            pattern=r"[\x21-\x2b\x2d-\x7e](?:[\x20-\x2b\x2d-\x7e]{0,62}[\x21-\x2b\x2d-\x7e])?",
            make=lambda address: address,
        ),
    )
    purposes = (
        PurposeSpec(
            name=PASS_KEY,
            kind=Kind.TOKEN,
            title="Pass key",
            help="Travels in plain in the header pass_key of each request and finds the flow.",
            sizes=(24,),
            alphabet="url",
            locates=True,
        ),
        PurposeSpec(
            name=CLIENT_SECRET,
            kind=Kind.TOKEN,
            title="Client secret",
            help="Travels encrypted in header_secrets and proves who calls.",
            sizes=(24,),
            alphabet="url",
        ),
        PurposeSpec(
            name=HEADER_KEY,
            kind=Kind.AES,
            title="AES key",
            help="Encrypts header_secrets, and the bodies too unless there is a payload key.",
            sizes=(32,),
            credential="aes_key_base64",
        ),
        PurposeSpec(
            name=PAYLOAD_KEY,
            kind=Kind.AES,
            title="AES payload key",
            help="Encrypts RequestData and ResponseData instead of the AES key. As soon as there "
            "is one, bodies under the AES key no longer open: agree on the moment first.",
            sizes=(32,),
            issued_at_creation=False,
            credential="aes_payload_key_base64",
        ),
    )

    def main_path(self, address: str, options: IsuOptions) -> str:
        """Return the path of payouts, a setting of the flow."""
        return options.payout_path

    def new_material(self, spec: PurposeSpec, options: IsuOptions) -> bytes:
        """Return fresh material; AES keys are such as ``key_encoding`` can write."""
        return new_key(options) if spec.kind is Kind.AES else super().new_material(spec, options)

    def material_to_text(self, spec: PurposeSpec, stored: bytes, options: IsuOptions) -> str:
        """Return what is handed out; AES keys are written as ``key_encoding`` says."""
        if spec.kind is Kind.AES:
            return key_to_text(stored, options)
        return super().material_to_text(spec, stored, options)

    def written_name(self, spec: PurposeSpec, options: IsuOptions) -> str:
        """Return the name, which for AES keys says how they are written, such as aes_key_hex."""
        if spec.kind is Kind.AES:
            return f"{spec.credential_name.removesuffix('base64')}{options.key_encoding}"
        return spec.credential_name

    def material_from_text(
        self, spec: PurposeSpec, text: str, options: IsuOptions, passphrase: str = ""
    ) -> bytes:
        """Return the stored form; AES keys are read as ``key_encoding`` says."""
        if spec.kind is Kind.AES:
            return key_from_text(text.strip(), options)
        return super().material_from_text(spec, text, options, passphrase)

    def open_request(
        self, request: SealedRequest, credentials: Credentials, options: IsuOptions, *, now: float
    ) -> OpenedRequest:
        """Authenticate and decrypt: :func:`open_header`, then :func:`open_data`."""
        header = open_header(request.headers, credentials, options, now=now)
        return open_data(request.body, header, credentials, options)

    def seal_reply(
        self,
        payload: JSONValue,
        opened: OpenedRequest,
        credentials: Credentials,
        options: IsuOptions,
        *,
        now: float,
    ) -> SealedReply:
        """Return ``{"ResponseData": …}`` under the key version that opened the request."""
        del now
        version = opened.context
        if not isinstance(version, KeyVersion):
            version = _sealing_key(credentials)
        sealed = seal_value(version.raw, write_json(payload), options)
        return SealedReply(body=write_json({"ResponseData": sealed}))

    def seal_request(
        self, payload: JSONValue, credentials: Credentials, options: IsuOptions, *, now: float
    ) -> SealedRequest:
        """Return the request as a partner sends it; headers ``pass-key``, ``header-secrets``.

        On the wire the names have underscores: ``pass_key`` and ``header_secrets``.
        """
        version = _sealing_key(credentials)
        sealed = seal_value(version.raw, write_json(payload), options)
        return SealedRequest(
            body=write_json({"RequestData": sealed}),
            headers={
                "content-type": "application/json",
                "pass-key": credentials.active(PASS_KEY).text,
                "header-secrets": seal_header(credentials, options, now=now),
            },
            context=version,
        )

    def open_reply(
        self,
        reply: SealedReply,
        sent: SealedRequest,
        credentials: Credentials,
        options: IsuOptions,
        *,
        now: float,
    ) -> JSONValue:
        """Return the opened ``ResponseData``, or a plain error as it is.

        Errors are never encrypted in this contract: an object with ``status`` and
        ``statusDesc`` and without ``ResponseData``, and the vendor's
        ``{"ResponseData": "Invalid Request"}``, come back as they stand and prove
        nothing about their sender. Raises EnvelopeError (``reply_form``) or OpenError
        (``reply_`` and the step).
        """
        del now
        wrapper = try_json(reply.body)[1]
        if isinstance(wrapper, dict):
            value = wrapper.get("ResponseData")
            if value == INVALID_REQUEST:
                return wrapper
            if isinstance(value, str):
                keys: Sequence[KeyVersion] = (
                    (sent.context,)
                    if isinstance(sent.context, KeyVersion)
                    else (*credentials.accepted(PAYLOAD_KEY), *credentials.accepted(HEADER_KEY))
                )
                return open_any(value, keys, options, what="reply")[1].value
            if "ResponseData" not in wrapper and {"status", "statusDesc"} <= wrapper.keys():
                return wrapper
        raise EnvelopeError(
            "The reply is neither ResponseData nor a plain error.", code="reply_form"
        )

    def seal_callback(
        self, payload: JSONValue, credentials: Credentials, options: IsuOptions, *, now: float
    ) -> SealedCallback:
        """Return a callback with both headers; the body is plain or sealed as the option says."""
        body = payload
        if options.callback_body == "sealed":
            version = _sealing_key(credentials)
            body = {"RequestData": seal_value(version.raw, write_json(payload), options)}
        return SealedCallback(
            body=write_json(body),
            headers={
                "pass_key": credentials.active(PASS_KEY).text,
                "header_secrets": seal_header(credentials, options, now=now),
            },
        )

    def open_callback(
        self,
        body: bytes,
        headers: Mapping[str, str],
        credentials: Credentials,
        options: IsuOptions,
        *,
        now: float,
    ) -> JSONValue:
        """Return the value of a callback after the checks of :func:`open_header`."""
        header = open_header(headers, credentials, options, now=now)
        if options.callback_body == "sealed":
            return open_data(body, header, credentials, options).payload
        return read_json(body)

    def callback_acknowledged(self, body: bytes) -> bool:
        """Return whether the answer is an object whose ``status`` is 0 (or the text "0")."""
        answer = try_json(body)[1]
        status = answer.get("status") if isinstance(answer, dict) else None
        return not isinstance(status, bool) and status in (0, "0")


def open_data(
    body: bytes, header: OpenedHeader, credentials: Credentials, options: IsuOptions
) -> OpenedRequest:
    """Open ``{"RequestData": …}`` of a caller whose ``header`` opened.

    The payload key is the flow's own, where it has one, else the version the header was
    sealed under. Its ``context`` is the version the reply will be sealed under: the one
    this caller demonstrably holds, also while it is being rotated out.

    Raises EnvelopeError (``data_form``) or OpenError (``data_`` and the step).
    """
    wrapper = try_json(body)[1]
    value = wrapper.get("RequestData") if isinstance(wrapper, dict) else None
    if not isinstance(value, str):
        raise EnvelopeError(
            "The body is not a JSON object with a RequestData text.",
            'Send {"RequestData": "<base64>"}.',
            code="data_form",
        )
    keys = _payload_keys(header.aes, credentials)
    version, attempt = open_any(value, keys, options, what="data")
    opened_by = header.opened_by if version is header.aes else (*header.opened_by, version)
    return OpenedRequest(
        payload=attempt.value,
        raw=attempt.text,
        opened_by=opened_by,
        issued_at=header.issued_at,
        once=header.once,
        context=version,
    )


def _sealing_key(credentials: Credentials) -> KeyVersion:
    try:
        return credentials.active(PAYLOAD_KEY)
    except KeyUnavailableError:
        return credentials.active(HEADER_KEY)


def _payload_keys(header_key: KeyVersion, credentials: Credentials) -> tuple[KeyVersion, ...]:
    """Return what opens a body: the payload key's versions, the header's before it is active."""
    own = credentials.accepted(PAYLOAD_KEY)
    try:
        credentials.active(PAYLOAD_KEY)
    except KeyUnavailableError:
        return (header_key, *own)
    return own


SCHEME = IsuScheme()
