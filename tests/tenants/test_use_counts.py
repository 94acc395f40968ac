"""Requests of one flow count the use of the same keys at once: none is lost, none waits forever."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from django.db import connection, transaction

from tenants import keyring
from tenants.lifecycle import IssuedFlow
from tenants.models import Key

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
