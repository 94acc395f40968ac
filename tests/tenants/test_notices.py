"""Operators are told by a real mail server: after the commit, at least once, none lost."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from tenants import notices, tasks
from tenants.models import OperatorNotice
from tests.support.at_once import at_once
from tests.support.mail_server import MailServer, mail_server

pytestmark = pytest.mark.django_db
LATER = timedelta(minutes=10)


@pytest.fixture
def server(settings: Any) -> Iterator[MailServer]:
    with mail_server() as running:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", running.port
        settings.EMAIL_TIMEOUT = 5
        settings.OPERATORS_EMAIL = ["ops@acme.example", "lead@acme.example"]
        settings.DEFAULT_FROM_EMAIL = "sealgate@gateway.example"
        yield running


def bodies(server: MailServer) -> list[str]:
    return [str(message.get_payload()).replace("\r\n", "\n") for _, _, message in server.taken]


def test_a_notice_reaches_every_operator_once(server: MailServer) -> None:
    notices.tell_operators("API key version 1 expires", "Client: acme")
    assert server.connections == 0
    assert notices.send_due() == 1
    assert notices.send_due() == 0
    ((sender, receivers, message),) = server.taken
    assert (sender, receivers) == (
        "sealgate@gateway.example",
        ["ops@acme.example", "lead@acme.example"],
    )
    assert message["Subject"] == "[Sealgate] API key version 1 expires"
    assert bodies(server) == ["API key version 1 expires\nClient: acme\n"]
    assert not OperatorNotice.objects.exists()


def test_several_go_in_one_mail(server: MailServer) -> None:
    for number in range(3):
        notices.tell_operators(f"notice {number}", f"text {number}")
    assert notices.send_due() == 3
    ((_, _, message),) = server.taken
    assert message["Subject"] == "[Sealgate] 3 notices"
    assert bodies(server) == ["notice 0\ntext 0\n\nnotice 1\ntext 1\n\nnotice 2\ntext 2\n"]


@pytest.mark.parametrize(
    "refuse",
    [
        {"RCPT": "550 no such person"},
        {"MAIL": "421 not now"},
        {"DATA": "451 later"},
        {"MESSAGE": "554 spam"},
        {"MESSAGE": "hang up"},
        {"EHLO": "hang up"},
    ],
    ids=str,
)
def test_what_is_not_taken_is_said_and_tried_again(
    server: MailServer, caplog: pytest.LogCaptureFixture, refuse: dict[str, str]
) -> None:
    notices.tell_operators("first", "text")
    server.refuse = refuse
    now = timezone.now()
    with caplog.at_level(logging.INFO, "sealgate.notices"):
        assert notices.send_due(now) == 0
    (said,) = caplog.records
    assert said.levelname == "ERROR"
    assert "cannot be told by e-mail" in said.getMessage()
    assert "Tried again in 10 minutes." in said.getMessage()
    assert OperatorNotice.objects.get().title == "first"
    server.refuse = {}
    connections = server.connections
    assert notices.send_due(now + LATER - timedelta(seconds=1)) == 0
    assert server.connections == connections
    notices.tell_operators("second", "text")
    assert notices.send_due(now + LATER) == 2
    assert bodies(server) == ["first\ntext\n\nsecond\ntext\n"]


def test_a_server_that_is_away_is_tried_again(server: MailServer, settings: Any) -> None:
    settings.EMAIL_PORT, port = 1, settings.EMAIL_PORT
    notices.tell_operators("first", "text")
    now = timezone.now()
    assert notices.send_due(now) == 0
    settings.EMAIL_PORT = port
    assert notices.send_due(now + LATER) == 1
    assert len(server.taken) == 1


def test_a_sender_that_dies_over_the_mail_loses_nothing(server: MailServer) -> None:
    """What a killed process leaves behind: the claim is written, the notice is not deleted."""
    notices.tell_operators("first", "text")
    now = timezone.now()
    claimed = notices._claim(now)
    assert [notice.title for notice in claimed] == ["first"]
    assert notices.send_due(now + LATER - timedelta(seconds=1)) == 0
    assert notices.send_due(now + LATER) == 1
    assert len(server.taken) == 1


def test_what_was_undone_is_not_told(server: MailServer) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        notices.tell_operators("never", "text")
        raise ZeroDivisionError
    assert notices.send_due() == 0
    assert server.connections == 0


def test_without_operators_nothing_is_written_or_sent(server: MailServer, settings: Any) -> None:
    notices.tell_operators("before", "text")
    settings.OPERATORS_EMAIL = []
    notices.tell_operators("nobody", "text")
    assert notices.send_due() == 0
    assert server.connections == 0
    assert [notice.title for notice in OperatorNotice.objects.all()] == ["before"]


@pytest.mark.django_db(transaction=True)
def test_no_transaction_is_open_while_a_mail_is_sent(
    server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside: list[bool] = []
    made = notices._mail

    def note(claimed: list[OperatorNotice]) -> Any:
        inside.append(connection.in_atomic_block)
        return made(claimed)

    monkeypatch.setattr(notices, "_mail", note)
    notices.tell_operators("first", "text")
    assert tasks.send_notices() == 1
    assert inside == [False]


@pytest.mark.django_db(transaction=True)
def test_workers_at_once_send_each_notice_once(server: MailServer) -> None:
    for number in range(5):
        notices.tell_operators(f"notice {number}", "text")
    assert at_once(*[notices.send_due] * 4) == []
    text = "".join(bodies(server))
    assert [text.count(f"notice {number}\n") for number in range(5)] == [1] * 5
    assert not OperatorNotice.objects.exists()
