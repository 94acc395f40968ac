"""The settings of what the product itself does, read from the environment.

config.settings has them all; docs/configuration.md explains each.
"""

from __future__ import annotations

import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from config import serving
from config.env import ROOT, env, local_url, secret, var_dir
from tenants.master_keys import HOW_TO_MAKE_ONE, MasterKeyError, MasterKeys
from tenants.outbound_urls import OutboundUrlError, parse_outbound_url
from tenants.source_address import parse_networks

BASE_DIR: Path = ROOT
#: Where the embedded default keeps its database, broker files and first-run secrets.
VAR_DIR = var_dir()
#: The address people and partners reach this installation at, without a trailing slash.
PUBLIC_URL = env.str("SEALGATE_PUBLIC_URL", default=local_url()).rstrip("/")
#: Proxies whose X-Forwarded-For is believed: addresses or networks.
TRUSTED_PROXIES: list[str] = env.list("SEALGATE_TRUSTED_PROXIES", default=[])
try:
    parse_networks(TRUSTED_PROXIES)
except ValueError as error:
    raise ImproperlyConfigured(
        f"SEALGATE_TRUSTED_PROXIES: {error}. Write addresses or networks, such as 10.0.0.0/8."
    ) from None
#: Networks that callbacks and upstream calls may reach although they are not public.
OUTBOUND_ALLOW: list[str] = serving.outbound_allow()
#: Ports that callbacks and upstream calls may dial.
OUTBOUND_PORTS: list[int] = [
    int(port) for port in env.list("SEALGATE_OUTBOUND_PORTS", default=["80", "443", "8080", "8443"])
]
#: Seconds a process may serve from its key snapshots before it looks for changes.
KEYRING_EPOCH_SECONDS: float = env.float("SEALGATE_KEYRING_EPOCH_SECONDS", default=0.9)
#: Seconds between two reports of a process without news; after three times that it is gone.
PROCESS_REPORT_SECONDS: float = env.float("SEALGATE_PROCESS_REPORT_SECONDS", default=5.0)
if KEYRING_EPOCH_SECONDS > 2 * PROCESS_REPORT_SECONDS:
    raise ImproperlyConfigured(
        "SEALGATE_PROCESS_REPORT_SECONDS must be at least half of SEALGATE_KEYRING_EPOCH_SECONDS."
    )
#: How many flows a process keeps parsed in memory, and how many megabytes they may take.
KEYRING_CACHED_FLOWS: int = env.int("SEALGATE_KEYRING_CACHED_FLOWS", default=20_000)
KEYRING_MEGABYTES: float = env.float("SEALGATE_KEYRING_MEGABYTES", default=140.0)
#: Requests that a web process serves at once.
WEB_THREADS: int = serving.web_threads()
#: How many days rows of the exchange log are kept.
EXCHANGE_LOG_DAYS: int = env.int("SEALGATE_EXCHANGE_LOG_DAYS", default=90)
if EXCHANGE_LOG_DAYS < 1:
    raise ImproperlyConfigured("SEALGATE_EXCHANGE_LOG_DAYS must be at least 1.")
#: How many days deliveries that are over, and their attempts, are kept.
DELIVERY_DAYS: int = env.int("SEALGATE_DELIVERY_DAYS", default=90)
if DELIVERY_DAYS < 1:
    raise ImproperlyConfigured("SEALGATE_DELIVERY_DAYS must be at least 1.")
#: Whether the exchange log is written in batches by a thread of its own; tests want it at once.
EXCHANGE_LOG_BATCHES: bool = True
#: Who may read /metrics: whoever has the token, or, where there is none, these networks.
METRICS_TOKEN = secret("SEALGATE_METRICS_TOKEN", default="")
METRICS_NETWORKS: list[str] = env.list(
    "SEALGATE_METRICS_NETWORKS", default=["127.0.0.0/8", "::1/128"]
)
try:
    parse_networks(METRICS_NETWORKS)
except ValueError as error:
    raise ImproperlyConfigured(
        f"SEALGATE_METRICS_NETWORKS: {error}. Write addresses or networks, such as 10.0.0.0/8."
    ) from None
#: Where each process keeps what it counted; prometheus_client wants it in the environment.
METRICS_DIR = Path(os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", str(VAR_DIR / "metrics")))
METRICS_DIR.mkdir(parents=True, exist_ok=True)
#: Ending a key version that was used within so many days must be confirmed by typing its name.
USED_RECENTLY_DAYS: int = env.int("SEALGATE_USED_RECENTLY_DAYS", default=7)
if not 0 <= USED_RECENTLY_DAYS <= 365:
    raise ImproperlyConfigured("SEALGATE_USED_RECENTLY_DAYS must be 0 (never ask) to 365.")
#: Upstream time-outs in seconds.
UPSTREAM_CONNECT_SECONDS: float = env.float("SEALGATE_UPSTREAM_CONNECT_SECONDS", default=3.0)
UPSTREAM_READ_SECONDS: float = env.float("SEALGATE_UPSTREAM_READ_SECONDS", default=8.0)
#: Upstream calls under way at once in a web process.
UPSTREAM_CALLS: int = serving.upstream_calls()
if not 2 <= UPSTREAM_CALLS <= 1000:
    raise ImproperlyConfigured("SEALGATE_UPSTREAM_CALLS must be 2 to 1000.")
#: Seconds an attempt of a delivery may take in all. A worker holds what it delivers for four times
#: as long; what a killed one held is due again after that.
CALLBACK_SECONDS: float = env.float("SEALGATE_CALLBACK_SECONDS", default=15.0)
if not 1 <= CALLBACK_SECONDS <= 60:
    raise ImproperlyConfigured("SEALGATE_CALLBACK_SECONDS must be 1 to 60.")
#: Where the WhatsApp Cloud API is, without a trailing slash, and which version of it is spoken.
WHATSAPP_API_URL: str = env.str(
    "SEALGATE_WHATSAPP_API_URL", default="https://graph.facebook.com"
).rstrip("/")
WHATSAPP_API_VERSION: str = env.str("SEALGATE_WHATSAPP_API_VERSION", default="v25.0")
#: Where flows of the sandbox find it; empty: where the others do.
WHATSAPP_SANDBOX_API_URL: str = env.str("SEALGATE_WHATSAPP_SANDBOX_API_URL", default="").rstrip("/")
try:
    for _url in filter(None, (WHATSAPP_API_URL, WHATSAPP_SANDBOX_API_URL)):
        parse_outbound_url(_url)
except OutboundUrlError as error:
    raise ImproperlyConfigured(
        f"SEALGATE_WHATSAPP_API_URL or SEALGATE_WHATSAPP_SANDBOX_API_URL: {error}"
    ) from None
#: How many days messages, sessions and updates of WhatsApp flows are kept.
WHATSAPP_DAYS: int = env.int("SEALGATE_WHATSAPP_DAYS", default=30)
if WHATSAPP_DAYS < 2:
    raise ImproperlyConfigured("SEALGATE_WHATSAPP_DAYS must be at least 2.")
#: How many days the sandboxes keep what is over. Appointments are booked two weeks ahead.
SANDBOX_DAYS: int = env.int("SEALGATE_SANDBOX_DAYS", default=90)
if SANDBOX_DAYS < 15:
    raise ImproperlyConfigured("SEALGATE_SANDBOX_DAYS must be at least 15.")
#: Seed of the sandbox's simulated outcomes; the same seed plays the same story.
SANDBOX_SEED: str = env.str("SEALGATE_SANDBOX_SEED", default="sealgate")
#: Divides every waiting time of the sandbox (calls, settlements); 1 is real time.
SANDBOX_SPEED: float = env.float("SEALGATE_SANDBOX_SPEED", default=1.0)
if SANDBOX_SPEED <= 0:
    raise ImproperlyConfigured("SEALGATE_SANDBOX_SPEED must be above 0.")

try:
    MASTER_KEYS = MasterKeys.parse(secret("SEALGATE_MASTER_KEYS", advice=HOW_TO_MAKE_ONE))
except MasterKeyError as error:
    raise ImproperlyConfigured(str(error)) from None
#: Loads a flow's own backend class by its dotted path; raises ImportError or TypeError.
BACKEND_LOADER = "flows_endpoint.backends.select.load"
