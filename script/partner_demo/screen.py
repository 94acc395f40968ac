"""What a person sees: one frame a protocol, numbered steps in it, a table at the end."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.box import ROUNDED
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.highlighter import JSONHighlighter
from rich.padding import Padding
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.segment import Segment
from rich.table import Table
from rich.text import Text
from rich.theme import Theme

from crypto_schemes import json_text
from crypto_schemes.json_text import JSONTextError, JSONValue
from script.partner_demo.layout import abbreviate, lay_out
from script.partner_demo.picture import FRAME, PAPER

WIDTH: Final = 100
#: Columns of plain output: a line is a line, however long, for whoever searches in it.
_UNWRAPPED: Final = 10_000
#: Columns a step's contents stand in from the left edge of the frame.
_INDENT: Final = 3

_THEME: Final = Theme(
    {
        "frame": "grey42",
        "title": "bold cyan",
        "number": "bold cyan",
        "step": "bold",
        "name": "cyan",
        "quiet": "grey62",
        "good": "green",
        "bad": "bold red",
        "out": "bold yellow",
        "in": "bold blue",
        "json.key": "default",
        "json.str": "green",
        "json.number": "magenta",
        "json.bool_true": "magenta",
        "json.bool_false": "magenta",
        "json.null": "magenta",
        "json.brace": "grey62",
    },
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the play of one protocol ended; ``fault`` is empty when all was as expected."""

    title: str
    steps: int
    requests: int
    callbacks: int
    seconds: float
    fault: str = ""


@dataclass(frozen=True)
class _Framed:
    """A renderable between the two sides of a frame whose top and bottom are drawn apart."""

    content: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        edge = console.get_style("frame")
        inner = options.update(width=options.max_width - 4, height=None)
        for line in console.render_lines(self.content, inner, pad=True):
            yield Segment("│ ", edge)
            yield from line
            yield Segment(" │", edge)
            yield Segment.line()


class Screen:
    """The terminal, and the picture that is taken of it.

    ``plain`` leaves out colours, frames and moving parts. The picture holds what is printed
    while :attr:`in_picture` is true.
    """

    def __init__(self, *, plain: bool = False, picture: bool = False) -> None:
        terminal = Console()
        columns = min(terminal.width, WIDTH) if terminal.is_terminal else WIDTH
        self._console = Console(
            theme=_THEME,
            highlight=False,
            width=_UNWRAPPED if plain else columns,
            color_system=None if plain else "auto",
            no_color=plain,
        )
        self._picture = (
            Console(
                theme=_THEME,
                highlight=False,
                width=WIDTH,
                file=io.StringIO(),
                record=True,
                force_terminal=True,
                color_system="truecolor",
            )
            if picture
            else None
        )
        self.in_picture = True
        self.is_plain = plain
        self.width = columns

    def print(self, content: RenderableType = "") -> None:
        """Print on the terminal and, where it is wanted, in the picture."""
        self._console.print(content)
        if self._picture is not None and self.in_picture:
            self._picture.print(content)

    def opening(self, base_url: str, note: str) -> None:
        """Print what runs where."""
        self.print()
        head = Text.assemble(("Sealgate", "title"), ("  one gateway, and its partners", "step"))
        head.append(f"\n{base_url}  {note}", "quiet")
        self.print(Padding(head, (0, 0, 0, 2), expand=False))
        self.print()

    @contextmanager
    def waiting(self, sentence: str) -> Iterator[None]:
        """Show that something is going on, and for how long, until the block ends."""
        if self.is_plain or not self._console.is_terminal:
            yield
            return
        with Progress(
            TextColumn("  "),
            SpinnerColumn(style="name"),
            TextColumn("[quiet]{task.description}"),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
        ) as progress:
            progress.add_task(sentence, total=None)
            yield

    def edge(self, *, top: bool, title: str = "", subtitle: str = "") -> None:
        """Print the upper or lower edge of a frame."""
        if self.is_plain:
            self.print(Text(f"== {title}: {subtitle} ==" if top else ""))
            return
        left, right = ("╭", "╮") if top else ("╰", "╯")
        line = Text(left + "─", "frame")
        if title:
            line.append(f" {title} ", "title")
        closing = Text("─" + right, "frame")
        if subtitle:
            closing = Text.assemble((f" {subtitle} ", "quiet"), closing)
        line.append("─" * (self.width - line.cell_len - closing.cell_len), "frame")
        self.print(Text.assemble(line, closing))

    def framed(self, content: RenderableType) -> None:
        """Print one part of what stands in a frame."""
        self.print(content if self.is_plain else _Framed(content))

    def say(self, sentence: str) -> None:
        """Print a hint."""
        self.print(Text(sentence, "quiet"))

    def sorry(self, sentence: str) -> None:
        """Print why nothing could be shown."""
        self.print(Text.assemble(("✗ ", "bad"), sentence))

    def closing(self, outcomes: Sequence[Outcome]) -> None:
        """Print the table of results, and below it every fault."""
        table = Table(
            box=None if self.is_plain else ROUNDED,
            border_style="frame",
            expand=not self.is_plain,
        )
        table.add_column("Protocol", ratio=1, no_wrap=True)
        for name in ("Steps", "Requests", "Callbacks", "Time", "Result"):
            table.add_column(name, justify="left" if name == "Result" else "right", no_wrap=True)
        for outcome in outcomes:
            table.add_row(
                outcome.title,
                str(outcome.steps),
                str(outcome.requests),
                str(outcome.callbacks or "-"),
                f"{outcome.seconds:.1f} s",
                Text("✗ failed", "bad") if outcome.fault else Text("✓ as expected", "good"),
            )
        self.print(table)
        for outcome in outcomes:
            if outcome.fault:
                self.sorry(f"{outcome.title}. {outcome.fault}")

    def save_picture(self, file: Path, title: str) -> None:
        """Write the picture as SVG."""
        if self._picture is None:
            raise ValueError("no picture was taken")
        file.parent.mkdir(parents=True, exist_ok=True)
        self._picture.save_svg(str(file), title=title, theme=PAPER, code_format=FRAME)


class Scene:
    """The frame of one protocol. Every method prints one part of the current step."""

    def __init__(self, screen: Screen, title: str, subtitle: str) -> None:
        self.screen = screen
        self.title = title
        self.steps = 0
        self.step_title = ""
        #: Columns there are for a step's contents.
        self.room = screen.width - (_INDENT if screen.is_plain else _INDENT + 4)
        screen.edge(top=True, title=title, subtitle=subtitle)

    def close(self) -> None:
        """Draw the lower edge."""
        self.screen.edge(top=False)

    def step(self, title: str) -> None:
        """Begin the next numbered step."""
        self.steps += 1
        self.step_title = title
        # An empty line before every step, but not below the edge.
        gap = Text("\n") if self.steps > 1 else Text()
        self.screen.framed(
            Text.assemble(gap, (f"{self.steps:<{_INDENT}}", "number"), (title, "step"))
        )

    def say(self, sentence: str) -> None:
        """Print an explanation."""
        self._inside(Text(sentence, "quiet"))

    def ok(self, sentence: str) -> None:
        """Print what was found to be right."""
        self._inside(Text.assemble(("✓ ", "good"), sentence))

    def failed(self, sentence: str) -> None:
        """Print what is off."""
        self._inside(Text.assemble(("✗ ", "bad"), sentence))

    def json(self, value: JSONValue, mark: str = "") -> None:
        """Print a JSON value, long texts abbreviated, after ``mark`` in its first line."""
        indent = len(mark)
        laid = lay_out(value, self.room - indent)
        shown = JSONHighlighter()(Text(laid))
        shown.overflow = "fold"
        if not mark:
            self._inside(shown)
            return
        grid = Table.grid()
        grid.add_column(width=indent)
        grid.add_column()
        grid.add_row(Text(mark, "quiet"), shown)
        self._inside(grid)

    def values(self, rows: Sequence[tuple[str, str, str | bytes]]) -> None:
        """Print intermediate forms: a name, how it is made, and the value, one a line.

        Bytes are shown in hexadecimal.
        """
        names = max(len(name) for name, _, _ in rows)
        hows = max(len(how) for _, how, _ in rows)
        room = self.room - names - hows - 4
        lines = [
            Text.assemble(
                (f"{name:<{names}}  ", "name"), (f"{how:<{hows}}  ", "quiet"), _fitted(value, room)
            )
            for name, how, value in rows
        ]
        self._inside(Group(*lines))

    def sent(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> None:
        """Print a request as it goes over the wire."""
        target = abbreviate(target, self.room - len(method) - 3)
        self._inside(Text.assemble(("→ ", "out"), (f"{method} {target}", "step")))
        for name, value in headers.items():
            room = self.room - len(name) - 4
            self._inside(Text.assemble(f"  {name}: ", (abbreviate(value, room), "quiet")))
        if body:
            self.body(body)

    def came(self, headline: str, headers: Mapping[str, str], body: bytes) -> None:
        """Print an answer, or a callback, as it came over the wire."""
        self._inside(Text.assemble(("← ", "in"), (headline, "step")))
        for name, value in headers.items():
            room = self.room - len(name) - 4
            self._inside(Text.assemble(f"  {name}: ", (abbreviate(value, room), "quiet")))
        self.body(body)

    def brief(self, method: str, target: str, sent: int, status: int, came: int) -> None:
        """Print a sealed exchange in a line; ``sent`` and ``came`` are sizes in bytes."""
        sizes = f"  {sent} bytes sealed", f"  {came} bytes sealed"
        room = self.room - len(method) - sum(map(len, sizes)) - 12
        self._inside(
            Text.assemble(
                ("→ ", "out"),
                (f"{method} {abbreviate(target, room)}", "step"),
                (sizes[0], "quiet"),
                ("  ← ", "in"),
                (str(status), "step"),
                (sizes[1], "quiet"),
            )
        )

    def body(self, body: bytes) -> None:
        """Print a body: JSON laid out, other text abbreviated."""
        try:
            self.json(json_text.parse(body), mark="  ")
        except JSONTextError:
            text = body.decode("utf-8", "replace") or "(empty body)"
            self._inside(Text("  " + abbreviate(text, self.room - 2), "quiet"))

    def probe(self, label: str, reply: str) -> None:
        """Print a failing case and its answer in one line."""
        room = self.room - len(label) - 7
        self._inside(
            Text.assemble(("✗ ", "out"), label, ("  ←  ", "in"), (abbreviate(reply, room), "quiet"))
        )

    def _inside(self, content: RenderableType) -> None:
        self.screen.framed(Padding(content, (0, 0, 0, _INDENT), expand=not self.screen.is_plain))


def _fitted(value: str | bytes, room: int) -> Text:
    """Return ``value`` in ``room`` columns, with its length behind it where it is cut short."""
    text = value if isinstance(value, str) else value.hex(" ")
    if len(text) > room and isinstance(value, bytes):
        text = value.hex()
    if len(text) <= room:
        return Text(text)
    length = f"  {len(value)} {'characters' if isinstance(value, str) else 'bytes'}"
    return Text.assemble(abbreviate(text, room - len(length)), (length, "quiet"))
