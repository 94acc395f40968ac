"""Processes that the scripts start, and how they end."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress


def end(process: subprocess.Popen[bytes], seconds: float) -> None:
    """End a process of a session of its own; what is left after ``seconds`` is killed."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    # The process group is this process's alone: it was started in a session of its own.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
