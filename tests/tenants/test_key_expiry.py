"""An expiry warns, each threshold once, and stops nothing."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from tenants import lifecycle, notices, tasks
from tenants.actors import Actor
from tenants.keyring import Keyring
from tenants.lifecycle import IssuedFlow, LifecycleError
from tenants.models import AuditEntry, Flow, Key, KeyringEpoch, OperatorNotice
from tests.support.at_once import at_once
from tests.support.mail_server import MailServer, mail_server

pytestmark = pytest.mark.django_db
Make = Callable[..., IssuedFlow]
DAY = timedelta(days=1)
TOKEN = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def flow(make_flow: Make) -> Flow:
    return make_flow("citcall", address="p1").flow


@pytest.fixture
def key(flow: Flow, actor: Actor) -> Key:
    """The active API key, which expires in 100 days."""
    active = flow.keys.get(purpose="api_key")
    return lifecycle.set_key_expiry(actor, active, expires_at=timezone.now() + 100 * DAY)


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], list[str]]]:
    """Return what was logged since the last call."""

    def since() -> list[str]:
        said = [record.getMessage() for record in caplog.records if record.name == "sealgate.keys"]
        caplog.clear()
        return said

    with caplog.at_level(logging.WARNING, "sealgate.keys"):
        yield since


def everything() -> tuple[Any, ...]:
    return (
        list(Key.objects.values().order_by("pk")),
        AuditEntry.objects.count(),
        KeyringEpoch.objects.get().value,
    )


# --- setting it ----------------------------------------------------------------------------


def test_a_version_is_made_with_an_expiry(flow: Flow, actor: Actor) -> None:
    until = timezone.now() + 365 * DAY
    made = lifecycle.generate_key(actor, flow, "api_key", expires_at=until).key
    assert Key.objects.get(pk=made.pk).expires_at == until
    assert AuditEntry.objects.latest("pk").after["expires_at"] == until.isoformat()
    taken = lifecycle.import_text(actor, flow, "api_key", TOKEN, expires_at=until)
    assert Key.objects.get(pk=taken.pk).expires_at == until
    assert lifecycle.generate_key(actor, flow, "api_key").key.expires_at is None


@pytest.mark.parametrize("ago", [timedelta(0), DAY, -4000 * DAY], ids=["now", "past", "far"])
def test_an_expiry_that_cannot_be(flow: Flow, actor: Actor, ago: timedelta) -> None:
    at = timezone.now() - ago
    active = flow.keys.get(purpose="api_key")
    before = everything()
    for attempt in (
        lambda: lifecycle.generate_key(actor, flow, "api_key", expires_at=at),
        lambda: lifecycle.import_text(actor, flow, "api_key", TOKEN, expires_at=at),
        lambda: lifecycle.set_key_expiry(actor, active, expires_at=at),
    ):
        with pytest.raises(LifecycleError, match="lies in the future, ten years ahead at most"):
            attempt()
    assert everything() == before


def test_an_expiry_is_set_changed_and_taken_away(flow: Flow, actor: Actor) -> None:
    key = flow.keys.get(purpose="api_key")
    first, second = timezone.now() + 5 * DAY, timezone.now() + 50 * DAY
    epoch = KeyringEpoch.objects.get().value
    for expires_at in (first, second, second, None, None):
        assert lifecycle.set_key_expiry(actor, key, expires_at=expires_at).expires_at == expires_at
        assert Key.objects.get(pk=key.pk).expires_at == expires_at
    entries = AuditEntry.objects.filter(verb="key.set_expiry").order_by("pk")
    assert [(entry.before["expires_at"], entry.after["expires_at"]) for entry in entries] == [
        (None, first.isoformat()),
        (first.isoformat(), second.isoformat()),
        (second.isoformat(), None),
    ]
    assert KeyringEpoch.objects.get().value == epoch


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2031-01-31", datetime(2031, 1, 31, tzinfo=UTC)),
        (" 2031-01-31T18:00 ", datetime(2031, 1, 31, 18, tzinfo=UTC)),
        ("2031-01-31T18:00+07:00", datetime(2031, 1, 31, 11, tzinfo=UTC)),
        ("", None),
        ("  ", None),
    ],
)
def test_how_an_expiry_is_written(text: str, at: datetime | None) -> None:
    assert lifecycle.read_expiry(text) == at


@pytest.mark.parametrize("text", ["soon", "31.01.2031", "2031-02-30", "0001-01-01T00:00+14:00"])
def test_what_is_no_date(text: str) -> None:
    with pytest.raises(LifecycleError, match="2031-01-31"):
        lifecycle.read_expiry(text)


# --- warnings ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "threshold"),
    [
        (timedelta(days=30, microseconds=1), None),
        (timedelta(days=30), 30),
        (timedelta(days=7, seconds=1), 30),
        (timedelta(days=7), 7),
        (timedelta(days=1, seconds=1), 7),
        (timedelta(days=1), 1),
        (timedelta(microseconds=1), 1),
        (timedelta(0), 0),
        (timedelta(days=-99), 0),
    ],
)
def test_thresholds(left: timedelta, threshold: int | None) -> None:
    now = timezone.now()
    assert lifecycle.threshold_at(now + left, now) == threshold


def test_each_threshold_is_told_once(key: Key, told: Callable[[], list[str]]) -> None:
    assert key.expires_at is not None
    day = f"{key.expires_at:%Y-%m-%d}"
    name = "API key version 1 of citcall/p1"
    for left, said in (
        (31, []),
        (30, [f"{name} expires in 30 days, on {day}"]),
        (29, []),
        (7, [f"{name} expires in 7 days, on {day}"]),
        (6.9, []),
        (1, [f"{name} expires in 1 day, on {day}"]),
        (0.01, []),
        (0, [f"{name} is past its expiry of {day}"]),
        (-1, []),
        (-500, []),
    ):
        assert lifecycle.warn_of_expiry(key.expires_at - left * DAY) == len(said)
        assert told() == said
        assert lifecycle.warn_of_expiry(key.expires_at - left * DAY) == 0
        assert told() == []


def test_after_a_long_silence_the_closest_threshold_is_told(
    key: Key, told: Callable[[], list[str]]
) -> None:
    assert key.expires_at is not None
    assert lifecycle.warn_of_expiry(key.expires_at - 5 * DAY) == 1
    assert told() == [
        f"API key version 1 of citcall/p1 expires in 5 days, on {key.expires_at:%Y-%m-%d}"
    ]
    assert lifecycle.warn_of_expiry(key.expires_at - 2 * DAY) == 0
    assert lifecycle.warn_of_expiry(key.expires_at + DAY) == 1


def test_the_log_line_has_what_one_searches_for(key: Key, caplog: pytest.LogCaptureFixture) -> None:
    assert key.expires_at is not None
    with caplog.at_level(logging.WARNING, "sealgate.keys"):
        lifecycle.warn_of_expiry(key.expires_at)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    said = record.__dict__
    assert {name: said[name] for name in ("client", "scheme", "address", "purpose", "version")} == {
        "client": "acme",
        "scheme": "citcall",
        "address": "p1",
        "purpose": "api_key",
        "version": 1,
    }
    assert (said["fingerprint"], said["threshold_days"]) == (key.fingerprint[:16], 0)
    assert said["expires_at"] == key.expires_at.isoformat()


def test_a_changed_expiry_warns_anew(key: Key, actor: Actor, told: Callable[[], list[str]]) -> None:
    assert key.expires_at is not None
    assert lifecycle.warn_of_expiry(key.expires_at) == 1
    later = lifecycle.set_key_expiry(actor, key, expires_at=key.expires_at + 100 * DAY)
    assert later.expires_at is not None
    assert lifecycle.warn_of_expiry(later.expires_at - 31 * DAY) == 0
    assert lifecycle.warn_of_expiry(later.expires_at - 30 * DAY) == 1
    assert len(told()) == 2


@pytest.mark.parametrize("state", ["retiring", "retired", "revoked"])
def test_who_was_replaced_or_ended_is_not_warned_of(
    flow: Flow, key: Key, actor: Actor, told: Callable[[], list[str]], state: str
) -> None:
    assert key.expires_at is not None
    if state == "revoked":
        lifecycle.revoke_key(actor, key, reason="test")
    else:
        new = lifecycle.generate_key(actor, flow, "api_key").key
        overlap = DAY if state == "retiring" else timedelta(0)
        lifecycle.promote_key(actor, new, overlap=overlap)
    assert Key.objects.get(pk=key.pk).state == state
    assert lifecycle.warn_of_expiry(key.expires_at) == 0
    assert told() == []


def test_a_staged_version_is_warned_of(flow: Flow, actor: Actor) -> None:
    until = timezone.now() + DAY
    lifecycle.generate_key(actor, flow, "api_key", expires_at=until)
    assert lifecycle.warn_of_expiry(until) == 1


def test_an_expiry_stops_nothing(flow: Flow, key: Key) -> None:
    assert key.expires_at is not None
    later = key.expires_at + 400 * DAY
    ring = Keyring(now=later.timestamp)
    snapshot = ring.by_flow_id(str(flow.pk))
    assert snapshot is not None
    credentials = snapshot.credentials(later.timestamp())
    assert credentials.active("api_key").version == 1
    lifecycle.warn_of_expiry(later)
    assert Key.objects.get(pk=key.pk).state == "active"


@pytest.mark.django_db(transaction=True)
def test_workers_at_once_tell_once(
    make_flow: Make,
    actor: Actor,
    settings: Any,
    told: Callable[[], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.OPERATORS_EMAIL = ["ops@acme.example"]
    tell = notices.tell_operators

    def slowly(title: str, text: str) -> None:
        """Hold the row long enough for the others to have read it as it was."""
        tell(title, text)
        time.sleep(0.5)

    monkeypatch.setattr(notices, "tell_operators", slowly)
    key = make_flow("citcall").flow.keys.get(purpose="api_key")
    until = timezone.now() + DAY
    lifecycle.set_key_expiry(actor, key, expires_at=until)
    assert at_once(*[lambda: lifecycle.warn_of_expiry(until)] * 4) == []
    assert len(told()) == 1
    assert OperatorNotice.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_task_writes_to_the_operators_and_tries_again(
    make_flow: Make, actor: Actor, settings: Any, told: Callable[[], list[str]]
) -> None:
    """Mail is away when the warning is due: the log has it once, the mail comes later, once."""
    made = make_flow("citcall", address="p1").flow
    key = made.keys.get(purpose="api_key")
    until = timezone.now() + timedelta(days=6, hours=23)
    lifecycle.set_key_expiry(actor, key, expires_at=until)
    with mail_server() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        settings.OPERATORS_EMAIL = ["ops@acme.example"]
        server.refuse = {"RCPT": "450 mailbox busy"}
        assert tasks.warn_of_expiry() == 1
        assert tasks.warn_of_expiry() == 0
        assert len(told()) == 1
        assert server.taken == []
        server.refuse = {}
        OperatorNotice.objects.update(next_attempt_at=timezone.now())
        tasks.warn_of_expiry()
        tasks.warn_of_expiry()
        _assert_told(server, made, key, until)


def _assert_told(server: MailServer, flow: Flow, key: Key, until: datetime) -> None:
    ((_, receivers, message),) = server.taken
    assert receivers == ["ops@acme.example"]
    title = f"API key version 1 of citcall/p1 expires in 7 days, on {until:%Y-%m-%d}"
    assert message["Subject"] == f"[Sealgate] {title}"
    assert str(message.get_payload()).replace("\r\n", "\n") == (
        f"{title}\n"
        "Client: acme\n"
        f"Fingerprint: {key.fingerprint[:16]}\n"
        f"Expiry: {until:%Y-%m-%d %H:%M} UTC. It goes on opening after that.\n"
        "What to do: generate its successor, hand it over, promote it: "
        f"http://127.0.0.1:8000/admin/tenants/flow/{flow.pk}/change/#keys\n"
    )


# --- counts --------------------------------------------------------------------------------


def test_how_many_stand_at_each_threshold(make_flow: Make, actor: Actor) -> None:
    now = timezone.now()
    assert lifecycle.count_near_expiry(now) == {30: 0, 7: 0, 1: 0, 0: 0}
    keys = [issued.key for _ in range(3) for issued in make_flow("citcall").keys]
    for key, left in zip(keys, (31, 30, 8, 7, 3, 2, 0.5, 0, -3), strict=True):
        Key.objects.filter(pk=key.pk).update(expires_at=now + left * DAY)
    assert lifecycle.count_near_expiry(now) == {30: 2, 7: 3, 1: 1, 0: 2}
    Key.objects.filter(pk=keys[-1].pk).update(state="revoked", end_reason="x", ended_at=now)
    assert lifecycle.count_near_expiry(now) == {30: 2, 7: 3, 1: 1, 0: 1}
