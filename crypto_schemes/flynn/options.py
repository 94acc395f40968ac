"""Options of a Flynn flow."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from crypto_schemes.ciphers.rsa import RSAPadding
from crypto_schemes.options import Options

RekEncoding = Literal["hex", "utf8", "base64"]
IVEncoding = Literal["any", "raw", "base64", "hex"]


class FlynnOptions(Options):
    """What the vendor's pages leave open, and the limits of log-ins."""

    rsa_padding: RSAPadding = Field(
        default=RSAPadding.PKCS1V15,
        title="RSA padding",
        description="How the partner wraps the REK and the IV: pkcs1v15 as the vendor says, or "
        "OAEP with SHA-1 or SHA-256 where both sides agreed on it.",
    )
    rsa_bits: Literal[2048, 3072, 4096] = Field(
        default=2048,
        title="Size of a new RSA key in bits",
        description="Applies to the next key pair that is generated. Larger keys cost more time: "
        "3072 bits about three times, 4096 bits about six times as much as 2048.",
    )
    rek_encoding: RekEncoding = Field(
        default="hex",
        title="Writing of the REK",
        description="How the text inside X-FLYNN-S-REK stands for the AES key: hex (32, 48 or 64 "
        "digits, letter case is free), base64 of the 16, 24 or 32 bytes, or utf8, where the text "
        "of 16, 24 or 32 bytes is the key itself. Prefer hex: it is the form in which a forged "
        "block is least likely to pass for a key.",
    )
    iv_encoding: IVEncoding = Field(
        default="any",
        title="Writing of the IV",
        description="How the IV inside X-FLYNN-S-IV is written in CBC mode: raw (16 bytes), "
        "base64 (24 characters), hex (32 digits), or any of the three. Choose raw where every "
        "client of the flow sends raw: a short REK written in hex or base64 then cannot be "
        "passed off as an IV.",
    )
    v1_data_as_string: bool = Field(
        default=True,
        title="v1 replies carry data as a string",
        description="On: the v1 basic routes answer with data as a string that holds JSON, as the "
        "vendor does. Off: data is an ordinary JSON value there too.",
    )
    token_minutes: int = Field(
        default=20,
        ge=1,
        le=1440,
        title="Length of a session in minutes",
        description="How long a user token lasts when the log-in does not say.",
    )
    token_max_minutes: int = Field(
        default=360,
        ge=1,
        le=1440,
        title="Longest session in minutes",
        description="A log-in that asks for more gets this much.",
    )
    token_renewal_factor: int = Field(
        default=6,
        ge=1,
        le=48,
        title="Longest renewed session, in lengths",
        description="A session can be renewed until this many times its length have passed since "
        "the log-in; then the user logs in again.",
    )
    max_sessions: int = Field(
        default=10,
        ge=1,
        le=1000,
        title="Live sessions a user",
        description="A log-in beyond this many is refused until a session ends or expires.",
    )
    max_failed_openings: int = Field(
        default=100,
        ge=1,
        le=100_000,
        title="Failed openings a session",
        description="A session that has sent this many requests whose encrypted headers do not "
        "open is ended and the user logs in again. It keeps whoever got hold of a token and of "
        "recorded headers from finding out their content by trying.",
    )
    portal_session_minutes: int = Field(
        default=360,
        ge=0,
        le=1440,
        title="Length of a portal session in minutes",
        description="How long after a call with the right tax-portal password further calls may "
        "leave it out. 0: every call carries it.",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.token_minutes > self.token_max_minutes:
            raise ValueError("token_minutes must not be more than token_max_minutes")
        return self
