"""What every contract offers: both sides of the wire behind one small interface."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from crypto_schemes import json_text
from crypto_schemes.envelope import OpenedRequest, SealedCallback, SealedReply, SealedRequest
from crypto_schemes.errors import OpenError, SealError
from crypto_schemes.json_text import JSONTextError, JSONValue
from crypto_schemes.keys import (
    Credentials,
    Kind,
    PurposeSpec,
    generate_material,
    material_from_text,
    material_to_text,
)
from crypto_schemes.options import Options

OptionsT = TypeVar("OptionsT", bound=Options)


@dataclass(frozen=True, slots=True)
class IdentityField:
    """A public name of the contract (user id, flow-id, GSTIN…).

    ``make`` returns a fresh value for a flow whose address is given; ``pattern`` is what
    a value must match.
    """

    name: str
    title: str
    help: str
    pattern: str
    make: Callable[[str], str]


#: Signs callbacks: every flow has one, and the partner gets it to check them.
CALLBACK_SIGNING = PurposeSpec(
    name="callback_signing",
    kind=Kind.TOKEN,
    title="Callback signing secret",
    help="Signs every callback (Standard Webhooks, HMAC-SHA-256): a receiver can tell it is ours.",
    sizes=(24,),
    prefix="whsec_",
    alphabet="base64",
    pattern=r"whsec_[A-Za-z0-9+/]{32,88}={0,2}",
)
#: What callbacks authenticate with, where the receiver asks for more than the signature.
CALLBACK_AUTH = PurposeSpec(
    name="callback_auth",
    kind=Kind.TOKEN,
    title="Callback authentication secret",
    help=(
        "The password, token or header value that callbacks carry where their endpoint asks for "
        "one. Import what the receiver gave you, or generate one and give it to them."
    ),
    sizes=(24,),
    issued_at_creation=False,
    alphabet="url",
    pattern=r"[\x21-\x7e][\x20-\x7e]{6,510}[\x21-\x7e]",
)
#: Signs upstream calls: every flow has one. Another than the partner's, who could sign with that.
UPSTREAM_SIGNING = PurposeSpec(
    name="upstream_signing",
    kind=Kind.TOKEN,
    title="Upstream signing secret",
    help=(
        "Signs every call to your own service behind the flow (Standard Webhooks, HMAC-SHA-256)."
        " For that service alone: whoever has it can sign such calls."
    ),
    sizes=(24,),
    for_own_service=True,
    prefix="whsec_",
    alphabet="base64",
    pattern=r"whsec_[A-Za-z0-9+/]{32,88}={0,2}",
)


class Scheme(ABC, Generic[OptionsT]):
    """One encryption contract.

    Server side: :meth:`open_request`, :meth:`seal_reply`, :meth:`seal_callback`.
    Client side: :meth:`seal_request`, :meth:`open_reply`, :meth:`open_callback`.
    ``now`` is Unix time in seconds. Nothing but
    :class:`crypto_schemes.errors.SchemeError` is ever raised, whatever the input.
    """

    name: ClassVar[str]
    #: What it is called in lists and in the OpenAPI document.
    label: ClassVar[str]
    title: ClassVar[str]
    #: One sentence on what the contract protects and what it does not.
    promise: ClassVar[str]
    options_type: ClassVar[type[Options]]
    purposes: ClassVar[tuple[PurposeSpec, ...]]
    identity: ClassVar[tuple[IdentityField, ...]] = ()
    #: What requests name their flow by: an identity field or ``address``; None for a secret.
    located_by: ClassVar[str | None] = "address"
    #: Members of the credential bundle, in order.
    bundle: ClassVar[tuple[str, ...]]
    #: Options a partner's client has to know where they are not the default.
    agreed: ClassVar[tuple[str, ...]] = ()
    #: Path of the main operation; ``{address}`` stands for the flow's address.
    path: ClassVar[str]

    @abstractmethod
    def open_request(
        self, request: SealedRequest, credentials: Credentials, options: OptionsT, *, now: float
    ) -> OpenedRequest:
        """Authenticate and decrypt ``request``.

        Raises EnvelopeError, AuthenticationError, OpenError or FreshnessError.
        """

    @abstractmethod
    def seal_reply(
        self,
        payload: JSONValue,
        opened: OpenedRequest,
        credentials: Credentials,
        options: OptionsT,
        *,
        now: float,
    ) -> SealedReply:
        """Encrypt the answer to ``opened``. Raises SealError or KeyUnavailableError."""

    @abstractmethod
    def seal_request(
        self, payload: JSONValue, credentials: Credentials, options: OptionsT, *, now: float
    ) -> SealedRequest:
        """Encrypt a request as a partner does. Raises SealError or KeyUnavailableError."""

    @abstractmethod
    def open_reply(
        self,
        reply: SealedReply,
        sent: SealedRequest,
        credentials: Credentials,
        options: OptionsT,
        *,
        now: float,
    ) -> JSONValue:
        """Return the opened answer to ``sent``. Raises OpenError or FreshnessError."""

    def seal_callback(
        self, payload: JSONValue, credentials: Credentials, options: OptionsT, *, now: float
    ) -> SealedCallback:
        """Return the callback as the contract sends it; plain JSON unless it says otherwise."""
        return SealedCallback(body=write_json(payload))

    def open_callback(
        self,
        body: bytes,
        headers: Mapping[str, str],
        credentials: Credentials,
        options: OptionsT,
        *,
        now: float,
    ) -> JSONValue:
        """Return the value of a received callback. Raises OpenError or AuthenticationError."""
        return read_json(body)

    def callback_acknowledged(self, body: bytes) -> bool:
        """Return whether the body of a 2xx answer means *taken*; any does unless overridden."""
        return True

    def main_path(self, address: str, options: OptionsT) -> str:
        """Return the path of the main operation of the flow at ``address``."""
        return self.path.format(address=address)

    def new_material(self, spec: PurposeSpec, options: OptionsT) -> bytes:
        """Return fresh material of ``spec`` in its stored form."""
        return generate_material(spec, self.key_size(spec, options))

    def material_to_text(self, spec: PurposeSpec, stored: bytes, options: OptionsT) -> str:
        """Return stored material as a partner receives it. Raises KeyMaterialError."""
        return material_to_text(spec, stored)

    def written_name(self, spec: PurposeSpec, options: OptionsT) -> str:
        """Return the name under which :meth:`material_to_text` is handed over."""
        return spec.credential_name

    def material_from_text(
        self, spec: PurposeSpec, text: str, options: OptionsT, passphrase: str = ""
    ) -> bytes:
        """Return the stored form of pasted material, checked. Raises KeyMaterialError."""
        return material_from_text(spec, text, passphrase)

    def purpose(self, name: str) -> PurposeSpec:
        """Return the purpose called ``name``. Raises KeyError for one the scheme has not."""
        for spec in self.all_purposes():
            if spec.name == name:
                return spec
        raise KeyError(name)

    def all_purposes(self) -> tuple[PurposeSpec, ...]:
        """Return the scheme's purposes and the ones every flow has."""
        return (*self.purposes, CALLBACK_SIGNING, CALLBACK_AUTH, UPSTREAM_SIGNING)

    def key_size(self, spec: PurposeSpec, options: OptionsT) -> int:
        """Return the size of a new key of ``spec`` under ``options``."""
        return spec.sizes[0]


def write_json(payload: JSONValue, *, ascii_only: bool = False) -> bytes:
    """Return compact JSON text. Raises SealError for what JSON cannot say."""
    try:
        return json_text.compact(payload, ascii_only=ascii_only)
    except JSONTextError as error:
        raise SealError(str(error)) from None


def read_json(raw: bytes) -> JSONValue:
    """Return the value of JSON text. Raises OpenError."""
    try:
        return json_text.parse(raw)
    except JSONTextError:
        raise OpenError("The text inside is not JSON.", code="json") from None
