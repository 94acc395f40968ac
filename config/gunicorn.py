"""How gunicorn serves Sealgate.

One of the contracts has header names with underscores. WSGI cannot tell ``pass_key`` from
``pass-key``, nor ``X_Forwarded_For`` from the ``X-Forwarded-For`` a proxy wrote, so only
that contract's two names pass and all others with an underscore are dropped. Twins of a name that
passes are joined with a comma, never silently overwritten, and a value with a comma is
refused by the views concerned, so a smuggled ``pass-key`` cannot win over ``pass_key``.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import struct
import sys
from typing import Any

from config import env, serving

bind = f"{serving.bind()}:{env.port()}"
worker_class = "config.web_worker.WebWorker"
workers = serving.web_processes()
threads = serving.web_threads()
header_map = "drop"
forwarder_headers = "PASS_KEY,HEADER_SECRETS"
# Whoever connects may send those two names, and nobody may say more: neither scheme nor path.
# Whose X-Forwarded-For is believed, our own list decides (SEALGATE_TRUSTED_PROXIES).
forwarded_allow_ips = "*"
secure_scheme_headers: dict[str, str] = {}
# A long base64 value may come in several lines, which count as one with blanks (RFC 9112 §5.2).
permit_obsolete_folding = True
# Nothing needs to steer a running server through a socket in the home directory.
control_socket_disable = True
keepalive = 15
timeout = 60
graceful_timeout = 30
limit_request_field_size = 16384
accesslog = None
errorlog = "-"
logger_class = "config.server_log.ServerLog"
loglevel = "warning"
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: PTH112, S108

#: Seconds a caller may fall silent within a request, or leave an answer unread.
PATIENCE = 15


def post_fork(server: Any, worker: Any) -> None:
    """Give connections a time-out: one that falls silent must not keep its thread for good.

    Accepted connections inherit it from the listening socket. The worker waits for no caller by
    itself (:mod:`config.web_worker`); this bounds what else might read or write here.
    """
    limit = struct.pack("ll", PATIENCE, 0)
    for listener in worker.sockets:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)


def post_worker_init(worker: Any) -> None:
    """Have the process report what it has loaded, now that it is a process of its own.

    Unless the database is of another version: then it ends, and the server with it. And have it
    notice a database that does not answer, and merge the counts of those before it that are gone.
    What is loaded by now stays for good, so the garbage collector need not look through it again:
    with 180,000 objects that takes longer than many requests together.
    """
    from django.apps import apps  # noqa: PLC0415 - only a worker loads Django

    # Not where another application is served with this configuration.
    if apps.ready and apps.is_installed("tenants"):
        from django.conf import settings  # noqa: PLC0415
        from django.db import connection  # noqa: PLC0415

        from config import metrics_files  # noqa: PLC0415
        from tenants import reporter, schema, serving_threads, sql  # noqa: PLC0415

        if connection.vendor == "postgresql":
            from tenants.postgresql.watch import watch  # noqa: PLC0415

            watch.start(settings.DATABASE_SECONDS)
            # So there are no more connections than seats.
            serving_threads.seats.when_left(sql.leave_connection)
        if wrong := schema.wrong_at_start():
            _leave_it_to_the_first(worker)
            schema.refuse(wrong)
        metrics_files.bury_dead(settings.METRICS_DIR)
        reporter.start("web")
    gc.collect()
    gc.freeze()


def _leave_it_to_the_first(worker: Any) -> None:
    """Of the processes the server began with, have the first alone end it.

    Gunicorn trips over a second one that ends it, and buries the reason under its traces.
    """
    if 1 < worker.age <= workers:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        if not worker.alive or signal.sigtimedwait({signal.SIGTERM}, PATIENCE):
            raise SystemExit(0)


def worker_exit(server: Any, worker: Any) -> None:
    """Leave nothing behind: write what is left of the exchange log, and take the report back.

    A process that ended in good order holds up no promotion.
    """
    if "flows_endpoint.log_writer" in sys.modules:
        from flows_endpoint.log_writer import writer  # noqa: PLC0415

        writer.end()
    if "tenants.reporter" in sys.modules:
        from tenants import reporter  # noqa: PLC0415

        reporter.stop()
