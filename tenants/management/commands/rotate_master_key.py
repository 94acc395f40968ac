"""Seal everything under the newest master key, so that older ones can be removed."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from tenants import master_keys, master_rotation
from tenants.actors import Actor
from tenants.master_keys import MasterKeys
from tenants.master_rotation import Report
from tenants.sealed_columns import count_by_version


class Command(BaseCommand):
    """``manage.py rotate_master_key``: online, resumable, verified at the end."""

    help = (
        "Seal every secret in the database under the highest version in SEALGATE_MASTER_KEYS. Runs "
        "beside the product. If it is stopped, run it again: it goes on where it was."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        what = parser.add_mutually_exclusive_group()
        what.add_argument(
            "--check",
            action="store_true",
            help="Change nothing: count what each master key wraps. Fails unless the newest wraps "
            "everything.",
        )
        what.add_argument(
            "--make-key",
            action="store_true",
            help="Change nothing: print a new master key of the next version, to be added to "
            "SEALGATE_MASTER_KEYS.",
        )
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")

    def handle(self, *args: Any, check: bool, make_key: bool, **given: Any) -> None:
        """Do what was asked. Raises CommandError where an old master key is still needed."""
        masters: MasterKeys = settings.MASTER_KEYS
        if make_key:
            if masters.current_version == 0xFFFF:
                raise CommandError("65535 is the highest version there can be.")
            key = master_keys.generate(masters.current_version + 1)
            self.stdout.write(json.dumps({"master_key": key}) if given["json"] else key)
        elif check:
            self._check(masters, as_json=given["json"])
        else:
            self._rotate(masters, as_json=given["json"])

    def _check(self, masters: MasterKeys, *, as_json: bool) -> None:
        counts = count_by_version(masters)
        newest = str(masters.current_version)
        left = sum(
            number for of in counts.values() for version, number in of.items() if version != newest
        )
        if as_json:
            report = {"version": masters.current_version, "left": left, "columns": counts}
            self.stdout.write(json.dumps(report))
        else:
            for label, of in counts.items():
                shown = ", ".join(f"version {name}: {number}" for name, number in of.items())
                self.stdout.write(f"{label}: {shown}")
        if left:
            raise CommandError(
                f"{left} values are not under master key version {newest}. "
                "Run manage.py rotate_master_key."
            )

    def _rotate(self, masters: MasterKeys, *, as_json: bool) -> None:
        # The bar goes to standard error: standard output is for the result.
        console = Console(file=sys.stderr)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
            tasks: dict[str, TaskID] = {}

            def show(label: str, done: int, total: int) -> None:
                if label not in tasks:
                    tasks[label] = bar.add_task(label)
                bar.update(tasks[label], completed=done, total=total)

            report = master_rotation.rotate(Actor.command_line(), show)
        if as_json:
            self.stdout.write(json.dumps(asdict(report)))
        if not report.is_complete:
            raise CommandError(_what_is_wrong(report))
        if not as_json:
            self.stdout.write(_what_is_done(report, masters))


def _what_is_done(report: Report, masters: MasterKeys) -> str:
    text = (
        f"{report.sealed_again} values were sealed again; all {report.verified} open with master "
        f"key version {report.version} alone."
    )
    older = sorted(set(masters.by_version) - {report.version})
    if older:
        names = ", ".join(str(version) for version in older)
        text += (
            f" Version {names} can be removed from SEALGATE_MASTER_KEYS. "
            "Keep a copy for as long as you keep backups of the database made before now."
        )
    return text


def _what_is_wrong(report: Report) -> str:
    lines = [str(item) for item in report.unreadable]
    stale = report.left - len(report.unreadable)
    if stale:
        lines.append(
            f"{stale} values are under an older master key again. A process still runs with the "
            "old setting: restart every web and worker process, then run this again."
        )
    lines.append("Keep the older master keys: they are still needed.")
    return "\n".join(lines)
