"""How the OpenAPI document describes the contract: names, headers, envelopes, errors."""

from __future__ import annotations

from typing import Any, Final

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse

from crypto_schemes.flynn import Mode, Session
from flows_endpoint.flynn import examples
from flows_endpoint.flynn.described import (
    DESCRIBED,
    NOTHING,
    TEXT,
    Described,
    Schema,
    all_of,
    shown,
)
from flows_endpoint.flynn.envelopes import Version, success
from flows_endpoint.flynn.errors import MEANINGS, Err
from flows_endpoint.flynn.models import Portal
from flows_endpoint.flynn.operations import (
    AUTHENTICATE,
    AUTHENTICATE_WITH_SECRETS,
    EWAY,
    LOG_IN,
    LOG_OUT,
    PING,
    RENEW,
    portal_of,
)

_ERROR: Final = all_of("message", "type", args={"type": "object"})
_WITHOUT_HEADERS: Final = frozenset({PING, LOG_IN, RENEW, LOG_OUT})
_SECRET_ERRORS: Final = (Err.REK, Err.SENSITIVE_VALUE)


class FlynnSchema(AutoSchema):
    """Describes a view by its operation, its method and the version in its path."""

    def get_operation_id(self) -> str:
        """Return a name that is unique among versions, aliases and methods."""
        words = ["flynn", self._operation.replace(".", "_")]
        if self._version is not Version.V2:
            words.append(self._version.value)
        if self._version is Version.V1 and "/ewayapi/" in self.path:
            words.append("ewayapi")
        if self._operation.startswith((EWAY, AUTHENTICATE, PING)):
            words.append(self.method.lower())
        return "_".join(words)

    def get_tags(self) -> list[str]:
        """Return the contract's name."""
        return ["Flynn"]

    def get_auth(self) -> list[dict[str, Any]]:
        """Return none: the contract's headers stand among the parameters."""
        return []

    def get_summary(self) -> str:
        """Return the operation's line."""
        return self._described.summary

    def get_description(self) -> str:  # type: ignore[override]
        """Return the operation's paragraph."""
        return self._described.description

    def get_override_parameters(self) -> list[Any]:
        """Return the headers and the query of the operation."""
        return [*self._described.query, *_headers(self._operation)]

    def get_request_serializer(self) -> Any:
        """Return the schema of the body."""
        return {"application/json": self._described.body} if self._described.body else None

    def get_response_serializers(self) -> Any:
        """Return the envelope of a success, and of errors by their HTTP status."""
        error = envelope_schema(self._version, None, _ERROR)
        by_status: dict[int, list[str]] = {}
        for err in _errors(self._operation):
            by_status.setdefault(MEANINGS[err].status, []).append(f"`{err.value}`")
        return {
            200: OpenApiResponse(
                envelope_schema(self._version, self._described.data, None), description="Done."
            ),
            **{
                status: OpenApiResponse(error, description=", ".join(names) + ".")
                for status, names in sorted(by_status.items())
            },
        }

    def get_examples(self) -> list[OpenApiExample]:
        """Return the demo partner's request and reply, and the errors."""
        if self._operation == AUTHENTICATE_WITH_SECRETS:
            return [_secrets(examples.ECB), _secrets(examples.CBC)]
        body, data = shown().get(self._operation, (None, None))
        made = []
        if body is not None:
            made.append(OpenApiExample("request", value=body, request_only=True))
        if data is not None:
            reply = success(self._version, data, data_as_string=True)
            made.append(
                OpenApiExample("success", value=reply, response_only=True, status_codes=["200"])
            )
        return made

    @property
    def _operation(self) -> str:
        operation: str = self.view.operation_of(self.method)  # type: ignore[attr-defined]
        return operation

    @property
    def _described(self) -> Described:
        return DESCRIBED[self._operation]

    @property
    def _version(self) -> Version:
        if not self.path.startswith("/basic/"):
            return Version.V2
        return Version.V3 if "/v3.0/" in self.path else Version.V1


def envelope_schema(version: Version, data: Schema | None, error: Schema | None) -> Schema:
    """Return the schema of a reply that carries either ``data`` or ``error``."""
    if version is Version.V3:
        return all_of(
            status={"type": "string", "enum": ["0" if data is None else "1"]},
            data=data or NOTHING,
            error=error or NOTHING,
            info=NOTHING,
            additionalInfo=NOTHING,
            alert=NOTHING,
        )
    if error is not None:
        return all_of(error=error)
    if version is Version.V1:
        text = {**TEXT, "contentMediaType": "application/json"}
        return all_of(data={"oneOf": [text, data]})
    return all_of(data=data or NOTHING)


def _headers(operation: str) -> list[OpenApiParameter]:
    if operation in (RENEW, LOG_OUT):
        return [_header("Authorization", "`Bearer` and the token.", required=True)]
    if operation in _WITHOUT_HEADERS:
        return []
    headers = [
        _header("X-FLYNN-N-ORG-ID", "The organisation's UUID.", required=True),
        _header("X-FLYNN-N-USER-TOKEN", "The bare token of the log-in.", required=True),
    ]
    secrets = operation == AUTHENTICATE_WITH_SECRETS
    portal = portal_of(operation)
    if portal is not None:
        module = portal.value.upper()
        headers += [
            _header(f"X-FLYNN-N-{module}-GSTIN", "The partner's tax number.", required=True),
            _header(f"X-FLYNN-N-{module}-USERNAME", "The portal user name.", required=True),
            _header(f"X-FLYNN-N-{module}-GSP-CODE", "`vay`, if anything."),
            _header(f"X-FLYNN-S-{module}-PWD", "The portal password under the REK, base64."),
            _header(f"X-FLYNN-N-{module}-PWD", "The portal password in plain, instead."),
        ]
    if secrets:
        headers.append(_header("X-FLYNN-S-DATA", "A text under the REK, base64.", required=True))
    return [
        *headers,
        _header("X-FLYNN-S-REK", "The REK's text under the RSA key, base64.", required=secrets),
        OpenApiParameter(
            "X-FLYNN-N-AES-ENCRYPTION-MODE",
            {"type": "string", "enum": [mode.value for mode in Mode], "default": "ECB"},
            OpenApiParameter.HEADER,
            description="How the encrypted headers are encrypted.",
        ),
        _header("X-FLYNN-S-IV", "The 16 bytes of the IV under the RSA key, base64; for CBC."),
    ]


def _header(name: str, description: str, *, required: bool = False) -> OpenApiParameter:
    return OpenApiParameter(
        name, str, OpenApiParameter.HEADER, required=required, description=description
    )


def _errors(operation: str) -> list[Err]:
    if operation == PING:
        return [Err.METHOD]
    if operation == LOG_IN:
        own = [Err.INVALID_BODY, Err.INVALID_CREDENTIALS, Err.TOO_MANY_SESSIONS, Err.RATE]
    elif operation in _WITHOUT_HEADERS:
        own = [Err.INVALID_TOKEN, Err.EXPIRED_TOKEN]
    else:
        own = [Err.INVALID_ORG, Err.INVALID_TOKEN, Err.EXPIRED_TOKEN, Err.INVALID_BODY]
        own += _SECRET_ERRORS
    portal = portal_of(operation)
    if portal is not None:
        own += [Err.EMPTY_PASSWORD, Err.IRP if portal is Portal.IRP else Err.EWB]
    return [*own, Err.SOURCE, Err.UNAVAILABLE]


def _secrets(session: Session) -> OpenApiExample:
    """Return a reply whose request opens under the demo keys."""
    headers = examples.secret_headers(session, data=examples.MESSAGE)
    listed = "\n".join(f"    {name}: {text}" for name, text in headers.items())
    return OpenApiExample(
        f"{session.mode.value} under the demo keys",
        description=f"To the headers\n\n{listed}\n\nwhere the text is `{examples.MESSAGE}`.",
        value=examples.pong_with_message(session),
        response_only=True,
        status_codes=["200"],
    )
