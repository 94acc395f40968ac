"""The second factor of a person: a sealed secret shared with their authenticator app."""

from __future__ import annotations

import base64
import secrets
import time
from typing import Any, Final
from urllib.parse import quote, urlencode

from django.db import models
from django_otp.models import Device, ThrottlingMixin
from django_otp.oath import TOTP

from tenants import at_rest

#: RFC 4226 §4 R6 recommends 160 bits.
_SECRET_BYTES: Final = 20
_PERIOD: Final = 30
_DIGITS: Final = 6
#: One step early or late, for clocks that differ (RFC 6238 §5.2).
_TOLERANCE: Final = 1


class SecondFactor(ThrottlingMixin, Device):  # type: ignore[misc]  # django-otp has no types
    """A TOTP secret (RFC 6238), kept sealed; a code is good once, wrong ones slow guessing down."""

    sealed = models.BinaryField()
    last_step = models.BigIntegerField(
        default=-1, help_text="The time step of the last code that was taken."
    )

    class Meta:
        verbose_name = "second factor"
        constraints = [models.UniqueConstraint(fields=("user",), name="second_factor_one_each")]

    @property
    def at_rest_context(self) -> str:
        """Return the context that binds the secret to this person."""
        return f"console.secondfactor|{self.user_id}"

    @classmethod
    def begin(cls, user: Any) -> SecondFactor:
        """Return the person's unconfirmed factor, made now unless there is one.

        Raises cls.DoesNotExist when theirs is confirmed already: it is never shown again.
        """
        factor = cls(user=user, name="authenticator", confirmed=False)
        fresh = at_rest.seal(secrets.token_bytes(_SECRET_BYTES), factor.at_rest_context)
        cls.objects.get_or_create(
            user=user, defaults={"name": factor.name, "confirmed": False, "sealed": fresh}
        )
        found: SecondFactor = cls.objects.get(user=user, confirmed=False)
        return found

    @property
    def secret_text(self) -> str:
        """Return the secret in base32, as people type it into an app."""
        return base64.b32encode(self._secret()).decode("ascii").rstrip("=")

    @property
    def app_url(self) -> str:
        """Return the ``otpauth:`` address that authenticator apps read from a QR code."""
        label = quote(f"Sealgate:{self.user.get_username()}")
        query = urlencode(
            {
                "secret": self.secret_text,
                "issuer": "Sealgate",
                "algorithm": "SHA1",
                "digits": _DIGITS,
                "period": _PERIOD,
            }
        )
        return f"otpauth://totp/{label}?{query}"

    def verify_token(self, token: str) -> bool:
        """Return whether ``token`` is a code of now that was not taken before.

        Call it with the row locked (``django_otp.verify_token``), so that two requests cannot
        take the same code.
        """
        if not self.verify_is_allowed()[0]:
            return False
        totp = TOTP(self._secret(), step=_PERIOD, digits=_DIGITS)
        totp.time = time.time()
        is_number = token.isascii() and token.isdecimal() and len(token) == _DIGITS
        if not is_number or not totp.verify(int(token), _TOLERANCE, self.last_step + 1):
            self.throttle_increment(commit=True)
            return False
        self.last_step = totp.t()
        self.throttle_reset(commit=False)
        self.save()
        return True

    def get_throttle_factor(self) -> float:
        """Return 1: after n wrong codes in a row the next is looked at 2^(n-1) seconds later."""
        return 1

    def _secret(self) -> bytes:
        return at_rest.open_sealed(self.sealed, self.at_rest_context)
