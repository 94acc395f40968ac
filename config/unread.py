"""Names in the environment that nothing reads: what was meant by them would silently not hold."""

from __future__ import annotations

import re
from typing import Any, Final

from django.core import checks
from django.core.exceptions import ImproperlyConfigured

from config import serving
from config.env import env, is_given, names_set

_OURS: Final = re.compile(r"SEALGATE_|(DATABASE|REDIS|CELERY_BROKER|EMAIL)_URL")
#: What says where a database is, in one usual form or another.
_A_DATABASE: Final = re.compile(r"(SEALGATE_)?DATABASE_(URL|URI|DSN|HOST|NAME)(_FILE)?")
#: Read by the tests, script/bench and script/screenshots.
_NOT_OF_THE_PRODUCT: Final = re.compile(
    r"SEALGATE_((TEST|BENCH|FAULTS)_|(STRICT|FIRE|ROLLOVERS|LOOK_AT_ALL|SCREENSHOTS)$)"
)
_FILE: Final = "_FILE"


def refuse_another_database() -> None:
    """Raise ImproperlyConfigured where a database was meant, and the embedded one would be used."""
    meant = [name for name in names_set() if _A_DATABASE.fullmatch(name)]
    if meant and not is_given("DATABASE_URL"):
        raise ImproperlyConfigured(
            f"{meant[0]} is set, which nothing reads, and without DATABASE_URL everything would go "
            "to SQLite. Set DATABASE_URL, or DATABASE_URL_FILE to the path of a file that holds it."
        )


def check(**_: Any) -> list[checks.CheckMessage]:
    """Return a message for each name of ours that nothing reads; never its value."""
    read = env.asked | serving.NAMES
    found: list[checks.CheckMessage] = []
    for name in names_set():
        if name in read or not _OURS.match(name) or _NOT_OF_THE_PRODUCT.match(name):
            continue
        if name.endswith(_FILE) and name.removesuffix(_FILE) in read:
            hint = f"Only secrets are read from files. Set {name.removesuffix(_FILE)} itself."
            found.append(
                checks.Error(f"{name} is set, but nothing reads it.", hint, id="sealgate.E001")
            )
        else:
            hint = "docs/configuration.md has every name."
            found.append(
                checks.Warning(f"{name} is set, but nothing reads it.", hint, id="sealgate.W001")
            )
    return found
