"""Send one request many times at once, from a process of its own.

Reads ``{"url", "body", "headers", "times", "threads"}`` as JSON on standard input and prints how
often each (status, body) came back, as JSON. Waits for a line before it starts, so that several
processes begin together.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import urllib3


def main() -> None:
    order = json.loads(sys.stdin.readline())
    pool = urllib3.PoolManager(maxsize=order["threads"], retries=False, timeout=60)
    print("ready", flush=True)
    sys.stdin.readline()

    def send(_: int) -> tuple[int, str]:
        reply = pool.request(
            "POST", order["url"], body=order["body"].encode(), headers=order["headers"]
        )
        return reply.status, reply.data.decode()

    with ThreadPoolExecutor(order["threads"]) as threads:
        seen = Counter(threads.map(send, range(order["times"])))
    print(json.dumps([[status, body, count] for (status, body), count in seen.items()]))


if __name__ == "__main__":
    main()
