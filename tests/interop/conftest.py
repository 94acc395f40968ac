"""One running copy of the product, and one flow of each contract, for all clients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from crypto_schemes import registry
from tests.support import product


@pytest.fixture(scope="module")
def handed_over(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Any]]:
    """Return what a partner of a contract gets: base URL, path and credentials."""
    copy = product.start(
        tmp_path_factory.mktemp("interop"),
        processes=("web",),
        settings={"SEALGATE_WEB_PROCESSES": "1"},
    )
    flows = copy.provision_all(*((scheme,) for scheme in registry.NAMES))
    yield {flow["scheme"]: {**flow, "base_url": copy.url} for flow in flows}.__getitem__
    copy.stop()
