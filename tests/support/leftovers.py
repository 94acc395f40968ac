"""Everything a running copy of the product leaves somewhere: as names and bytes, to be searched."""

from __future__ import annotations

import codecs
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import redis
from psycopg import sql

from tests.support.product import Product
from tests.support.secrecy import unfolded

#: Run inside the product: opens what is sealed, and writes out what is packed.
_OPEN = """
import json
from django.contrib.sessions.models import Session
from django.utils import timezone
from callbacks.models import Attempt, Delivery
from console.models import SecondFactor
from tenants import at_rest
from tenants.models import InternalSecret, Key
def opened(row, sealed):
    return at_rest.open_sealed(sealed, row.at_rest_context).hex()
print(json.dumps({
    "keys": [
        {"name": f"{key.purpose} v{key.version} of {key.flow}", "hex": opened(key, key.material),
         "kind": str(key.flow.contract.purpose(key.purpose).kind)}
        for key in Key.objects.select_related("flow").exclude(state="destroyed")
    ],
    "internal": [{"name": row.name, "hex": opened(row, row.sealed)}
                 for row in InternalSecret.objects.all()],
    "factors": [{"name": f"second factor of {row.user}", "hex": opened(row, row.sealed)}
                for row in SecondFactor.objects.all()],
    "bodies": [{"name": f"body of {row}", "hex": opened(row, row.body)}
               for row in Delivery.objects.all()],
    "answers": [{"name": f"answer to {row}", "hex": opened(row, row.answer)}
                for row in Attempt.objects.exclude(answer=b"")],
    "sessions": [json.dumps(row.get_decoded()) for row in Session.objects.all()],
}))
"""


def opened(product: Product) -> dict[str, Any]:
    """Return what is sealed in the database: ``keys``, ``internal``, ``factors``, ``bodies``.

    And ``sessions``, as the texts they hold.
    """
    done = product.manage("shell", "--verbosity", "0", "--command", _OPEN)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def files(product: Product) -> dict[str, bytes]:
    """Return every file the product wrote: database and its log, broker, logs of all processes."""
    return {
        f"file {path.relative_to(product.var)}": path.read_bytes()
        for path in product.var.rglob("*")
        if path.is_file() and "static" not in path.parts
    }


def postgresql(url: str) -> dict[str, bytes]:
    """Return every table as COPY writes it, and the files of the database where they can be read.

    The files hold what was changed or deleted too, until the server tidies up.
    """
    found: dict[str, bytes] = {}
    with psycopg.connect(url.replace("postgres://", "postgresql://", 1), autocommit=True) as server:
        tables = server.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for (table,) in tables.fetchall():
            copy = sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(table))
            with server.cursor() as cursor, cursor.copy(copy) as rows:
                found[f"table {table}"] = b"".join(bytes(row) for row in rows)
        server.execute("CHECKPOINT")
        folder, oid = server.execute(
            "SELECT current_setting('data_directory'), oid FROM pg_database "
            "WHERE datname = current_database()"
        ).fetchone() or ("", 0)
    try:
        for path in Path(folder, "base", str(oid)).iterdir():
            found[f"server's file {path.name}"] = path.read_bytes()
    except OSError:
        pass  # the server runs elsewhere, or as somebody else
    return found


@contextmanager
def redis_watched(url: str) -> Iterator[dict[str, bytes]]:
    """Note every command that reaches the database of ``url``, and at the end every key there."""
    found: dict[str, bytes] = {}
    # However long nobody says anything: the client gives up after seconds unless told otherwise.
    server: Any = redis.Redis.from_url(url, socket_timeout=None)
    number = server.connection_pool.connection_kwargs.get("db", 0)
    said: list[bytes] = []
    with server.monitor() as monitor:

        def listen() -> None:
            # Not monitor.listen(): that gives up at what it cannot take to pieces.
            with suppress(OSError, redis.RedisError, AttributeError, ValueError):  # closed
                while True:
                    line: bytes = monitor.connection.read_response(disable_decoding=True)
                    if b" [%d " % number in line[:40]:
                        said.append(line)
                        with suppress(ValueError):
                            said.append(codecs.escape_decode(line)[0])

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        try:
            yield found
        finally:
            for key in server.scan_iter(count=1000):
                found[f"Redis key {key[:40]!r}"] = key + b"\n" + _value(server, key)
            monitor.connection.disconnect()
            thread.join(10)
            found["Redis commands"] = b"\n".join(said)


def _value(server: Any, key: bytes) -> bytes:
    kind = server.type(key)
    readers: dict[bytes, Callable[[], Any]] = {
        b"string": lambda: [server.get(key)],
        b"list": lambda: server.lrange(key, 0, -1),
        b"set": lambda: server.smembers(key),
        b"zset": lambda: server.zrange(key, 0, -1),
        b"hash": lambda: [part for pair in server.hgetall(key).items() for part in pair],
        b"stream": lambda: [repr(server.xrange(key)).encode()],
    }
    return b"\n".join(part or b"" for part in readers[kind]()) if kind in readers else b""


def written_out(places: dict[str, bytes]) -> dict[str, bytes]:
    """Return the places, those that are texts with what they escape or pack behind it."""
    texts = ("page", "headers", "sessions", "Redis", "file product.log")
    return {
        name: unfolded(data) if name.startswith(texts) else data for name, data in places.items()
    }
