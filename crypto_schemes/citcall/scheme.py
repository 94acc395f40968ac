"""Both sides of the contract: requests, replies and callbacks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from crypto_schemes.ciphers import mac
from crypto_schemes.citcall.authorization import format_authorization, parse_authorization
from crypto_schemes.citcall.options import CitCallOptions
from crypto_schemes.citcall.sealed_text import open_text, seal_text
from crypto_schemes.envelope import OpenedRequest, SealedCallback, SealedReply, SealedRequest
from crypto_schemes.errors import (
    AuthenticationError,
    EnvelopeError,
    FreshnessError,
    KeyMaterialError,
    OpenError,
    SealError,
)
from crypto_schemes.json_text import JSONTextError, JSONValue, parse
from crypto_schemes.keys import Credentials, KeyVersion, Kind, PurposeSpec
from crypto_schemes.scheme import IdentityField, Scheme, read_json, write_json

API_KEY: Final = "api_key"
USERID: Final = "userid"
#: ``rc`` of a success: the only reply which is sealed.
RC_SUCCESS: Final = "00"

_USERID_PATTERN: Final = r"[\x21-\x2b\x2d-\x39\x3b-\x7e]{1,64}"
_API_KEY_PATTERN: Final = r"[0-9A-Fa-f]{32}"
_PLAIN_RC = re.compile(r"[0-9]{2}")


class CitCall(Scheme[CitCallOptions]):
    """The contract's two sides. Replies and callbacks are sealed like requests."""

    name = "citcall"
    label = "CitCall"
    title = "CitCall v2 missed-call OTP"
    promise = (
        "Obfuscation, not encryption: without authentication and without real secrecy, whoever "
        "sees the traffic can read and change it; only TLS and the API key in the header protect "
        "a partner, so use it over TLS alone."
    )
    options_type = CitCallOptions
    purposes = (
        PurposeSpec(
            name=API_KEY,
            kind=Kind.TOKEN,
            title="API key",
            help=(
                "32 hex digits. They travel in the Authorization header of every request and are "
                "also the cipher's second key, which is obfuscation and protects nothing by "
                "itself: hand the key over safely and have partners call over TLS only."
            ),
            sizes=(16,),
            locates=True,
            pattern=_API_KEY_PATTERN,
        ),
    )
    identity = (
        IdentityField(
            name=USERID,
            title="User id",
            help=(
                "Names the partner in the Authorization header and is the cipher's first key. "
                "Printable ASCII without colon, comma or blank, 1 to 64 characters."
            ),
            pattern=_USERID_PATTERN,
            make=str,
        ),
    )
    located_by = USERID
    bundle = (USERID, API_KEY)
    agreed = ("max_skew", "reply_trxid", "callback_body")
    path = "/v2/asynccall"

    def open_request(
        self,
        request: SealedRequest,
        credentials: Credentials,
        options: CitCallOptions,
        *,
        now: float,
    ) -> OpenedRequest:
        """Return the request; ``opened_by`` is the API key version its header names.

        Raises AuthenticationError (``no_authorization``, ``bad_authorization``,
        ``unknown_userid``, ``unknown_api_key``), EnvelopeError (``not_json``,
        ``missing_data``), OpenError as :func:`open_text`, or FreshnessError (``too_old``,
        ``too_new``). ``once`` is the same for every way to write one cipher text.
        """
        userid = _userid(credentials)
        version = _authenticate(request.headers.get("authorization"), userid, credentials)
        opened = open_text(_request_data(request.body), userid, version.text)
        _refuse_outside(opened.issued_at, options, now)
        return OpenedRequest(
            payload=opened.payload,
            raw=opened.raw,
            opened_by=(version,),
            issued_at=float(opened.issued_at),
            once=opened.digest,
            context=version,
        )

    def seal_reply(
        self,
        payload: JSONValue,
        opened: OpenedRequest,
        credentials: Credentials,
        options: CitCallOptions,
        *,
        now: float,
    ) -> SealedReply:
        """Seal a reply under the key version ``opened`` came with, active or not.

        By contract only a success is sealed; failures are plain JSON and not made here.
        Raises SealError.
        """
        if not isinstance(opened.context, KeyVersion):
            raise SealError("A reply can only be sealed to a request this scheme opened.")
        return SealedReply(body=_seal(payload, _userid(credentials), opened.context, now))

    def seal_request(
        self,
        payload: JSONValue,
        credentials: Credentials,
        options: CitCallOptions,
        *,
        now: float,
    ) -> SealedRequest:
        """Seal a request under the active API key; the header is version 2's bare form.

        Raises SealError or KeyUnavailableError.
        """
        userid, version = _userid(credentials), credentials.active(API_KEY)
        return SealedRequest(
            body=_seal(payload, userid, version, now),
            headers={
                "authorization": format_authorization(userid, version.text),
                "content-type": "application/json",
            },
            context=version,
        )

    def open_reply(
        self,
        reply: SealedReply,
        sent: SealedRequest,
        credentials: Credentials,
        options: CitCallOptions,
        *,
        now: float,
    ) -> JSONValue:
        """Return the answer to ``sent``.

        A failure (``{"rc": …, "info": …}``, ``rc`` other than 00) is plain on the wire and
        returned as it is; a success that is not sealed is refused. Raises OpenError,
        FreshnessError or KeyUnavailableError.
        """
        value = read_json(reply.body)
        if isinstance(value, dict) and "data" not in value:
            rc = value.get("rc")
            if isinstance(rc, str) and _PLAIN_RC.fullmatch(rc) and rc != RC_SUCCESS:
                return value
        version = (
            sent.context if isinstance(sent.context, KeyVersion) else credentials.active(API_KEY)
        )
        opened = open_text(_sealed_data(value), _userid(credentials), version.text)
        _refuse_outside(opened.issued_at, options, now)
        return opened.payload

    def seal_callback(
        self, payload: JSONValue, credentials: Credentials, options: CitCallOptions, *, now: float
    ) -> SealedCallback:
        """Return the callback as ``callback_body`` says: sealed under the active key, or plain.

        A sealed one opens inside the receiver's time window only, so each attempt to deliver
        it seals it anew. Raises SealError or KeyUnavailableError.
        """
        if options.callback_body == "plain":
            return SealedCallback(body=_ascii_json(payload))
        return SealedCallback(
            body=_seal(payload, _userid(credentials), credentials.active(API_KEY), now)
        )

    def open_callback(
        self,
        body: bytes,
        headers: Mapping[str, str],
        credentials: Credentials,
        options: CitCallOptions,
        *,
        now: float,
    ) -> JSONValue:
        """Return the value of a callback in the form ``callback_body`` says.

        A sealed one names no key, so each accepted version is tried. Raises OpenError or
        FreshnessError.
        """
        value = read_json(body)
        if options.callback_body == "plain":
            return value
        data, userid = _sealed_data(value), _userid(credentials)
        failure = OpenError("There is no API key to open it with.", code="no_key")
        for version in credentials.accepted(API_KEY):
            try:
                opened = open_text(data, userid, version.text)
            except OpenError as error:
                failure = error
                continue
            _refuse_outside(opened.issued_at, options, now)
            return opened.payload
        raise failure


def _authenticate(header: str | None, userid: str, credentials: Credentials) -> KeyVersion:
    """Return the API key version the header carries. Raises AuthenticationError."""
    given = parse_authorization(header)
    versions = credentials.accepted(API_KEY)
    # Both are compared always; only which of the two is wrong may be told (rc 77 or 96).
    index = mac.equal_any([version.text for version in versions], given.api_key)
    if given.userid is not None and not mac.equal(userid, given.userid):
        raise AuthenticationError("The userid is not this flow's.", code="unknown_userid")
    if index is None:
        raise AuthenticationError(
            "The API key is none of those accepted.",
            "Ask the administrator which key is in force.",
            code="unknown_api_key",
        )
    return versions[index]


def _userid(credentials: Credentials) -> str:
    userid = credentials.identity.get(USERID, "")
    if not re.fullmatch(_USERID_PATTERN, userid):
        raise KeyMaterialError("The flow has no usable userid.", "Give it one.")
    return userid


def _refuse_outside(issued_at: int, options: CitCallOptions, now: float) -> None:
    """Raise FreshnessError when the stamp lies outside the window around ``now``."""
    if abs(now - issued_at) > options.max_skew:
        raise FreshnessError(
            f"The time inside is more than {options.max_skew} s off.",
            "Set the sender's clock.",
            code="too_old" if issued_at < now else "too_new",
        )


def _request_data(body: bytes) -> str:
    """Return the member ``data`` of a request body. Raises EnvelopeError."""
    try:
        value = parse(body)
    except JSONTextError:
        raise EnvelopeError(
            "The body is not JSON.", 'Send {"data": …} as application/json.', code="not_json"
        ) from None
    data = value.get("data") if isinstance(value, dict) else None
    if not isinstance(data, str) or not data:
        raise EnvelopeError(
            "The body has no text member data.", 'Send {"data": …}.', code="missing_data"
        )
    return data


def _sealed_data(value: JSONValue) -> str:
    """Return the member ``data`` of a reply or callback. Raises OpenError."""
    data = value.get("data") if isinstance(value, dict) else None
    if not isinstance(data, str):
        raise OpenError("The message is not sealed.", code="not_sealed")
    return data


def _ascii_json(payload: JSONValue) -> bytes:
    """Return compact ASCII JSON. Raises SealError, also for half a surrogate pair."""
    text = write_json(payload, ascii_only=True)
    if b"\\ud" in text:
        write_json(payload)  # an escape hides the half that UTF-8 refuses, as every reader does
    return text


def _seal(payload: JSONValue, userid: str, version: KeyVersion, now: float) -> bytes:
    """Return the body ``{"data": …}``. Raises SealError."""
    data = seal_text(_ascii_json(payload), userid, version.text, now=now)
    return write_json({"data": data})


#: The contract, as the registry finds it.
SCHEME = CitCall()
