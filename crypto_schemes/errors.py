"""The only exceptions that leave this package.

Every error carries three parts: ``code`` (stable, for machines and logs),
``what`` (a sentence for a person) and ``fix`` (what to do about it). None of
them ever quotes key material, plaintext or the input it complains about.
"""

from __future__ import annotations

from collections.abc import Sequence


class SchemeError(Exception):
    """Base of every error raised by :mod:`crypto_schemes`."""

    code = "scheme_error"

    def __init__(self, what: str, fix: str = "", *, code: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.fix = fix
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        return f"{self.code}: {self.what}" + (f" {self.fix}" if self.fix else "")


class EnvelopeError(SchemeError):
    """The outer, unencrypted wrapper is not of the contract's form.

    May be answered in detail: it says nothing about a key.
    """

    code = "bad_envelope"


class AuthenticationError(SchemeError):
    """A credential that came with the message is missing or not ours."""

    code = "not_authentic"


class SignatureError(AuthenticationError):
    """A keyed signature over the message is missing, malformed or wrong."""

    code = "bad_signature"


class OpenError(SchemeError):
    """The message cannot be opened.

    One class for everything that can go wrong between the first base64
    character and the last JSON brace, because a partner must not be able to
    tell these apart (padding oracle, Bleichenbacher, Vaudenay). ``code`` names
    the step for the operator's log and must never reach the wire.
    """

    code = "cannot_open"


class FreshnessError(SchemeError):
    """The message opened, but its time stamp is outside the allowed window."""

    code = "not_fresh"


class SealError(SchemeError):
    """A reply or request cannot be sealed (not JSON, wrong shape, no key)."""

    code = "cannot_seal"


class KeyMaterialError(SchemeError):
    """Key material is missing, malformed, too weak or of the wrong kind."""

    code = "bad_key_material"


class KeyUnavailableError(SchemeError):
    """No key version of the needed purpose may be used for this."""

    code = "no_usable_key"


class OptionsError(SchemeError):
    """Options of a flow are unknown or out of range.

    ``problems`` pairs each option's name (empty where several together are wrong) with
    what is wrong and would do.
    """

    code = "bad_options"

    def __init__(self, problems: Sequence[tuple[str, str]], fix: str = "") -> None:
        super().__init__("; ".join(f"{name or 'options'}: {what}" for name, what in problems), fix)
        self.problems = tuple(problems)
