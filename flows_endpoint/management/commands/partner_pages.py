"""Refresh the examples in the partners' pages by running the code."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from crypto_schemes import registry

_BLOCK = re.compile(r"(<!-- example:(?P<name>[\w-]+) -->\n).*?(<!-- /example -->)", re.DOTALL)


class Command(BaseCommand):
    """Write each ``<!-- example:NAME -->`` block of docs/protocols/*.md anew."""

    help = "Refresh the examples in docs/protocols by running the code."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--check", action="store_true", help="Only tell whether any is old.")

    def handle(self, *, check: bool, **options: Any) -> None:
        """Refresh every page; with ``check`` raise CommandError when one is out of date."""
        old = []
        for name in registry.NAMES:
            page = Path(settings.BASE_DIR) / "docs" / "protocols" / f"{name}.md"
            text = page.read_text(encoding="utf-8")
            fresh = refreshed(text, import_module(f"flows_endpoint.{name}.examples").render())
            if fresh != text:
                old.append(page.name)
                if not check:
                    page.write_text(fresh, encoding="utf-8")
        if check and old:
            raise CommandError(f"Out of date: {', '.join(old)}. Run manage.py partner_pages.")


def refreshed(text: str, examples: dict[str, str]) -> str:
    """Return ``text`` with every example block replaced.

    Raises CommandError when a block has no example or an example no block.
    """
    named = {found["name"] for found in _BLOCK.finditer(text)}
    if named != set(examples):
        raise CommandError(f"Blocks and examples differ: {sorted(named ^ set(examples))}")
    return _BLOCK.sub(
        lambda found: f"{found[1]}{examples[found['name']].strip()}\n{found[3]}", text
    )
