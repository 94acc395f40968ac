"""The mail server's address is read, or refused with a sentence that quotes no password."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.mail import read_mail_server

pytestmark = pytest.mark.once
OPS = ["ops@acme.example"]


@pytest.mark.parametrize(
    ("url", "found"),
    [
        (
            "smtp+tls://me:p%40ss%2F@mail.example:587",
            {
                "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
                "EMAIL_HOST": "mail.example",
                "EMAIL_PORT": 587,
                "EMAIL_HOST_USER": "me",
                "EMAIL_HOST_PASSWORD": "p@ss/",
                "EMAIL_USE_TLS": True,
            },
        ),
        ("smtp+ssl://mail.example:465", {"EMAIL_HOST": "mail.example", "EMAIL_USE_SSL": True}),
        ("smtp://127.0.0.1:1025", {"EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": 1025}),
    ],
)
def test_an_address_that_can_be_read(url: str, found: dict[str, object]) -> None:
    read = read_mail_server(url, OPS)
    assert {name: read[name] for name in found} == found


def test_without_a_server_nothing_is_sent() -> None:
    backend = read_mail_server("", [])["EMAIL_BACKEND"]
    assert backend == "django.core.mail.backends.dummy.EmailBackend"


def test_somebody_to_write_to_and_no_server() -> None:
    with pytest.raises(ImproperlyConfigured, match="no mail could be sent: set EMAIL_URL"):
        read_mail_server("", OPS)


@pytest.mark.parametrize("url", ["https://me:hunter2@mail.example", "smtp://me:hunter2@x:port"])
def test_an_address_that_cannot_be_read(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="EMAIL_URL cannot be read") as caught:
        read_mail_server(url, OPS)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("address", ["ops", "ops@", "a@b.example\nBcc: x@y.example"])
def test_an_operator_that_is_no_address(address: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="is no e-mail address"):
        read_mail_server("smtp://127.0.0.1:1025", [address])
