"""Requests of one flow count the use of the same keys at once: none is lost, none waits forever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection, transaction

from tenants import keyring, lifecycle
from tenants.actors import Actor
from tenants.lifecycle import IssuedFlow
from tenants.models import Key
from tests.tenants.test_at_once import at_once

_THREADS, _TIMES = 8, 25


@pytest.mark.django_db(transaction=True)
def test_many_at_once_are_all_counted(make_flow: Callable[..., IssuedFlow]) -> None:
    used = tuple(str(issued.key.pk) for issued in make_flow("isu").keys[:3])
    ready = threading.Barrier(_THREADS)
    raised: list[Exception] = []

    def work() -> None:
        try:
            ready.wait(30)
            for _ in range(_TIMES):
                with transaction.atomic():
                    keyring.note_use(used)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test shall see it
            raised.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert raised == []
    counts = set(Key.objects.filter(pk__in=used).values_list("use_count", flat=True))
    assert counts == {_THREADS * _TIMES}


@pytest.mark.django_db(transaction=True)
def test_a_request_under_both_versions_and_their_rotation_do_not_wait_in_a_circle(
    make_flow: Callable[..., IssuedFlow], actor: Actor
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
                keyring.note_use(both[0])

    assert at_once(rotate, use, use, use) == []
