"""The files in which processes keep their metrics, and what is done with those of dead ones.

prometheus_client keeps a file for each process and adds them up for whoever asks. A process that
is gone leaves its file: taken away, every counter would fall; left, they would pile up. So its
counts are added to a file of the dead, and its own is deleted.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Final

from prometheus_client.mmap_dict import MmapedDict

#: What has the counts of processes that are gone; named like one's file with a word for the number.
_DEAD: Final = "dead"
#: Kinds whose values are added up. Gauges say what is now, and mean nothing of a dead process.
_ADDED: Final = frozenset({"counter", "histogram"})


def bury_dead(folder: Path) -> int:
    """Add the counts of processes that are gone to the file of the dead; return of how many files.

    Safe to be called by several processes at once.
    """
    buried = 0
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for file in sorted(folder.glob("*.db")):
            kind, _, number = file.stem.rpartition("_")
            if number == _DEAD or not number.isdigit() or _is_alive(int(number)):
                continue
            if kind in _ADDED:
                _add(file, folder / f"{kind}_{_DEAD}.db")
            file.unlink()
            buried += 1
    return buried


def _add(file: Path, to: Path) -> None:
    total = MmapedDict(str(to))
    try:
        for key, value, timestamp, _ in MmapedDict.read_all_values_from_file(str(file)):
            known, _ = total.read_value(key)
            total.write_value(key, known + value, timestamp)
    finally:
        total.close()


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
