"""Every setting of Sealgate, read from the environment. docs/configuration.md explains each."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from config.database import read_database
from config.env import env, secret
from config.hosts import with_public
from config.mail import read_mail_server
from config.product_settings import *  # noqa: F403 - they are settings like the others
from config.product_settings import PUBLIC_URL, VAR_DIR
from config.unread import refuse_another_database
from crypto_schemes import registry

# --- Django --------------------------------------------------------------------------

DEBUG = env.bool("SEALGATE_DEBUG", default=False)
SECRET_KEY = secret("SEALGATE_SECRET_KEY")
ALLOWED_HOSTS: list[str] = with_public(
    env.list("SEALGATE_ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"]), PUBLIC_URL
)
#: True where people and partners reach the product over TLS only.
TLS = env.bool("SEALGATE_TLS", default=PUBLIC_URL.startswith("https://"))

INSTALLED_APPS = [
    # In front of the theme: some of its templates are the theme's, changed.
    "console",
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
    "default": read_database(
        secret("DATABASE_URL", default=f"sqlite:///{VAR_DIR / 'sealgate.sqlite3'}")
    )
}
refuse_another_database()
_database = DATABASES["default"]
# A connection for each thread, kept for so many seconds: opening one, or fetching it from a pool
# for each request, costs more than most requests ask of the database. After one was found broken
# the others are looked at before their next use (tenants/postgresql/watch.py).
_database["CONN_MAX_AGE"] = env.int("SEALGATE_DATABASE_MAX_AGE", default=600)
if _database["ENGINE"] == "django.db.backends.sqlite3":
    _database["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        # FULL: what was acknowledged survives a power cut, not only a killed process.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
    }
elif _database["ENGINE"] == "django.db.backends.postgresql":
    _database["ENGINE"] = "tenants.postgresql"
    # A server whose system is gone is noticed within a minute, in every process. It takes more to
    # notice one that only stands still, and that web and worker processes do: DATABASE_SECONDS.
    _database["OPTIONS"] = {
        "keepalives_idle": 20,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": 60_000,
        **_database.get("OPTIONS", {}),
    }
#: Seconds after which a PostgreSQL that answers nothing is away for a web process, which then
#: refuses at once what needs it, and for a worker, which goes on later.
DATABASE_SECONDS: float = env.float("SEALGATE_DATABASE_SECONDS", default=5.0)
if not 2 <= DATABASE_SECONDS <= 60:
    raise ImproperlyConfigured("SEALGATE_DATABASE_SECONDS must be 2 to 60.")
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

#: Whether everybody must give a code of an authenticator app after the password. Who has set
#: one up is asked for it in any case.
SECOND_FACTOR: bool = env.bool("SEALGATE_SECOND_FACTOR", default=TLS)
_VALIDATION = "django.contrib.auth.password_validation"
AUTH_PASSWORD_VALIDATORS: list[dict[str, Any]] = [
    {"NAME": f"{_VALIDATION}.UserAttributeSimilarityValidator"},
    {
        "NAME": f"{_VALIDATION}.MinimumLengthValidator",
        # NIST SP 800-63B-4 §3.1.1.2: 15 where the password may be all there is.
        "OPTIONS": {"min_length": 12 if SECOND_FACTOR else 15},
    },
    {"NAME": f"{_VALIDATION}.CommonPasswordValidator"},
    {"NAME": f"{_VALIDATION}.NumericPasswordValidator"},
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
# For other names than our own, and for good: the domain's owner has to say so.
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.bool("SEALGATE_HSTS_SUBDOMAINS", default=False)
SECURE_HSTS_PRELOAD = env.bool("SEALGATE_HSTS_PRELOAD", default=False)
if SECURE_HSTS_PRELOAD and not SECURE_HSTS_INCLUDE_SUBDOMAINS:
    raise ImproperlyConfigured(
        "SEALGATE_HSTS_PRELOAD needs SEALGATE_HSTS_SUBDOMAINS: the list takes no other names."
    )
# Whether to, the check for deployment cannot know.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
SECURE_SSL_REDIRECT = env.bool("SEALGATE_SSL_REDIRECT", default=TLS)
if env.bool("SEALGATE_BEHIND_TLS_PROXY", default=TLS):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# Probes come from inside, without TLS.
SECURE_REDIRECT_EXEMPT = [r"^livez$", r"^readyz$", r"^metrics$"]
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL] if TLS else []
CSRF_FAILURE_VIEW = "config.forbidden.unproven"
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
    # Closed, and opened where the address names a contract: /docs/api#/Kairos.
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "docExpansion": "none", "filter": True},
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
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "confirm_publish": True,
        # A node that stands still, or takes nothing because its memory or disk is full, says
        # nothing more either.
        "read_timeout": 2,
        "write_timeout": 2,
    }
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
    "filters": {
        "request_id": {"()": "flows_endpoint.request_id.RequestIdFilter"},
        "refused_hosts": {"()": "config.hosts.RefusedHosts"},
    },
    "formatters": {"json": {"()": "config.json_lines.formatter"}},
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
        "django.security.DisallowedHost": {"filters": ["refused_hosts"]},
        "django.server": {"level": "WARNING"},
        "axes": {"level": "WARNING"},
        "celery": {"level": "WARNING"},
        "kombu": {"level": "WARNING"},
    },
}
