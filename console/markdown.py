"""Markdown as HTML for a browser: what is written becomes markup, never markup what is written."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Any, Final

from django.utils.safestring import SafeString
from markdown_it import MarkdownIt
from markdown_it.token import Token

#: Remarks to whoever writes the page.
_REMARK: Final = re.compile(r"^<!-- .*? -->\n", re.MULTILINE | re.DOTALL)
_NO_NAME: Final = re.compile(r"[^\w\- ]")

#: Gives the address a link leads to; None where a reader of the page cannot go there.
Leads = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Page:
    """A text as HTML: ``title`` is its first heading, ``sections`` names and titles of the next."""

    title: str
    sections: Sequence[tuple[str, str]]
    body: SafeString


def render(text: str, leads: Leads) -> Page:
    """Return ``text`` as a page whose links lead where ``leads`` says.

    Blocks of code get a button that copies them, tables a frame to be moved in, headings the
    names that GitHub gives them.
    """
    writer = MarkdownIt("commonmark", {"html": False}).enable("table")
    for kind, rule in _RULES.items():
        writer.add_render_rule(kind, rule)
    tokens = writer.parse(_REMARK.sub("", text))
    headings = [
        (token, inline) for token, inline in pairwise(tokens) if token.type == "heading_open"
    ]
    for token, inline in headings:
        token.attrSet("id", _name(inline.content))
    for token in tokens:
        if token.children:
            token.children = _linked(token.children, leads)
    return Page(
        title=_words(headings[0][1]) if headings else "",
        sections=[
            (str(token.attrGet("id")), _words(inline))
            for token, inline in headings
            if token.tag == "h2"
        ],
        body=SafeString(writer.renderer.render(tokens, writer.options, {})),
    )


def _name(heading: str) -> str:
    return _NO_NAME.sub("", heading.lower()).replace(" ", "-")


def _words(inline: Token) -> str:
    return "".join(token.content for token in inline.children or ())


def _linked(tokens: Sequence[Token], leads: Leads) -> list[Token]:
    """Return ``tokens`` with every link led on; of one that leads nowhere the words stay."""
    kept: list[Token] = []
    is_open = True
    for token in tokens:
        if token.type == "link_open":
            target = leads(str(token.attrGet("href")))
            is_open = target is not None
            if target is not None:
                token.attrSet("href", target)
        if is_open or token.type not in {"link_open", "link_close"}:
            kept.append(token)
    return kept


def _code(
    _: Any, tokens: Sequence[Token], at: int, options: Mapping[str, Any], env: dict[str, Any]
) -> str:
    number = env["blocks"] = env.get("blocks", 0) + 1
    text, kind = escape(tokens[at].content.rstrip("\n")), escape(tokens[at].info.strip())
    return (
        f'<div class="block"><p><span>{kind}</span><button type="button" '
        f'data-copy="code-{number}">Copy</button></p>'
        f'<pre id="code-{number}">{text}</pre></div>\n'
    )


def _table_begins(*_: Any) -> str:
    return '<div class="wide" tabindex="0" role="group" aria-label="Table"><table>\n'


def _table_ends(*_: Any) -> str:
    return "</table></div>\n"


_RULES: Final[Mapping[str, Callable[..., str]]] = {
    "fence": _code,
    "code_block": _code,
    "table_open": _table_begins,
    "table_close": _table_ends,
}
