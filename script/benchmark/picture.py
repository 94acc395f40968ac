"""The picture of a run: throughput by path, latency by rate, rate by number of clients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from script.benchmark.measure import OnDatabase
from script.benchmark.report import TITLES, Report

_WIDTH: Final = 860
_LEFT: Final = 270
_BAR: Final = 440
_ROW: Final = 24
_COLOURS: Final = ("#2f81c4", "#8a9aa9", "#c9a227")
_STYLE: Final = """
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600; font-size: 15px } .small { font-size: 12px; fill: #57606a }
.paper { fill: #ffffff } .axis { stroke: #d0d7de }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .small { fill: #8d96a0 } .paper { fill: #0d1117 } .axis { stroke: #30363d }
}
"""


def draw(report: Report) -> str:
    """Return the SVG, which loads nothing from outside."""
    parts: list[str] = []
    top = 34
    for panel in (_throughput, _latency, _clients):
        drawn, height = panel(report, top)
        parts += drawn
        top += height
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top}" role="img" '
        f'aria-label="Throughput by path, latency by rate, rate by number of clients">\n'
        f"<style>{_STYLE}</style>\n"
        f'<rect class="paper" width="{_WIDTH}" height="{top}"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _throughput(report: Report, top: int) -> tuple[list[str], int]:
    names = [name for name in TITLES if any(name in each.runs for each in report.databases)]
    rows = [
        ("bare DRF view: JSON", [report.bare["json"].rate]),
        ("bare DRF view: signature, RSA, AES", [report.bare["flow"].rate]),
    ]
    rows += [
        (
            TITLES[name],
            [each.runs[name].rate if name in each.runs else 0 for each in report.databases],
        )
        for name in names
    ]
    legend = [each.name for each in report.databases]
    return _bars("Requests a second, one core", rows, legend, top, "{:,.0f}")


def _latency(report: Report, top: int) -> tuple[list[str], int]:
    rows = [
        (f"{each.name}, {at.rate:,.0f} requests a second", [at.p50_ms, at.p99_ms])
        for each in report.databases
        for at in each.latencies
    ]
    return _bars(
        "WhatsApp data_exchange: milliseconds at a steady rate", rows, ["p50", "p99"], top, "{:.1f}"
    )


def _clients(report: Report, top: int) -> tuple[list[str], int]:
    def rows(measured: OnDatabase) -> Iterator[tuple[str, list[float]]]:
        for grown in measured.grown:
            who = f"{grown.calling:,} of {grown.clients:,}"
            label = f"{measured.name}, {who} ({grown.megabytes:.0f} MB)"
            yield label, [grown.run.rate]

    every = [row for each in report.databases for row in rows(each)]
    return _bars(
        "WhatsApp data_exchange by clients calling: requests a second", every, [], top, "{:,.0f}"
    )


def _bars(
    title: str,
    rows: Sequence[tuple[str, Sequence[float]]],
    legend: Sequence[str],
    top: int,
    form: str,
) -> tuple[list[str], int]:
    """Return a panel of horizontal bars, and its height; nothing where there are no rows."""
    if not rows:
        return [], 0
    parts = [f'<text class="title" x="20" y="{top}">{escape(title)}</text>']
    for number, name in enumerate(legend if len(legend) > 1 else []):
        x = 540 + number * 160
        parts.append(
            f'<rect x="{x}" y="{top - 10}" width="11" height="11" fill="{_COLOURS[number]}"/>'
        )
        parts.append(f'<text class="small" x="{x + 17}" y="{top}">{escape(name)}</text>')
    most = max(value for _, values in rows for value in values) or 1
    y = top + 14
    for label, values in rows:
        parts.append(
            f'<text x="{_LEFT - 10}" y="{y + 15}" text-anchor="end">{escape(label)}</text>'
        )
        thick = (_ROW - 6) / len(values)
        for number, value in enumerate(values):
            at = y + 3 + number * thick
            wide = _BAR * value / most
            parts.append(
                f'<rect x="{_LEFT}" y="{at:.1f}" width="{wide:.1f}" height="{thick - 1:.1f}" '
                f'fill="{_COLOURS[number]}"/>'
            )
        said = " / ".join(form.format(value) for value in values)
        longest = _BAR * max(values) / most
        parts.append(
            f'<text class="small" x="{_LEFT + longest + 8:.1f}" y="{y + 15}">{said}</text>'
        )
        y += _ROW
    return parts, y - top + 34
