"""What the picture of a run is drawn with: colours, and an SVG that loads nothing from outside."""

from __future__ import annotations

from typing import Final

from rich.terminal_theme import TerminalTheme

#: Colours of the picture.
PAPER: Final = TerminalTheme(
    background=(22, 24, 29),
    foreground=(208, 212, 220),
    normal=[
        (60, 64, 72),
        (224, 108, 117),
        (130, 190, 130),
        (216, 180, 110),
        (97, 160, 225),
        (190, 140, 210),
        (90, 190, 200),
        (208, 212, 220),
    ],
    bright=[
        (110, 116, 128),
        (240, 130, 138),
        (150, 210, 150),
        (232, 200, 130),
        (130, 185, 245),
        (210, 165, 230),
        (115, 210, 220),
        (240, 242, 246),
    ],
)
#: The form that rich fills in. Its own one fetches a font from another site; this one takes
#: what the reader's machine has, and each run of text says how wide it is to be drawn.
FRAME: Final = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{
  font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px;
  line-height: {line_height}px;
}}
.{unique_id}-title {{ font: bold 18px system-ui, sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
