"""Rows written past the ORM hold just what the ORM would have written."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import Model
from django.test.utils import CaptureQueriesContext

from flows_endpoint import rows
from flows_endpoint.isu.models import Collection, CollectionState, Payout, PayoutState
from flows_endpoint.kairos.models import CallRequest, OutboundCall
from flows_endpoint.models import Timer
from tenants.lifecycle import IssuedFlow

pytestmark = pytest.mark.django_db

Make = Callable[..., IssuedFlow]
AT = datetime(2026, 2, 3, 4, 5, 6, 789, tzinfo=UTC)
TEXT = "é'%s\\"
SEALED = b"\x00\xff'%s"


def _rows(flow_id: str) -> list[Model]:
    request = CallRequest(
        flow_id=flow_id, accepted_at=AT, is_test=True, is_dialer=False, call_count=1
    )
    return [
        request,
        OutboundCall(request=request, flow_id=flow_id, position=3, start_at=AT, sealed=SEALED),
        Timer(flow_id=flow_id, kind=TEXT, subject=TEXT, due_at=AT),
        Payout(
            flow_id=flow_id,
            reference_digest=TEXT,
            created_at=AT,
            sealed=SEALED,
            state=PayoutState.SUCCESS,
            ended_at=AT,
        ),
        Collection(
            flow_id=flow_id,
            reference_digest=TEXT,
            created_at=AT,
            sealed=SEALED,
            state=CollectionState.INITIATED,
        ),
    ]


def _stored(models: list[type[Model]]) -> list[list[tuple[Any, ...]]]:
    found = []
    with connection.cursor() as cursor:
        for model in models:
            cursor.execute(f"SELECT * FROM {model._meta.db_table}")
            found.append(
                [
                    tuple(bytes(v) if isinstance(v, memoryview) else v for v in row)
                    for row in cursor.fetchall()
                ]
            )
    return found


def test_they_are_what_the_orm_writes(make_flow: Make) -> None:
    # The id as text, as the snapshots of flows have it.
    new = _rows(str(make_flow("kairos").flow.pk))
    models = [type(row) for row in new]
    with transaction.atomic():
        rows.insert(new)
        written = _stored(models)
        transaction.set_rollback(True)
    assert not any(_stored(models))
    for row in new:
        row.save(force_insert=True)
    assert written == _stored(models)
    assert [len(each) for each in written] == [1] * 5


def test_a_conflict_writes_nothing(make_flow: Make) -> None:
    flow_id = str(make_flow("isu").flow.pk)
    payout = _rows(flow_id)[3]
    assert rows.insert_once(payout)
    assert not rows.insert_once(payout)
    with pytest.raises(IntegrityError), transaction.atomic():
        rows.insert([_rows(flow_id)[4], payout])
    assert Payout.objects.count() == 1
    assert not Collection.objects.exists()


def _both(row: Model, then: Model) -> bool:
    return rows.insert_both(row, then)


def _in_turn(row: Model, then: Model) -> bool:
    turn = "INSERT INTO flows_endpoint_workerheartbeat (name, at) VALUES (%s, %s)"
    return rows.insert_in_turn(
        f"{turn} ON CONFLICT (name) DO UPDATE SET at = excluded.at",
        ["turn", connection.ops.adapt_datetimefield_value(AT)],
        row,
        then,
        unless="id",
    )


@pytest.mark.parametrize("way", [_both, _in_turn])
@pytest.mark.parametrize("place", range(1, 5))
def test_two_in_one_are_what_the_orm_writes(
    make_flow: Make, way: Callable[[Model, Model], bool], place: int
) -> None:
    new = _rows(str(make_flow("kairos").flow.pk))
    row, then = new[place], new[2] if place != 2 else new[3]
    models = [type(row), type(then)]
    new[0].save(force_insert=True)
    with transaction.atomic():
        assert way(row, then)
        written = _stored(models)
        transaction.set_rollback(True)
    row.save(force_insert=True)
    then.save(force_insert=True)
    assert written == _stored(models)
    assert [len(each) for each in written] == [1, 1]


@pytest.mark.parametrize("way", [_both, _in_turn])
def test_where_one_is_there_the_other_is_not_written(
    make_flow: Make, way: Callable[[Model, Model], bool]
) -> None:
    _, _, timer, payout, collection = _rows(str(make_flow("isu").flow.pk))
    assert way(payout, timer)
    assert not way(payout, collection)
    assert Payout.objects.count() == Timer.objects.count() == 1
    assert not Collection.objects.exists()


def test_rows_with_too_many_values_for_one_statement_go_in_several(
    make_flow: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow_id = str(make_flow("kairos").flow.pk)
    made = [row for _ in range(2) for row in _rows(flow_id)[:3]]
    widest = max(len(type(row)._meta.concrete_fields) for row in made)
    monkeypatch.setattr(rows, "_MOST_VALUES", widest)
    with CaptureQueriesContext(connection) as seen:
        rows.insert(made)
    assert len(seen) == 6
    assert Timer.objects.count() == CallRequest.objects.count() == OutboundCall.objects.count() == 2
