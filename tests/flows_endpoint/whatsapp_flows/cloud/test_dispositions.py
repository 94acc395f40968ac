"""What follows from each error code, as the platform's page lists them."""

from __future__ import annotations

import pytest

from flows_endpoint.whatsapp_flows.cloud.dispositions import (
    MEANINGS,
    Disposition,
    disposition_of,
    meaning_of,
    pair_wait,
)

pytestmark = pytest.mark.once

BACK_OFF = [130429, 131057, 131016, 133004, 131000, 2, 4, 80007, 132069]
NEVER = [131047, 131026, 131048, 131049, 131050, 131062, 132068, 100, 131008, 131009]
CREDENTIALS = [190, 0, 10, 200, 201, 250, 298, 299]


@pytest.mark.parametrize(
    ("codes", "disposition"),
    [
        (BACK_OFF, Disposition.BACK_OFF),
        ([131056], Disposition.PAIR_LIMIT),
        (NEVER, Disposition.NEVER),
        (CREDENTIALS, Disposition.CREDENTIALS),
    ],
)
def test_a_known_code_decides_whatever_the_status(
    codes: list[int], disposition: Disposition
) -> None:
    for code in codes:
        for status in (200, 400, 401, 403, 404, 429, 500, 503, None):
            assert disposition_of(status, code) is disposition, (status, code)


@pytest.mark.parametrize("code", [None, 1, 199, 300, 999, 131051, 131055, -190])
@pytest.mark.parametrize(
    ("status", "disposition"),
    [
        (500, Disposition.BACK_OFF),
        (502, Disposition.BACK_OFF),
        (599, Disposition.BACK_OFF),
        (429, Disposition.BACK_OFF),
        (408, Disposition.BACK_OFF),
        (200, Disposition.BACK_OFF),
        (None, Disposition.BACK_OFF),
        (401, Disposition.CREDENTIALS),
        (400, Disposition.NEVER),
        (403, Disposition.NEVER),
        (404, Disposition.NEVER),
    ],
)
def test_without_a_known_code_the_status_decides(
    code: int | None, status: int | None, disposition: Disposition
) -> None:
    assert disposition_of(status, code) is disposition


def test_a_pair_waits_four_to_the_n_seconds() -> None:
    assert [pair_wait(n) for n in range(6)] == [1, 4, 16, 64, 256, 1024]
    assert pair_wait(100) == 65536


def test_every_code_is_explained() -> None:
    for code in (*BACK_OFF, 131056, *NEVER, *CREDENTIALS):
        assert meaning_of(code).endswith(".")
    assert meaning_of(None) == meaning_of(300) == meaning_of(12345) == ""
    assert set(MEANINGS) <= {*BACK_OFF, 131056, *NEVER, *CREDENTIALS}
