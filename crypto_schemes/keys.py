"""What a scheme is handed to work with: identities and parsed key versions.

A :class:`KeyVersion` holds *parsed* material (an RSA key object, bytes, a
token), made once by :func:`parse_material` and used many times. Which versions
open and which one seals is decided by whoever builds :class:`Credentials`; a
scheme asks for :meth:`Credentials.active` to seal and walks
:meth:`Credentials.accepted` to open. Rotation is a list: the newest seals, all
listed open.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from crypto_schemes import base64_text, pasted_keys
from crypto_schemes.ciphers import rsa
from crypto_schemes.errors import KeyMaterialError, KeyUnavailableError

Material: TypeAlias = RSAPrivateKey | RSAPublicKey | bytes | str


class Kind(StrEnum):
    """What sort of secret a purpose needs."""

    RSA = "rsa"  # a key pair; stored as PKCS#8 DER, the partner gets the public half
    AES = "aes"  # raw bytes of a fixed length
    TOKEN = "token"  # printable ASCII text


@dataclass(frozen=True, slots=True)
class PurposeSpec:
    """One thing a flow needs a secret for, and what such a secret looks like.

    ``sizes`` are bits for RSA, bytes for AES, random bytes behind a token; the
    first is the default. ``alphabet`` and ``pattern`` apply to tokens:
    ``alphabet`` is ``hex``, ``url`` or ``base64`` and ``pattern`` what an imported one must match.
    """

    name: str
    kind: Kind
    title: str
    help: str
    sizes: tuple[int, ...]
    #: Made when a flow is created; others are made or imported when wanted.
    issued_at_creation: bool = True
    #: Requests find their flow by this secret (an API key header).
    locates: bool = False
    #: Handed over when it is issued; False for keys only the server ever uses.
    shared: bool = True
    #: Handed to the company's own service behind the flow, and never to the partner.
    for_own_service: bool = False
    #: Its member in the credential bundle; defaults to the name.
    credential: str = ""
    alphabet: str = "hex"
    prefix: str = ""
    pattern: str = r"[\x21-\x2b\x2d-\x7e]{8,512}"

    @property
    def credential_name(self) -> str:
        """Return the member name under which it is handed over."""
        return self.credential or self.name


def short_fingerprint(fingerprint: str) -> str:
    """Return the first 16 digits in groups of four: enough to tell keys apart by eye."""
    digits = fingerprint[:16]
    return " ".join(digits[start : start + 4] for start in range(0, len(digits), 4))


def key_label(purpose: str, version: int, fingerprint: str) -> str:
    """Return how pages and logs call a version: *api_key v2 (3f5a 90c1 77de 0b42)*."""
    short = f" ({short_fingerprint(fingerprint)})" if fingerprint else ""
    return f"{purpose} v{version}{short}"


@dataclass(frozen=True, slots=True)
class KeyVersion:
    """One version of one secret, parsed. ``repr`` never shows the material.

    ``fingerprint`` is what the product shows of it; empty where nobody looks.
    """

    id: str
    purpose: str
    version: int
    material: Material = field(repr=False)
    fingerprint: str = ""
    #: The modulus of an RSA key, once it was asked for: working it out takes ten microseconds.
    _modulus: list[bytes] = field(default_factory=list, init=False, repr=False, compare=False)

    @property
    def rsa_private(self) -> RSAPrivateKey:
        """Return the private key; raises KeyMaterialError for any other material."""
        if not isinstance(self.material, RSAPrivateKey):
            raise KeyMaterialError(f"{self.purpose} is not an RSA private key.")
        return self.material

    @property
    def rsa_modulus(self) -> bytes:
        """Return the private key's :func:`rsa.modulus`; raises KeyMaterialError without one."""
        if not self._modulus:
            self._modulus.append(rsa.modulus(self.rsa_private))
        return self._modulus[0]

    @property
    def rsa_public(self) -> RSAPublicKey:
        """Return the public half; raises KeyMaterialError for symmetric material."""
        if isinstance(self.material, RSAPrivateKey):
            return self.material.public_key()
        if isinstance(self.material, RSAPublicKey):
            return self.material
        raise KeyMaterialError(f"{self.purpose} is not an RSA key.")

    @property
    def raw(self) -> bytes:
        """Return symmetric key bytes; raises KeyMaterialError otherwise."""
        if not isinstance(self.material, bytes):
            raise KeyMaterialError(f"{self.purpose} is not a symmetric key.")
        return self.material

    @property
    def text(self) -> str:
        """Return a token's text; raises KeyMaterialError otherwise."""
        if not isinstance(self.material, str):
            raise KeyMaterialError(f"{self.purpose} is not a token.")
        return self.material


@dataclass(frozen=True, slots=True)
class Credentials:
    """Identities and usable key versions of one flow.

    ``identity`` are the public names of the contract (user id, flow-id,
    client_id…). ``versions`` maps a purpose to its accepted versions, the one
    that seals first.
    """

    identity: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, tuple[KeyVersion, ...]] = field(default_factory=dict)
    #: Purposes whose first version may seal (an *active* version exists).
    sealing: frozenset[str] | None = None

    def accepted(self, purpose: str) -> tuple[KeyVersion, ...]:
        """Return every version that opens, possibly none."""
        return self.versions.get(purpose, ())

    def active(self, purpose: str) -> KeyVersion:
        """Return the version that seals; raises KeyUnavailableError without one."""
        versions = self.versions.get(purpose)
        if not versions or (self.sealing is not None and purpose not in self.sealing):
            raise KeyUnavailableError(
                f"There is no active {purpose} key.",
                f"Generate or promote one for the purpose {purpose}.",
            )
        return versions[0]


_TOKEN_TEXT: Mapping[str, Callable[[bytes], str]] = {
    "hex": bytes.hex,
    "url": base64_text.encode_url,
    "base64": base64_text.encode,
}


def generate_material(spec: PurposeSpec, size: int | None = None) -> bytes:
    """Return fresh material of ``spec`` in its stored form.

    RSA: PKCS#8 DER; AES: the raw bytes; token: ASCII. ``size`` as in
    :attr:`PurposeSpec.sizes`; raises KeyMaterialError for one not listed.
    """
    size = spec.sizes[0] if size is None else size
    if size not in spec.sizes:
        raise KeyMaterialError(
            f"{spec.name} cannot have size {size}.", f"Choose one of {sorted(spec.sizes)}."
        )
    if spec.kind is Kind.RSA:
        return rsa.private_to_der(rsa.generate(size))
    if spec.kind is Kind.AES:
        return secrets.token_bytes(size)
    return (spec.prefix + _TOKEN_TEXT[spec.alphabet](secrets.token_bytes(size))).encode("ascii")


def parse_material(spec: PurposeSpec, stored: bytes, *, trusted: bool) -> Material:
    """Return the parsed form of stored material.

    ``trusted`` skips the primality checks of an RSA key (40 ms to 270 ms) and is
    only for material this product validated before and authenticated since.
    Raises KeyMaterialError for anything that is not material of ``spec``.
    """
    if spec.kind is Kind.RSA:
        key = rsa.load_private_der(stored, trusted=trusted)
        if key.key_size not in spec.sizes:
            allowed = " or ".join(map(str, spec.sizes))
            raise KeyMaterialError(f"{spec.name} must have {allowed} bits, not {key.key_size}.")
        return key
    if spec.kind is Kind.AES:
        if len(stored) not in spec.sizes:
            raise KeyMaterialError(
                f"{spec.name} must be {' or '.join(map(str, spec.sizes))} bytes, not {len(stored)}."
            )
        return stored
    try:
        text = stored.decode("ascii")
    except UnicodeDecodeError:
        raise KeyMaterialError(f"{spec.name} must be plain ASCII text.") from None
    if not re.fullmatch(spec.pattern, text):
        raise KeyMaterialError(
            f"{spec.name} is not of the expected form.",
            f"It must match {spec.pattern}.",
        )
    return text


def material_to_text(spec: PurposeSpec, stored: bytes) -> str:
    """Return stored material as a partner receives it.

    RSA: the public half as PEM; AES: standard base64; token: itself. Raises
    KeyMaterialError for anything that is not material of ``spec``.
    """
    material = parse_material(spec, stored, trusted=True)
    if isinstance(material, str):
        return material
    if isinstance(material, bytes):
        return base64_text.encode(material)
    return rsa.public_pem(material)


def material_from_text(spec: PurposeSpec, text: str, passphrase: str = "") -> bytes:
    """Return the stored form of a secret that a person pasted, fully checked.

    RSA: a private key as PEM (PKCS#1 or PKCS#8, ``passphrase`` where it has one); AES: base64
    in either alphabet, or hex; token: the text. White space around it is dropped. Raises
    KeyMaterialError that names the mistake; see :mod:`crypto_schemes.pasted_keys`.
    """
    if spec.kind is Kind.RSA:
        stored = rsa.private_to_der(pasted_keys.read_private_pem(text, passphrase, spec.sizes))
    elif spec.kind is Kind.AES:
        stored = pasted_keys.read_symmetric(spec.title, text, spec.sizes)
    else:
        stored = pasted_keys.read_token(spec.title, text, spec.pattern)
    parse_material(spec, stored, trusted=False)
    return stored
