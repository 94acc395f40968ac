"""Uses are counted in all and by day: none is lost, none waits forever, figures are right."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from tenants import key_use, lifecycle
from tenants.actors import Actor
from tenants.lifecycle import IssuedFlow
from tenants.models import Key, KeyUseDay
from tenants.use_batches import UseCounts
from tests.support.at_once import at_once

pytestmark = pytest.mark.django_db
Make = Callable[..., IssuedFlow]

_THREADS, _TIMES = 8, 25
NOON = datetime(2031, 3, 4, 12, tzinfo=UTC)


def days(key: Key) -> dict[date, int]:
    return dict(KeyUseDay.objects.filter(key=key).values_list("day", "count"))


def test_each_use_counts_for_its_version_and_its_day(make_flow: Make) -> None:
    flow = make_flow("citcall").flow
    key, other = flow.keys.get(purpose="api_key"), flow.keys.get(purpose="callback_signing")
    for at in (NOON, NOON, NOON + timedelta(days=1)):
        key_use.note_use((str(key.pk),), at)
    key_use.note_use(())
    key.refresh_from_db()
    assert (key.use_count, key.last_used_at) == (3, NOON + timedelta(days=1))
    assert days(key) == {date(2031, 3, 4): 2, date(2031, 3, 5): 1}
    assert Key.objects.get(pk=other.pk).use_count == 0
    assert days(other) == {}


def test_a_day_is_a_day_of_utc(make_flow: Make) -> None:
    key = make_flow("citcall").flow.keys.get(purpose="api_key")
    jakarta = datetime.fromisoformat("2031-03-05T06:59:59.999999+07:00")
    key_use.note_use((str(key.pk),), jakarta)
    key_use.note_use((str(key.pk),), jakarta + timedelta(microseconds=1))
    assert days(key) == {date(2031, 3, 4): 1, date(2031, 3, 5): 1}


def test_several_versions_take_no_more_statements_than_one_and_count_once_each(
    make_flow: Make, django_assert_num_queries: Any
) -> None:
    keys = [issued.key for issued in make_flow("isu").keys[:3]]
    used = tuple(str(key.pk) for key in keys)
    key_use.note_use(used, NOON)
    # PostgreSQL's rows are locked first, in order.
    with django_assert_num_queries(3 if connection.vendor == "postgresql" else 2):
        key_use.note_use((*used, used[0]), NOON)
    assert [days(key) for key in keys] == [{date(2031, 3, 4): 2}] * 3


def test_a_batch_around_midnight_counts_for_both_days(make_flow: Make) -> None:
    key = make_flow("citcall").flow.keys.get(purpose="api_key")
    uses = UseCounts()
    for at in (NOON + timedelta(days=1), NOON, NOON):
        uses.add([str(key.pk)], at)
    uses.write()
    uses.write()  # begun anew: there is nothing left to write
    key.refresh_from_db()
    assert (key.use_count, key.last_used_at) == (3, NOON + timedelta(days=1))
    assert days(key) == {date(2031, 3, 4): 2, date(2031, 3, 5): 1}


def test_a_version_that_is_not_there_counts_nothing(make_flow: Make) -> None:
    key = make_flow("citcall").flow.keys.get(purpose="api_key")
    key_use.note_use((str(uuid.uuid4()), str(key.pk)), NOON)
    assert KeyUseDay.objects.count() == 1
    assert days(key) == {date(2031, 3, 4): 1}


def test_what_is_undone_is_not_counted(make_flow: Make) -> None:
    key = make_flow("citcall").flow.keys.get(purpose="api_key")
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        key_use.note_use((str(key.pk),), NOON)
        raise ZeroDivisionError
    key.refresh_from_db()
    assert (key.use_count, days(key)) == (0, {})


@pytest.mark.django_db(transaction=True)
def test_many_at_once_are_all_counted(make_flow: Make) -> None:
    used = tuple(str(issued.key.pk) for issued in make_flow("isu").keys[:3])
    ready = threading.Barrier(_THREADS)
    raised: list[Exception] = []

    def work(number: int) -> None:
        mine = used if number % 2 else used[::-1]
        try:
            ready.wait(30)
            for _ in range(_TIMES):
                with transaction.atomic():
                    key_use.note_use(mine, NOON)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test shall see it
            raised.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert raised == []
    counts = set(Key.objects.filter(pk__in=used).values_list("use_count", flat=True))
    assert counts == {_THREADS * _TIMES}
    by_day = list(KeyUseDay.objects.values_list("day", "count"))
    assert by_day == [(date(2031, 3, 4), _THREADS * _TIMES)] * 3


@pytest.mark.django_db(transaction=True)
def test_a_request_under_both_versions_and_their_rotation_do_not_wait_in_a_circle(
    make_flow: Make, actor: Actor
) -> None:
    """A body signed with one app secret may carry a token signed with the other."""
    flow = make_flow("whatsapp_flows").flow
    done = threading.Event()
    both: list[tuple[str, ...]] = [()]

    def rotate() -> None:
        try:
            old = flow.keys.get(purpose="app_secret")
            for _ in range(20):
                new = lifecycle.generate_key(actor, flow, "app_secret").key
                both[0] = (str(old.pk), str(new.pk))
                lifecycle.promote_key(actor, new, overlap=timedelta(days=1))
                old = new
        finally:
            done.set()

    def use() -> None:
        while not done.is_set():
            with transaction.atomic():
                key_use.note_use(both[0])

    assert at_once(rotate, use, use, use) == []


# --- figures -------------------------------------------------------------------------------


def used_on(key: Key, *moments: datetime) -> Key:
    for at in moments:
        key_use.note_use((str(key.pk),), at)
    return Key.objects.get(pk=key.pk)


def test_the_figures_of_a_version(make_flow: Make) -> None:
    key = make_flow("citcall").flow.keys.get(purpose="api_key")
    Key.objects.filter(pk=key.pk).update(created_at=NOON - timedelta(days=40))
    key = used_on(key, *(NOON - timedelta(days=ago) for ago in (30, 8, 7, 6, 0)))
    use = key_use.use_of(key, days=7, now=NOON)
    assert (use.days, use.recent, use.in_all, use.last_at) == (7, 3, 5, NOON)
    assert (use.by_day_since, use.is_exact) == (date(2031, 1, 23), True)
    assert str(use) == (
        "last 2031-03-04 12:00 UTC, 3 times within 7 days, 5 in all, by day since 2031-01-23"
    )
    assert key_use.use_of(key, days=8, now=NOON).recent == 4
    assert key_use.use_of(key, days=1, now=NOON).recent == 1


def test_a_version_never_used(make_flow: Make) -> None:
    key = make_flow("citcall").flow.keys.get(purpose="api_key")
    use = key_use.use_of(key)
    assert (use.days, use.recent, use.in_all, use.last_at) == (7, 0, 0, None)
    assert (use.by_day_since, use.is_exact) == (key.created_at.date(), True)
    assert str(use).startswith("never, 0 times within 7 days, 0 in all")


def test_uses_of_before_days_were_counted_are_not_claimed_by_day(make_flow: Make) -> None:
    key = make_flow("citcall").flow.keys.get(purpose="api_key")
    Key.objects.filter(pk=key.pk).update(use_count=5, created_at=NOON - timedelta(days=40))
    assert key_use.use_of(Key.objects.get(pk=key.pk), now=NOON).by_day_since is None
    key = used_on(key, NOON - timedelta(days=2), NOON)
    use = key_use.use_of(key, now=NOON)
    assert (use.recent, use.in_all, use.by_day_since) == (2, 7, date(2031, 3, 2))
    assert not use.is_exact
    assert "at least 2 times within 7 days" in str(use)
    assert not key_use.use_of(key, days=3, now=NOON).is_exact
    assert key_use.use_of(key, days=2, now=NOON).is_exact


def test_days_of_a_flow(make_flow: Make) -> None:
    ours, theirs = make_flow("citcall").flow, make_flow("citcall").flow
    key = ours.keys.get(purpose="api_key")
    used_on(key, NOON, NOON)
    used_on(theirs.keys.get(purpose="api_key"), NOON)
    assert key_use.days_of_flow(ours) == {key.pk: {date(2031, 3, 4): 2}}


def test_days_are_kept_for_four_hundred_days(
    make_flow: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_use, "_AT_ONCE", 2)
    key = make_flow("citcall").flow.keys.get(purpose="api_key")
    key = used_on(key, *(NOON - timedelta(days=ago) for ago in (405, 404, 403, 402, 401, 400, 0)))
    assert key_use.forget_old_days(NOON) == 5
    assert days(key) == {date(2030, 1, 28): 1, date(2031, 3, 4): 1}
    assert key_use.forget_old_days(NOON) == 0
    use = key_use.use_of(key, now=NOON)
    assert (use.in_all, use.by_day_since) == (7, date(2030, 1, 28))
