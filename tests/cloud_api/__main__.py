"""Run the stand-in by itself: ``python -m tests.cloud_api --port 8900``."""

from __future__ import annotations

import argparse
import signal
import threading

from tests.cloud_api.server import CloudApi


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(description="A stand-in of the WhatsApp Cloud API.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--nested", action="store_true", help="Read keys back inside data[].")
    parser.add_argument(
        "--keep-window", action="store_true", help="Refuse numbers silent for 24 hours."
    )
    given = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with CloudApi(
        host=given.host, port=given.port, nested=given.nested, keeps_window=given.keep_window
    ) as cloud:
        print(f"The Cloud API's stand-in listens at {cloud.url}", flush=True)
        ended.wait()


if __name__ == "__main__":
    main()
