"""The Flynn contract: the scheme object and what belongs to its requests and replies."""

from __future__ import annotations

import re
import secrets
import uuid
from collections.abc import Mapping

from crypto_schemes import base64_text, json_text
from crypto_schemes.ciphers import rsa
from crypto_schemes.envelope import OpenedRequest, SealedReply, SealedRequest
from crypto_schemes.errors import AuthenticationError, EnvelopeError, OpenError, SealError
from crypto_schemes.flynn import gstin, tokens
from crypto_schemes.flynn.documents import DOCUMENT_SIGNING
from crypto_schemes.flynn.opening import (
    FLYNN_RSA,
    HEADER_NAME,
    MODE,
    PLAIN,
    SENSITIVE,
    USER_TOKEN,
    FlynnContext,
    open_values,
    plain_headers,
)
from crypto_schemes.flynn.options import FlynnOptions
from crypto_schemes.flynn.session import Mode, Session, write_iv, write_rek
from crypto_schemes.flynn.tokens import PASSWORD, PORTAL_PASSWORD, TOKEN_SIGNING, ReadToken
from crypto_schemes.json_text import JSONTextError, JSONValue
from crypto_schemes.keys import Credentials, Kind, PurposeSpec
from crypto_schemes.scheme import IdentityField, Scheme, read_json, write_json

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_HANDLE = r"[a-z0-9](?:[a-z0-9._+-]{0,62}[a-z0-9])?@(?:[a-z0-9-]{1,63}\.)+[a-z]{2,24}"
#: What a header carries unchanged: HTTP strips blanks at both ends.
_HEADER_TEXT = re.compile(r"(?:[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)?")
_MEMBERS = frozenset({"plain", "sensitive", "body"})
_NOT_PLAIN = frozenset({"user-token", "aes-encryption-mode"})
_NOT_SENSITIVE = frozenset({"rek", "iv"})


def _org_id(address: str) -> str:
    return address if re.fullmatch(_UUID, address) else str(uuid.uuid4())


def _handle(address: str) -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", address.lower())[:64].strip("-")
    return f"{slug or 'user-' + secrets.token_hex(4)}@flynn.example"


class FlynnScheme(Scheme[FlynnOptions]):
    """The contract; see the module for its form."""

    name = "flynn"
    label = "Flynn"
    title = "Flynn tax APIs (REK and sensitive headers)"
    promise = (
        "Hides passwords in headers from whoever reads logs or proxies; bodies are plain and "
        "nothing is authenticated but the caller's token, so TLS must protect the way."
    )
    options_type = FlynnOptions
    located_by = "org_id"
    agreed = tuple(name for name in FlynnOptions.model_fields if name != "rsa_bits")
    bundle = (
        "org_id",
        "handle",
        "password",
        "public_key_pem",
        "gstin",
        "portal_username",
        "portal_password",
    )
    path = "/authenticate-with-secrets"
    identity = (
        IdentityField(
            name="org_id",
            title="Organisation id",
            help="A UUID in lower case; requests find their flow by it (X-FLYNN-N-ORG-ID).",
            pattern=_UUID,
            make=_org_id,
        ),
        IdentityField(
            name="handle",
            title="User handle",
            help="The e-mail address, in lower case, that the partner logs in with.",
            pattern=_HANDLE,
            make=_handle,
        ),
        IdentityField(
            name="gstin",
            title="GSTIN",
            help="The partner's tax number: 15 characters, the last one a check character.",
            pattern=gstin.PATTERN,
            make=lambda _address: gstin.make(),
        ),
        IdentityField(
            name="portal_username",
            title="Tax portal user name",
            help="Sent with each call in X-FLYNN-N-IRP-USERNAME or X-FLYNN-N-EWB-USERNAME.",
            pattern=r"[A-Za-z0-9._@-]{3,64}",
            make=lambda _address: f"portal-{secrets.token_hex(5)}",
        ),
    )
    purposes = (
        PurposeSpec(
            name=PASSWORD,
            kind=Kind.TOKEN,
            title="Log-in password",
            help="What the partner logs in with to get a user token; finds the flow of a log-in.",
            sizes=(18,),
            alphabet="url",
            locates=True,
        ),
        PurposeSpec(
            name=PORTAL_PASSWORD,
            kind=Kind.TOKEN,
            title="Tax portal password",
            help="Comes with calls in X-FLYNN-S-IRP-PWD or X-FLYNN-S-EWB-PWD, encrypted, or in "
            "their plain form; the sandbox checks it.",
            sizes=(12,),
            alphabet="url",
        ),
        PurposeSpec(
            name=FLYNN_RSA,
            kind=Kind.RSA,
            title="RSA key pair",
            help="The partner wraps its REK and IV with the public half.",
            sizes=(2048, 3072, 4096),
            credential="public_key_pem",
        ),
        PurposeSpec(
            name=TOKEN_SIGNING,
            kind=Kind.AES,
            title="Token signing key",
            help="Signs user tokens with HMAC-SHA-256. Never leaves the server.",
            sizes=(32,),
            shared=False,
        ),
        PurposeSpec(
            name=DOCUMENT_SIGNING,
            kind=Kind.RSA,
            title="Document signing key",
            help="Signs the sandbox's SignedInvoice and SignedQRCode (RS256).",
            sizes=(2048,),
            shared=False,
        ),
    )

    def key_size(self, spec: PurposeSpec, options: FlynnOptions) -> int:
        """Return ``options.rsa_bits`` for the key pair partners wrap with."""
        return options.rsa_bits if spec.name == FLYNN_RSA else spec.sizes[0]

    def open_request(
        self, request: SealedRequest, credentials: Credentials, options: FlynnOptions, *, now: float
    ) -> OpenedRequest:
        """Authenticate by organisation and user token, then open the sensitive headers.

        The order is :func:`authenticate`, form, keys: without a token in force nobody
        reaches an RSA operation. ``context`` is a :class:`FlynnContext`. That a session
        was ended early is the caller's to check.

        Raises AuthenticationError, EnvelopeError (``mode``, ``header``, ``body``), RekError
        or SensitiveValueError.
        """
        token = authenticate(request.headers, credentials, now=now)
        return self.open_authenticated(request, token, credentials, options)

    def open_authenticated(
        self,
        request: SealedRequest,
        token: ReadToken,
        credentials: Credentials,
        options: FlynnOptions,
    ) -> OpenedRequest:
        """Do what :meth:`open_request` does once :func:`authenticate` gave ``token``."""
        plain = plain_headers(request.headers)
        body_text = request.body.strip(b" \t\r\n")
        try:
            body = json_text.parse(body_text) if body_text else None
        except JSONTextError as error:
            raise EnvelopeError(f"The body is not strict JSON: {error}.", code="body") from None
        opened = open_values(request.headers, credentials, options)
        texts = {
            "plain": {name: plain[name] for name in plain if name not in opened.texts},
            "sensitive": opened.texts,
        }
        return OpenedRequest(
            payload={**texts, "body": body},
            raw=write_json(texts)[:-1] + b',"body":' + (body_text or b"null") + b"}",
            opened_by=(token.version, *opened.opened_by),
            context=FlynnContext(claims=token.claims, session=opened.session),
        )

    def seal_reply(
        self,
        payload: JSONValue,
        opened: OpenedRequest,
        credentials: Credentials,
        options: FlynnOptions,
        *,
        now: float,
    ) -> SealedReply:
        """Return plain JSON. An encrypted echo in it is :func:`seal_client_message`'s work."""
        del opened, credentials, options, now
        return SealedReply(body=write_json(payload))

    def seal_request(
        self,
        payload: JSONValue,
        credentials: Credentials,
        options: FlynnOptions,
        *,
        now: float,
        token: str = "",
        session: Session | None = None,
    ) -> SealedRequest:
        """Return the request as a partner sends it.

        ``payload`` as in the module; absent members count as empty. The organisation id is
        added from the credentials, ``token`` is the user token, ``session`` a REK to use
        (again); without one a fresh AES-256 key in ECB mode is made when there is anything
        sensitive. ``context`` is the session used, or None.

        Raises SealError for another payload, KeyUnavailableError without a public key.
        """
        del now
        plain, sensitive, body = _parts(payload)
        headers = {"accept": "application/json; charset=UTF-8"}
        if "org_id" in credentials.identity:
            headers[PLAIN + "org-id"] = credentials.identity["org_id"]
        headers |= {PLAIN + name: text for name, text in plain.items()}
        if token:
            headers[USER_TOKEN] = token
        if session is None and sensitive:
            session = Session.fresh()
        if session is not None:
            headers |= _wrapped(session, credentials, options)
            headers |= {SENSITIVE + name: session.seal(text) for name, text in sensitive.items()}
        if body is None:
            return SealedRequest(body=b"", headers=headers, context=session)
        headers["content-type"] = "application/json"
        return SealedRequest(body=write_json(body), headers=headers, context=session)

    def open_reply(
        self,
        reply: SealedReply,
        sent: SealedRequest,
        credentials: Credentials,
        options: FlynnOptions,
        *,
        now: float,
    ) -> JSONValue:
        """Return the value of the plain reply, an error as it is.

        An encrypted echo in it is opened by :func:`open_client_message`. Raises OpenError
        for what is not JSON.
        """
        del sent, credentials, options, now
        return read_json(reply.body)


def authenticate(headers: Mapping[str, str], credentials: Credentials, *, now: float) -> ReadToken:
    """Return the token in force of a request to this flow's organisation.

    Raises AuthenticationError: ``org`` when the organisation is not this flow's or not one
    of the token's, else as :func:`crypto_schemes.flynn.tokens.read`.
    """
    own = credentials.identity.get("org_id", "")
    given = headers.get(PLAIN + "org-id", "").lower()
    if not own or given != own:
        raise _wrong_org()
    token = tokens.read(headers.get(USER_TOKEN, ""), credentials, now=now)
    if own not in token.claims.org_ids:
        raise _wrong_org()
    return token


def seal_client_message(text: str, opened: OpenedRequest) -> str:
    """Return ``text`` encrypted under the REK, mode and IV that ``opened`` came with.

    Raises SealError when it came with none.
    """
    context = opened.context
    if not isinstance(context, FlynnContext) or context.session is None:
        raise SealError("The request brought no REK to answer under.", "Send X-FLYNN-S-REK.")
    return context.session.seal(text)


def open_client_message(value: JSONValue, sent: SealedRequest) -> str:
    """Return the text of a reply's ``client-message``. Raises OpenError (``reply_value``)."""
    session = sent.context
    text = session.open(value) if isinstance(session, Session) and isinstance(value, str) else None
    if text is None:
        raise OpenError("The reply's client-message does not open.", code="reply_value")
    return text


def _wrong_org() -> AuthenticationError:
    return AuthenticationError(
        "The organisation is unknown or not the user's.",
        "Send one of the log-in's associatedOrgs in X-FLYNN-N-ORG-ID.",
        code="org",
    )


def _wrapped(session: Session, credentials: Credentials, options: FlynnOptions) -> dict[str, str]:
    """Return the headers that carry ``session``."""
    key = credentials.active(FLYNN_RSA).rsa_public
    rek = write_rek(session.key, options.rek_encoding)
    headers = {
        SENSITIVE + "rek": base64_text.encode(rsa.encrypt(key, rek, options.rsa_padding)),
        MODE: session.mode.value,
    }
    if session.mode is Mode.CBC:
        iv = write_iv(session.iv, options.iv_encoding)
        headers[SENSITIVE + "iv"] = base64_text.encode(rsa.encrypt(key, iv, options.rsa_padding))
    return headers


def _parts(payload: JSONValue) -> tuple[dict[str, str], dict[str, str], JSONValue]:
    if not isinstance(payload, dict) or not payload.keys() <= _MEMBERS:
        raise SealError(
            "The payload of a request is an object of plain, sensitive and body.",
            'Write {"plain": {…}, "sensitive": {…}, "body": …}.',
        )
    plain, sensitive = payload.get("plain", {}), payload.get("sensitive", {})
    for texts, reserved in ((plain, _NOT_PLAIN), (sensitive, _NOT_SENSITIVE)):
        if not isinstance(texts, dict) or not all(
            isinstance(name, str)
            and HEADER_NAME.fullmatch(name)
            and name not in reserved
            and isinstance(text, str)
            for name, text in texts.items()
        ):
            raise SealError(
                "Headers are texts by their name without prefix, in lower case.",
                "The token, the mode, the REK and the IV are not among them.",
            )
    if not all(_HEADER_TEXT.fullmatch(text) for text in plain.values()):
        raise SealError(
            "A plain header holds what a header cannot carry.",
            "Use printable ASCII without blanks at the ends.",
        )
    return plain, sensitive, payload.get("body")


SCHEME = FlynnScheme()
