"""What the benchmark runs on, and which core each of its parts gets."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.backends.openssl.backend import backend

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Cores:
    """The core the server gets, and the one of everything else; None where there is only one."""

    server: int | None
    load: int | None

    @property
    def are_apart(self) -> bool:
        """Return whether server and load generator have a core each."""
        return self.server is not None


def share_cores() -> Cores:
    """Return which cores to use, and move this process (with its children) to the load's one."""
    available = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
    if len(available) < 2:
        return Cores(None, None)
    cores = Cores(server=available[0], load=available[1])
    pin([os.getpid()], cores.load)
    return cores


def pin(processes: Iterable[int], core: int | None) -> None:
    """Keep processes, with all their threads, to a core, as far as we may."""
    if core is None:
        return
    for process in processes:
        with suppress(OSError):
            threads = [int(entry.name) for entry in Path(f"/proc/{process}/task").iterdir()]
            for thread in threads:
                os.sched_setaffinity(thread, {core})


def family(process: int) -> list[int]:
    """Return the process and all that descend from it."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                parents.setdefault(int(_stat(int(entry.name))[1]), []).append(int(entry.name))
    found = [process]
    for known in found:
        found += parents.get(known, [])
    return found


def cpu_seconds(processes: Iterable[int]) -> float:
    """Return the seconds of processor time the processes have had, in user and kernel mode."""
    ticks = 0
    for process in processes:
        with suppress(OSError):
            fields = _stat(process)
            ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICKS


def resident_megabytes(process: int) -> float:
    """Return the resident memory of a process in MB (10^6 bytes)."""
    text = Path(f"/proc/{process}/statm").read_text(encoding="ascii")
    return int(text.split()[1]) * _PAGE / 1e6


def description() -> str:
    """Return processor, cores and versions in a line."""
    model = "unknown processor"
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        model = named[0] if named else model
    return (
        f"{model}, {os.cpu_count()} cores; Python {platform.python_version()}, "
        f"{backend.openssl_version_text()}"
    )


def load_average() -> str:
    """Return the load of the last minute: who else is using the machine."""
    return f"{os.getloadavg()[0]:.1f}"


def _stat(process: int) -> list[str]:
    """Return the fields of /proc/<process>/stat behind the program's name: state, parent…"""
    text = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    return text.rpartition(")")[2].split()
