"""One running copy of the product, and one flow of each contract, for all clients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest

from tests.support import product


@pytest.fixture(scope="session")
def handed_over(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Any]]:
    """Return what a partner of a contract gets: base URL, path and credentials."""
    copy = product.start(tmp_path_factory.mktemp("interop"))

    @cache
    def provision(scheme: str) -> dict[str, Any]:
        return {**copy.provision(scheme), "base_url": copy.url}

    yield provision
    copy.stop()
