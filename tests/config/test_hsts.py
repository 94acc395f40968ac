"""What HSTS promises for other names than our own is promised on request alone."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from tests.support.module_copy import fresh

pytestmark = pytest.mark.once


@pytest.fixture(autouse=True)
def _tls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("config.product_settings.PUBLIC_URL", "https://gw.bank.example")


def promised() -> tuple[int, bool, bool]:
    settings = fresh("config.settings")
    return (
        settings.SECURE_HSTS_SECONDS,
        settings.SECURE_HSTS_INCLUDE_SUBDOMAINS,
        settings.SECURE_HSTS_PRELOAD,
    )


def test_tls_alone_promises_it_for_our_own_name() -> None:
    assert promised() == (31_536_000, False, False)


def test_the_rest_is_promised_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEALGATE_HSTS_SUBDOMAINS", "true")
    assert promised() == (31_536_000, True, False)
    monkeypatch.setenv("SEALGATE_HSTS_PRELOAD", "true")
    assert promised() == (31_536_000, True, True)


def test_the_list_of_browsers_takes_none_without_subdomains(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SEALGATE_HSTS_PRELOAD", "true")
    with pytest.raises(ImproperlyConfigured, match="SEALGATE_HSTS_SUBDOMAINS"):
        promised()
