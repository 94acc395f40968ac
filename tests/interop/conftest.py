"""One running copy of the product for all clients."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import product


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[product.Product]:
    """A copy on the embedded default."""
    copy = product.start(tmp_path_factory.mktemp("interop"))
    yield copy
    copy.stop()
