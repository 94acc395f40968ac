"""Running copies of the product, one for each kind of installation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import product, services


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def installation(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[product.Product]:
    """A running copy: on SQLite and files, and on PostgreSQL and Redis."""
    var: Path = tmp_path_factory.mktemp(f"product-{request.param}")
    if request.param == "sqlite":
        running = product.start(var)
        yield running
        running.stop()
        return
    with (
        services.fresh_redis(tmp_path_factory.mktemp("redis")) as cache,
        services.migrated_postgresql() as database,
    ):
        running = product.start(
            var,
            settings={"DATABASE_URL": database, "REDIS_URL": cache, "CELERY_BROKER_URL": cache},
        )
        yield running
        running.stop()
