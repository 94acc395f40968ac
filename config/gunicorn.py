"""How gunicorn serves Sealgate.

``header_map = "dangerous"`` passes header names with underscores (``pass_key``), which
one of the contracts needs. Twins of one name are joined with a comma, never
silently overwritten, and a value with a comma is refused by the views concerned,
so a smuggled ``pass-key`` cannot win over ``pass_key``.
"""

import os

bind = os.environ.get("SEALGATE_BIND", "127.0.0.1") + ":" + os.environ.get("PORT", "8000")
worker_class = "gthread"
workers = int(os.environ.get("SEALGATE_WEB_PROCESSES", "2"))
threads = int(os.environ.get("SEALGATE_WEB_THREADS", "8"))
header_map = "dangerous"
forwarder_headers = ""
# Our own proxy list decides whom to believe (SEALGATE_TRUSTED_PROXIES).
forwarded_allow_ips = ""
# Nothing needs to steer a running server through a socket in the home directory.
control_socket_disable = True
keepalive = 15
timeout = 60
graceful_timeout = 30
limit_request_field_size = 16384
accesslog = None
errorlog = "-"
loglevel = "warning"
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: PTH112, S108
