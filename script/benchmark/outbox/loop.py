"""What deliveries are measured against: a loop that posts the same bodies, and nothing else.

``python -m script.benchmark.outbox.loop FILE SECONDS``. FILE has one JSON object a line: ``url``,
``headers``, ``body``. The same HTTP library as the product's, one kept connection, one thread; no
database, no sealing, no signature, no look at addresses. Prints requests, seconds and seconds of
processor time as JSON.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from pathlib import Path

import urllib3


def main(file: Path, seconds: float) -> dict[str, float]:
    """Post for ``seconds``."""
    messages = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    sent = [(each["url"], each["body"].encode(), each["headers"]) for each in messages]
    count = 0
    with urllib3.PoolManager(retries=False, timeout=15) as pool:
        began, spent = time.perf_counter(), time.process_time()
        for url, body, headers in itertools.cycle(sent):
            answer = pool.request("POST", url, body=body, headers=headers, redirect=False)
            if answer.status != 200:
                raise SystemExit(f"The answer was {answer.status}.")
            count += 1
            if not count % 50 and time.perf_counter() - began >= seconds:
                break
        lasted = time.perf_counter() - began
        return {"count": count, "seconds": lasted, "cpu": time.process_time() - spent}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), float(sys.argv[2]))))
