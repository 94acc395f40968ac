"""A flame graph of collapsed stacks, as an SVG without script that loads nothing from outside."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from html import escape
from typing import Final

_WIDTH: Final = 1200
_ROW: Final = 17
#: Frames narrower than this are left out, in pixels.
_NARROWEST: Final = 1.2
_CHARACTER: Final = 6.6
_PALETTE: Final = {
    "cryptography": "#7fb069",
    "psycopg": "#d1873f",
    "redis": "#c0504d",
    "django": "#8a9aa9",
    "gunicorn": "#b7a6c9",
    "": "#5b9bd5",
}
#: The cryptography is done in C, below these functions of ours.
_CRYPTOGRAPHY: Final = ("crypto_schemes/ciphers/",)
#: And libpq, below these.
_DATABASE: Final = ("tenants/postgresql/", "tenants/sql.py")


@dataclass(slots=True)
class _Frame:
    name: str
    samples: int = 0
    below: dict[str, _Frame] = field(default_factory=dict)


def draw(stacks: Iterable[str], title: str, *, from_frames: tuple[str, ...]) -> str:
    """Return the graph of ``stacks`` (``a;b;c 12``), each from the first of ``from_frames`` on.

    Stacks without any of them are threads that wait for work, and are left out.
    """
    root = _Frame("all")
    for line in stacks:
        stack, _, count = line.rpartition(" ")
        frames = _cleaned(stack.split(";"))
        start = next((at for at, name in enumerate(frames) if name.startswith(from_frames)), None)
        if start is not None:
            _add(root, frames[start:], int(count))
    depth = _depth(root)
    height = (depth + 1) * _ROW + 40
    page = _Page(root.samples or 1, height)
    parts = list(page.boxes(root, 0.0, float(_WIDTH), 0))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'font-family="ui-monospace, Menlo, Consolas, monospace" font-size="11">\n'
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>\n'
        f'<text x="8" y="20" font-size="14">{escape(title)}</text>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _cleaned(frames: list[str]) -> list[str]:
    """Return frames without line numbers and without the wrappers that say nothing."""
    named = [re.sub(r":\d+\)$", ")", frame) for frame in frames]
    return [
        name for name in named if "convert_exception" not in name and "async_unsafe" not in name
    ]


def _add(frame: _Frame, names: list[str], count: int) -> None:
    frame.samples += count
    for name in names:
        frame = frame.below.setdefault(name, _Frame(name))
        frame.samples += count


def _depth(frame: _Frame) -> int:
    return 1 + max((_depth(each) for each in frame.below.values()), default=0)


@dataclass(frozen=True, slots=True)
class _Page:
    total: int
    height: int

    def boxes(self, frame: _Frame, x: float, wide: float, level: int) -> Iterator[str]:
        """Yield the boxes of ``frame`` and all that stand on it, from ``x`` on."""
        if wide < _NARROWEST:
            return
        y = self.height - (level + 1) * _ROW - 4
        text = frame.name[: max(0, int(wide / _CHARACTER) - 1)]
        label = f'<text x="{x + 3:.1f}" y="{y + 12}">{escape(text)}</text>' if len(text) > 3 else ""
        yield (
            f"<g><title>{escape(frame.name)} {frame.samples / self.total:.1%}</title>"
            f'<rect x="{x:.1f}" y="{y}" width="{max(wide - 0.5, 0.5):.1f}" height="{_ROW - 1}" '
            f'fill="{_colour(frame.name)}"/>{label}</g>'
        )
        for each in sorted(frame.below.values(), key=lambda below: below.name):
            part = wide * each.samples / frame.samples
            yield from self.boxes(each, x, part, level + 1)
            x += part


def _colour(name: str) -> str:
    if any(place in name for place in _CRYPTOGRAPHY):
        return _PALETTE["cryptography"]
    if any(place in name for place in _DATABASE):
        return _PALETTE["psycopg"]
    return next(colour for word, colour in _PALETTE.items() if f"({word}" in name or not word)
