"""Every message can be checked with a stock Standard Webhooks library, during a rollover too."""

from __future__ import annotations

import base64
import time

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from callbacks import signing
from crypto_schemes.errors import KeyUnavailableError
from crypto_schemes.keys import Credentials, KeyVersion

pytestmark = pytest.mark.once

NEW = "whsec_" + base64.b64encode(b"n" * 24).decode()
OLD = "whsec_" + base64.b64encode(b"o" * 24).decode()
OTHER = "whsec_" + base64.b64encode(b"x" * 24).decode()
BODY = b'{"a":"\xc3\xa9"}'


def credentials(*secrets: str) -> Credentials:
    versions = tuple(
        KeyVersion(id=secret, purpose="callback_signing", version=9 - index, material=secret)
        for index, secret in enumerate(secrets)
    )
    return Credentials(versions={"callback_signing": versions} if versions else {})


def test_the_three_headers_are_those_of_the_specification() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    headers = signing.headers(
        credentials(secret), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.parametrize("secret", [NEW, OLD])
def test_the_holder_of_any_accepted_secret_can_check(secret: str) -> None:
    headers = signing.headers(credentials(NEW, OLD), "id-1", int(time.time()), BODY)
    assert headers["webhook-signature"].count("v1,") == 2
    assert headers["webhook-signature"].count(" ") == 1
    assert Webhook(secret).verify(BODY, headers) == {"a": "é"}


def test_anything_changed_fails_to_check() -> None:
    now = int(time.time())
    headers = signing.headers(credentials(NEW), "id-1", now, BODY)
    for secret, body, changed in (
        (OTHER, BODY, {}),
        (NEW, BODY + b" ", {}),
        (NEW, BODY, {"webhook-id": "id-2"}),
        (NEW, BODY, {"webhook-timestamp": str(now + 1)}),
    ):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(body, {**headers, **changed})


def test_without_a_secret_nothing_is_signed() -> None:
    with pytest.raises(KeyUnavailableError):
        signing.headers(credentials(), "id-1", 1, BODY)
