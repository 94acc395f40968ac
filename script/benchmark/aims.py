"""The aims, and whether a run reached them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from script.benchmark import primitives
from script.benchmark.load import Run
from script.benchmark.measure import Grown, OnDatabase


@dataclass(frozen=True, slots=True)
class Verdict:
    """One aim: what was wanted, what came, and whether that is enough."""

    what: str
    aim: str
    value: str
    reached: bool


@dataclass(frozen=True, slots=True)
class _Ratio:
    """A path against something measured in the same run, ``times`` of which it needs."""

    path: str
    title: str
    against: str
    least: float
    times: int = 1


_RATES: Final = {
    "whatsapp": ("WhatsApp data_exchange", 1100),
    "isu_bill": ("ISU bill", 1000),
    "isu_payout": ("ISU payout", 1000),
    "citcall": ("CitCall", 1000),
}
_RATIOS: Final = (
    _Ratio("whatsapp", "WhatsApp data_exchange", primitives.OAEP_2048, 0.5),
    _Ratio("whatsapp", "WhatsApp data_exchange", "bare flow", 0.8),
    _Ratio("flynn_ecb", "Flynn ECB", primitives.PKCS1_2048, 0.5),
    _Ratio("flynn_cbc", "Flynn CBC, two decrypts", primitives.PKCS1_2048, 0.5, times=2),
    _Ratio("kairos", "Kairos create", primitives.PKCS1_4096, 0.7),
    _Ratio("isu_bill", "ISU bill", "bare json", 0.5),
    _Ratio("isu_payout", "ISU payout", "bare json", 0.5),
    _Ratio("citcall", "CitCall", "bare json", 0.5),
)
_P99_MS: Final = 20
_TWO_PROCESSES: Final = 1.8
_GROWN: Final = 0.95
_MEGABYTES: Final = 250
_COLD_MS: Final = 15


def judge(
    alone: Mapping[str, float], bare: Mapping[str, Run], measured: OnDatabase
) -> list[Verdict]:
    """Return a verdict on each aim that something was measured for.

    Rates are answers a second. Ratios compare what a second of processor time does: what
    anybody else does on the machine in the meantime does not change them.
    """
    return [*_rates(measured), *_ratios(alone, bare, measured), *_others(measured)]


def _rates(measured: OnDatabase) -> Iterator[Verdict]:
    for path, (title, least) in _RATES.items():
        if run := measured.runs.get(path):
            yield Verdict(title, f"≥ {least:,} req/s", f"{run.rate:,.0f}", run.rate >= least)


def _ratios(
    alone: Mapping[str, float], bare: Mapping[str, Run], measured: OnDatabase
) -> Iterator[Verdict]:
    base = {**alone, **{f"bare {name}": run.core_rate for name, run in bare.items()}}
    for aim in _RATIOS:
        run = measured.runs.get(aim.path)
        if run is None:
            continue
        ratio = run.core_rate / (base[aim.against] / aim.times)
        yield Verdict(
            aim.title, f"≥ {aim.least} of {aim.against}", f"{ratio:.2f}", ratio >= aim.least
        )


def _others(measured: OnDatabase) -> Iterator[Verdict]:
    if measured.latencies:
        half = measured.latencies[len(measured.latencies) // 2]
        title = f"p99 at half of the peak ({half.rate:,.0f}/s)"
        yield Verdict(title, f"≤ {_P99_MS} ms", f"{half.p99_ms:.1f} ms", half.p99_ms <= _P99_MS)
    one, two = measured.one_process, measured.two_processes
    if one and two:
        scaled = two.rate / one.rate
        yield Verdict(
            "two processes, two cores",
            f"≥ {_TWO_PROCESSES} of one",
            f"{scaled:.2f}",
            scaled >= _TWO_PROCESSES,
        )
        # On two cores that also carry the generator and the database, this says what two more
        # cores would give.
        each = two.core_rate / one.core_rate
        yield Verdict(
            "two processes, a second of processor time",
            f"≥ {_TWO_PROCESSES / 2} of one's",
            f"{each:.2f}",
            each >= _TWO_PROCESSES / 2,
        )
    if len(measured.grown) > 1:
        yield from _growth(measured.grown)


def _growth(grown: Sequence[Grown]) -> Iterator[Verdict]:
    few = grown[0]
    for many in grown[1:]:
        ratio = many.run.core_rate / few.run.core_rate
        title = f"{many.clients:,} clients stored, {many.calling:,} calling"
        yield Verdict(title, f"≥ {_GROWN} of the rate", f"{ratio:.2f}", ratio >= _GROWN)
    most = max(each.megabytes for each in grown)
    yield Verdict("memory of a process", f"≤ {_MEGABYTES} MB", f"{most:.0f} MB", most <= _MEGABYTES)
    more = grown[-1].cold_ms - grown[-1].warm_ms
    title = "first request of a flow, p95, above warm"
    yield Verdict(title, f"≤ {_COLD_MS} ms", f"{more:.1f} ms", more <= _COLD_MS)
