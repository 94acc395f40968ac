"""Every setting of Sealgate, read from the environment. docs/configuration.md explains each."""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from config.env import secret
from config.mail import read_mail_server
from crypto_schemes import registry
from tenants.master_keys import HOW_TO_MAKE_ONE, MasterKeyError, MasterKeys
from tenants.outbound_urls import OutboundUrlError, parse_outbound_url
from tenants.source_address import parse_networks

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
if (BASE_DIR / ".env").is_file():
    environ.Env.read_env(str(BASE_DIR / ".env"))

# --- the product ---------------------------------------------------------------------

#: Where the embedded default keeps its database, broker files and first-run secrets.
VAR_DIR = Path(env.str("SEALGATE_VAR", default=str(BASE_DIR / "var")))
#: The address people and partners reach this installation at, without a trailing slash.
PUBLIC_URL = env.str(
    "SEALGATE_PUBLIC_URL", default=f"http://127.0.0.1:{os.environ.get('PORT', '8000')}"
).rstrip("/")
#: Proxies whose X-Forwarded-For is believed: addresses or networks.
TRUSTED_PROXIES: list[str] = env.list("SEALGATE_TRUSTED_PROXIES", default=[])
try:
    parse_networks(TRUSTED_PROXIES)
except ValueError as error:
    raise ImproperlyConfigured(
        f"SEALGATE_TRUSTED_PROXIES: {error}. Write addresses or networks, such as 10.0.0.0/8."
    ) from None
#: Networks that callbacks and upstream calls may reach although they are not public.
OUTBOUND_ALLOW: list[str] = env.list("SEALGATE_OUTBOUND_ALLOW", default=[])
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
#: Threads of a web process; each has its own part in the memory of an RSA key.
WEB_THREADS: int = env.int("SEALGATE_WEB_THREADS", default=8)
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

# --- Django --------------------------------------------------------------------------

DEBUG = env.bool("SEALGATE_DEBUG", default=False)
SECRET_KEY = secret("SEALGATE_SECRET_KEY")
ALLOWED_HOSTS: list[str] = env.list(
    "SEALGATE_ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"]
)
#: True where people and partners reach the product over TLS only.
TLS = env.bool("SEALGATE_TLS", default=PUBLIC_URL.startswith("https://"))

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "config.admin.SealgateAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
    "django_otp",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "console",
    "tenants",
    "callbacks",
    "flows_endpoint",
    *(f"flows_endpoint.{name}" for name in registry.NAMES),
]

MIDDLEWARE = [
    "flows_endpoint.request_id.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    # The contracts' addresses end here. What comes after is for pages and people.
    "flows_endpoint.direct.ProtocolMiddleware",
    "config.content_security.ContentSecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
# The addresses are the vendors'; none of them ends as Django would like it to.
APPEND_SLASH = False

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

DATABASES: dict[str, Any] = {
    "default": env.db_url("DATABASE_URL", default=f"sqlite:///{VAR_DIR / 'sealgate.sqlite3'}")
}
_database = DATABASES["default"]
# A connection for each thread, kept for so many seconds: opening one, or fetching it from a pool
# for each request, costs more than most requests ask of the database. One that broke is noticed by
# the request that finds it broken, and replaced by the next.
_database["CONN_MAX_AGE"] = env.int("SEALGATE_DATABASE_MAX_AGE", default=600)
if _database["ENGINE"] == "django.db.backends.sqlite3":
    _database["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        # FULL: what was acknowledged survives a power cut, not only a killed process.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

#: Redis carries the replay guard and, unless told otherwise, the broker. Empty: the database does.
REDIS_URL = secret("REDIS_URL", default="")
CACHES = {
    "default": (
        {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
        if REDIS_URL
        else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    )
}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
FORMAT_MODULE_PATH = ["config.formats"]
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
if DEBUG:
    STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = TLS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = 8 * 3600
SECURE_HSTS_SECONDS = 31_536_000 if TLS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = TLS
SECURE_SSL_REDIRECT = env.bool("SEALGATE_SSL_REDIRECT", default=TLS)
if env.bool("SEALGATE_BEHIND_TLS_PROXY", default=TLS):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# Probes come from inside, without TLS.
SECURE_REDIRECT_EXEMPT = [r"^livez$", r"^readyz$", r"^metrics$"]
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL] if TLS else []
X_FRAME_OPTIONS = "DENY"

# Bodies are bounded per protocol by the pipeline; this is the outermost wall.
DATA_UPLOAD_MAX_MEMORY_SIZE = 10 * 1024 * 1024 + 1

# --- the admin -------------------------------------------------------------------------

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Sealgate",
    "SITE_HEADER": "Sealgate",
    "SITE_SUBHEADER": "Gateway for encrypted partner APIs",
    "SITE_SYMBOL": "encrypted",
    "SITE_URL": None,
    "SHOW_VIEW_ON_SITE": False,
    "BORDER_RADIUS": "6px",
    "STYLES": ["console.navigation.styles"],
    "SCRIPTS": ["console.navigation.scripts", "console.navigation.reach"],
    "COLORS": {
        "primary": {
            "50": "oklch(97.1% .014 230)",
            "100": "oklch(94% .03 230)",
            "200": "oklch(89% .06 231)",
            "300": "oklch(81% .1 232)",
            "400": "oklch(70% .13 234)",
            "500": "oklch(60% .13 237)",
            "600": "oklch(50.5% .12 240)",
            "700": "oklch(44% .105 242)",
            "800": "oklch(38% .085 243)",
            "900": "oklch(33% .065 245)",
            "950": "oklch(25% .05 247)",
        }
    },
    "LOGIN": {"form": "console.log_in.LogInForm"},
    "ACCOUNT": {"navigation": "console.navigation.account"},
    "SIDEBAR": {
        "show_search": True,
        "show_all_applications": False,
        "navigation": "console.navigation.sidebar",
    },
}

#: Whether everybody must give a code of an authenticator app after the password. Who has set
#: one up is asked for it in any case.
SECOND_FACTOR: bool = env.bool("SEALGATE_SECOND_FACTOR", default=TLS)

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
# By name and address together: nobody can lock an administrator out from elsewhere.
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_CLIENT_IP_CALLABLE = "tenants.source_address.caller_address"
AXES_LOCKOUT_TEMPLATE = "admin/console/locked_out.html"
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False

# --- REST framework and its schema ------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Sealgate",
    "DESCRIPTION": "Encrypted partner APIs, served from keys kept in the database.",
    "VERSION": "0.1.0",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}

# --- e-mail to the operators -----------------------------------------------------------

#: Who is told of what needs somebody, such as keys that near their expiry.
OPERATORS_EMAIL: list[str] = env.list("SEALGATE_OPERATORS_EMAIL", default=[])
_mail_server = read_mail_server(secret("EMAIL_URL", default=""), OPERATORS_EMAIL)
EMAIL_BACKEND = _mail_server["EMAIL_BACKEND"]
EMAIL_HOST, EMAIL_PORT = _mail_server["EMAIL_HOST"], _mail_server["EMAIL_PORT"]
EMAIL_HOST_USER = _mail_server["EMAIL_HOST_USER"]
EMAIL_HOST_PASSWORD = _mail_server["EMAIL_HOST_PASSWORD"]
EMAIL_USE_TLS = _mail_server.get("EMAIL_USE_TLS", False)
EMAIL_USE_SSL = _mail_server.get("EMAIL_USE_SSL", False)
EMAIL_FILE_PATH = _mail_server["EMAIL_FILE_PATH"] or None
EMAIL_TIMEOUT = 15
DEFAULT_FROM_EMAIL = env.str(
    "SEALGATE_EMAIL_FROM", default=f"sealgate@{urlsplit(PUBLIC_URL).hostname}"
)

# --- Celery ------------------------------------------------------------------------------

CELERY_BROKER_URL = secret("CELERY_BROKER_URL", default=REDIS_URL or "filesystem://localhost/")
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# For ever: a worker delivers what is due without a broker too (callbacks/sweeper.py).
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# So many tasks, which is never: connections are kept as long as the web process keeps its own, and
# looked at before each task (config/celery.py).
CELERY_DB_REUSE_MAX = sys.maxsize
# A ring that cannot be heard must not hold up a partner: the sweeper finds the row.
CELERY_TASK_PUBLISH_RETRY = False
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {
    "socket_timeout": 2,
    "socket_connect_timeout": 1,
}
if CELERY_BROKER_URL.startswith("filesystem:"):
    _broker = VAR_DIR / "broker"
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(_broker / "queue"),
        "data_folder_out": str(_broker / "queue"),
        "control_folder": str(_broker / "control"),
        "store_processed": False,
        # Seconds between two looks into the folder; a callback waits for its ring so long.
        "polling_interval": 0.05,
    }
    for _folder in ("queue", "control"):
        (_broker / _folder).mkdir(parents=True, exist_ok=True)
elif CELERY_BROKER_URL.startswith("amqp"):
    CELERY_BROKER_TRANSPORT_OPTIONS = {"confirm_publish": True}
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "beat-schedule")
CELERY_BEAT_SCHEDULE = {
    "deliver-due-callbacks": {"task": "callbacks.tasks.deliver_due", "schedule": 5.0},
    "go-on-with-replays": {"task": "callbacks.tasks.go_on_with_replays", "schedule": 5.0},
    "forget-old-deliveries": {"task": "callbacks.tasks.forget_old_deliveries", "schedule": 600.0},
    "retire-expired-keys": {"task": "tenants.tasks.retire_expired_keys", "schedule": 30.0},
    "destroy-due-keys": {"task": "tenants.tasks.destroy_due_keys", "schedule": 300.0},
    "warn-of-expiry": {"task": "tenants.tasks.warn_of_expiry", "schedule": 3600.0},
    "send-notices": {"task": "tenants.tasks.send_notices", "schedule": 300.0},
    "forget-old-use": {"task": "tenants.tasks.forget_old_use", "schedule": 86_400.0},
    "forget-gone-processes": {"task": "tenants.tasks.forget_gone_processes", "schedule": 300.0},
    "expire-requests": {"task": "tenants.tasks.expire_requests", "schedule": 60.0},
    "run-due-timers": {"task": "flows_endpoint.tasks.run_due_timers", "schedule": 1.0},
    "process-whatsapp-updates": {
        "task": "flows_endpoint.whatsapp_flows.tasks.process_updates",
        "schedule": 5.0,
    },
    "measure-whatsapp-endpoints": {
        "task": "flows_endpoint.whatsapp_flows.tasks.measure_health",
        "schedule": 60.0,
    },
    "check-whatsapp-public-keys": {
        "task": "flows_endpoint.whatsapp_flows.tasks.check_public_keys",
        "schedule": 3600.0,
    },
    "worker-heartbeat": {"task": "flows_endpoint.tasks.heartbeat", "schedule": 10.0},
    "count-traffic": {"task": "flows_endpoint.tasks.count_traffic", "schedule": 60.0},
    "forget-the-past": {"task": "flows_endpoint.tasks.forget_the_past", "schedule": 600.0},
    "forget-sandbox-records": {
        "task": "flows_endpoint.tasks.forget_sandbox_records",
        "schedule": 3600.0,
    },
}

# --- logs --------------------------------------------------------------------------------

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"request_id": {"()": "flows_endpoint.request_id.RequestIdFilter"}},
    "formatters": {
        "json": {
            "()": "pythonjsonlogger.json.JsonFormatter",
            "format": "%(asctime)s %(levelname)s %(name)s %(message)s %(request_id)s %(trace_id)s",
            "rename_fields": {"asctime": "time", "levelname": "level", "name": "logger"},
        },
    },
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "json",
            "filters": ["request_id"],
        }
    },
    "root": {"handlers": ["stderr"], "level": env.str("SEALGATE_LOG_LEVEL", default="INFO")},
    "loggers": {
        # 4xx answers are the partner's business and stand in the exchange log.
        "django.request": {"level": "ERROR"},
        # Anybody can send any Host, and is told so; a traceback for each would bury the rest.
        "django.security.DisallowedHost": {"level": "CRITICAL"},
        "django.server": {"level": "WARNING"},
        "axes": {"level": "WARNING"},
        "celery": {"level": "WARNING"},
        "kombu": {"level": "WARNING"},
    },
}
