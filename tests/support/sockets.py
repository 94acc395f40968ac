"""Which process is at the other end of a connection to this machine (Linux)."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def ports_served_by(pid: int) -> set[int]:
    """Return the ports of those who are connected to ``pid`` over IPv4."""
    inodes = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            kind, _, inode = str(entry.readlink()).partition(":")
            if kind == "socket":
                inodes.add(inode.strip("[]"))
    ports = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        columns = line.split()
        if columns[9] in inodes:
            ports.add(int(columns[2].rpartition(":")[2], 16))
    return ports - {0}
