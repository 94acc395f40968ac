"""Where the time goes: a flame graph of one path under load, taken with py-spy."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

from script.benchmark import flame, service, traffic
from script.benchmark.load import throughput
from script.benchmark.machine import Cores
from script.benchmark.measure import FEW, SharedKey, fill
from script.benchmark.server import Installation
from script.benchmark.services import MissingError, Services
from script.benchmark.traffic import Traffic, WhatsAppStep

#: Samples a second: many, for the functions are short.
_RATE = 500
#: Where serving a request begins, and where what is done behind its back does.
_WORK = ("serve (config/served_request.py", "LogWriter.flush ", "Reporter.look ")


def run(services: Services, var: Path, cores: Cores, name: str, seconds: float) -> str:
    """Return the flame graph of the path ``name`` under load, as SVG. Raises MissingError."""
    program = Path(sys.executable).parent / "py-spy"
    if not program.is_file():
        raise MissingError("There is no py-spy. script/setup --dev installs it.")
    with service.running() as url:
        installation = Installation(var, services, cores, url)
        installation.prepare()
        path = _path(installation, name)
        stacks = var / "stacks"
        with installation.web() as web:
            path.begin(web.url)
            path.check(web.url, 5)
            services.pin(cores)
            throughput(web, path.stream(), 2, var)
            spy = subprocess.Popen(
                [
                    *(str(program), "record", "--pid", str(web.workers[0]), "--format", "raw"),
                    *("--rate", str(_RATE), "--duration", str(round(seconds))),
                    *("--output", str(stacks)),
                ],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
            load = threading.Thread(
                target=throughput, args=(web, path.stream(), seconds + 1, var), daemon=True
            )
            load.start()
            _, said = spy.communicate()
            load.join()
    if spy.returncode:
        raise MissingError(f"py-spy could not look: {said.decode(errors='replace')[-300:]}")
    lines = stacks.read_text(encoding="utf-8").splitlines()
    return flame.draw(lines, f"{path.title} on {services.name}", from_frames=_WORK)


def _path(installation: Installation, name: str) -> Traffic:
    kind = next(kind for kind in traffic.ALL if kind.name == name)
    if not issubclass(kind, WhatsAppStep):
        return kind(installation)
    key = SharedKey.make(installation.var)
    return kind(fill(installation, key, FEW), key.public)
