"""Fills a database with long lists, by INSERT … SELECT: a million rows in less than a minute.

What is written has the shape of an installation's rows, not their meaning: keys hold no material
that opens, audit entries no digest that verifies. Some of it is what lists find hard: a flow that
has a third of all traffic and no failure, one with a sixth and nothing served, a contract that
served nothing, a reason seen nowhere, and one seen in a few rows at the very beginning.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from django.db import connection

from tenants import append_only
from tenants.models import AuditHead

#: Rows inserted by one statement.
_CHUNK: Final = 50_000
#: All traffic and all audit entries lie within this many seconds before now: two days.
SPAN: Final = 2 * 86_400
_SCHEMES: Final = ("kairos", "citcall", "isu", "whatsapp_flows", "flynn")
_PURPOSES: Final = ("kairos_rsa", "api_key", "isu_aes", "whatsapp_rsa", "flynn_rsa")
#: Versions of a purpose, and purposes of a flow.
_VERSIONS: Final = 5
_SECRETS: Final = 2


@dataclass(frozen=True, slots=True)
class Size:
    """How many rows of what; ``keys`` is a multiple of 10, which is what a flow has."""

    exchanges: int
    entries: int
    keys: int

    @property
    def flows(self) -> int:
        """Return how many flows there are."""
        return self.keys // (_VERSIONS * _SECRETS)

    @property
    def clients(self) -> int:
        """Return how many clients there are: five flows each."""
        return max(1, self.flows // 5)

    @property
    def total(self) -> int:
        """Return how many rows that makes."""
        rows = self.exchanges + self.deliveries + self.entries + self.keys
        return rows + 2 * self.flows + self.clients

    @property
    def deliveries(self) -> int:
        """Return how many deliveries there are: as many as exchanges."""
        return self.exchanges


def fill(size: Size, told: Callable[[int], object] = lambda rows: None) -> None:
    """Write the rows into an empty database; ``told`` hears of every chunk's number of rows."""
    for count, table, columns, source in (
        (size.clients, "tenants_client", *_clients()),
        (size.flows, "tenants_flow", *_flows(size)),
        (size.flows, "callbacks_endpoint", *_endpoints()),
        (size.deliveries, "callbacks_delivery", *_deliveries(size)),
        (size.keys, "tenants_key", *_keys(size)),
        (size.exchanges, "flows_endpoint_exchangerow", *_exchanges(size)),
        (size.entries, "tenants_auditentry", *_entries(size)),
    ):
        for first in range(1, count + 1, _CHUNK):
            last = min(count, first + _CHUNK - 1)
            _insert(table, columns, source, first, last)
            told(last - first + 1)
    guards = append_only.missing(connection)
    append_only.remove(connection)
    AuditHead.objects.update_or_create(pk=1, defaults={"length": size.entries, "digest": "x"})
    if not guards:
        append_only.install(connection)
    with connection.cursor() as cursor:
        if _is_postgresql():  # numbers go on after them
            for table in (
                "tenants_auditentry",
                "flows_endpoint_exchangerow",
                "callbacks_endpoint",
            ):
                cursor.execute(
                    f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), "
                    f"(SELECT max(id) FROM {table}))"
                )
    if _is_postgresql():
        _vacuum()


def _insert(table: str, columns: str, source: str, first: int, last: int) -> None:
    if _is_postgresql():
        series = f"WITH series AS (SELECT generate_series({first}, {last}) AS n)"
    else:
        series = (
            f"WITH RECURSIVE series (n) AS (VALUES ({first}) "
            f"UNION ALL SELECT n + 1 FROM series WHERE n < {last})"
        )
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {table} ({columns}) {series} SELECT {source} FROM series")


def _vacuum() -> None:
    if connection.in_atomic_block:  # a test's transaction: statistics are what can be had
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
        return
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


# --- the rows, as columns and expressions of n, which counts from 1 --------------------------


def _clients() -> tuple[str, str]:
    return (
        "id, slug, name, contact_email, notes, is_enabled, needs_second_person, created_at",
        f"{_id('n')}, {_text('client-', 'n')}, {_text('Client ', 'n')}, '', '', true, false, "
        f"{_ago('n * 60')}",
    )


def _flows(size: Size) -> tuple[str, str]:
    return (
        "id, client_id, scheme, address, wire_id, identity, options, backend, backend_class, "
        "upstream_url, callback_url, allowed_networks, is_enabled, created_at, changed_epoch",
        f"{_id('n')}, {_id(f'n % {size.clients} + 1')}, {_pick(_SCHEMES)}, "
        f"{_text('partner', 'n')}, NULL, '{{}}', '{{}}', 'sandbox', '', '', '', '[]', true, "
        f"{_ago('n * 10')}, 0",
    )


def _keys(size: Size) -> tuple[str, str]:
    each = _VERSIONS * _SECRETS
    version = f"(n - 1) % {_VERSIONS} + 1"
    secret = f"((n - 1) / {_VERSIONS}) % {_SECRETS}"
    flow = f"(n - 1) / {each} + 1"
    # Of each secret the fourth version is active and the fifth staged, in every tenth flow; else
    # the fifth is active, and the fourth retiring in some.
    rolling = f"({flow}) % 10 = 0"
    state = (
        f"CASE {version} "
        f"WHEN 5 THEN CASE WHEN {rolling} THEN 'staged' ELSE 'active' END "
        f"WHEN 4 THEN CASE WHEN {rolling} THEN 'active' "
        f"WHEN ({flow}) % 100 = 1 THEN 'retiring' ELSE 'retired' END "
        f"WHEN 3 THEN CASE WHEN ({flow}) % 50 = 0 THEN 'revoked' ELSE 'retired' END "
        "ELSE 'retired' END"
    )
    purpose = f"CASE {secret} WHEN 0 THEN {_pick(_PURPOSES, of=flow)} ELSE 'callback_signing' END"
    return (
        "id, flow_id, purpose, version, state, material, public_pem, fingerprint, lookup_digest, "
        "created_at, activated_at, accept_until, ended_at, end_reason, last_used_at, use_count",
        f"{_id('n')}, {_id(flow)}, {purpose}, {version}, {state}, {_bytes()}, '', {_digest('n')}, "
        f"'', {_ago(f'({size.keys} - n) * 5')}, {_ago('10')}, "
        f"CASE WHEN {state} = 'retiring' THEN {_ago('-86400')} END, "
        f"CASE WHEN {state} IN ('retired', 'revoked') THEN {_ago('5')} END, "
        f"CASE WHEN {state} = 'revoked' THEN 'leaked' ELSE '' END, "
        f"{_ago('n % 86400')}, n % 1000",
    )


def _exchanges(size: Size) -> tuple[str, str]:
    step = SPAN / size.exchanges
    # Strangers, one big flow (number 5, kairos), one that fails always (9, flynn), everybody else.
    flow = (
        "CASE WHEN n % 50 = 0 THEN NULL WHEN n % 3 = 0 THEN 5 WHEN n % 6 = 1 THEN 9 "
        f"ELSE n % {size.flows} + 1 END"
    )
    scheme = (
        "CASE WHEN n % 50 = 0 THEN 'citcall' WHEN n % 3 = 0 THEN 'kairos' WHEN n % 6 = 1 THEN "
        f"'flynn' ELSE {_pick(_SCHEMES, of=f'n % {size.flows} + 1')} END"
    )
    outcome = (
        "CASE WHEN n % 50 = 0 OR n <= 5 THEN 'refused' WHEN n % 3 = 0 THEN 'ok' "
        f"WHEN n % 6 = 1 OR (n % {size.flows} + 1) % 5 = 4 THEN 'refused' "
        "WHEN n % 20 = 1 THEN 'failed' WHEN n % 20 < 4 THEN 'refused' ELSE 'ok' END"
    )
    reason = (
        f"CASE {outcome} WHEN 'ok' THEN '' WHEN 'failed' THEN 'upstream_down' ELSE "
        "CASE WHEN n <= 5 THEN 'source' WHEN n % 50 = 0 THEN 'unknown_flow' ELSE 'stale' END END"
    )
    return (
        "at, request_id, flow_id, scheme, operation, source, outcome, reason, step, code, "
        "http_status, key_versions, milliseconds, request_size, request_digest",
        f"{_ago(f'({size.exchanges} - n) * {step:.6f}')}, {_digest('n', 32)}, "
        f"{_maybe_id(flow)}, {scheme}, 'create', '192.0.2.1', {outcome}, {reason}, '', '', 200, "
        "'kairos_rsa v5', n % 100 + 0.5, 1000, " + _digest("n"),
    )


def _endpoints() -> tuple[str, str]:
    now = _ago("0")
    return (
        "id, flow_id, channel, auth, auth_name, burst, concurrency, is_fifo, schedule, state, "
        "state_reason, state_at, ready_at, tokens, breaker, failures, times_opened, warned_days, "
        "created_at",
        f"n, {_id('n')}, 'callback', 'none', '', 1, 16, false, '[]', 'active', '', {now}, {now}, "
        f"0, 'closed', 0, 0, 0, {now}",
    )


def _deliveries(size: Size) -> tuple[str, str]:
    step = SPAN / size.deliveries
    # One big flow (number 5), everything of which arrived; one (9) that takes nothing; a few dead
    # letters at the very beginning.
    flow = f"CASE WHEN n % 3 = 0 THEN 5 WHEN n % 3 = 1 THEN 9 ELSE n % {size.flows} + 1 END"
    state = (
        "CASE WHEN n <= 5 THEN 'failed' WHEN n % 3 = 0 THEN 'delivered' "
        "WHEN n % 3 = 1 THEN 'pending' ELSE 'delivered' END"
    )
    at = _ago(f"({size.deliveries} - n) * {step:.6f}")
    return (
        "id, flow_id, endpoint_id, channel, lane, event, subject, body, state, urgency, attempts, "
        "step, last_error, created_at, next_attempt_at, settled_at",
        f"{_id('n')}, {_id(f'({flow})')}, {flow}, 'callback', '', 'call.ended', "
        f"{_text('call-', 'n / 2')}, {_bytes()}, {state}, 0, 1, 1, '', {at}, "
        f"CASE {state} WHEN 'pending' THEN {_ago('-60')} END, "
        f"CASE {state} WHEN 'pending' THEN NULL ELSE {at} END",
    )


def _entries(size: Size) -> tuple[str, str]:
    step = SPAN / size.entries
    # Everything is the product's or one of ten people's; one verb was never done, one 3 times.
    verb = (
        "CASE WHEN n <= 3 THEN 'master_key.rotate' WHEN n % 10 = 0 THEN 'flow.update' "
        "WHEN n % 10 = 1 THEN 'client.update' ELSE 'key.retire' END"
    )
    return (
        "id, at, actor, actor_address, verb, client_id, flow_id, key_id, before, after, reason, "
        "request_id, previous_digest, digest",
        f"n, {_ago(f'({size.entries} - n) * {step:.6f}')}, "
        f"CASE WHEN n % 10 < 2 THEN {_text('person-', 'n % 7')} ELSE 'sealgate' END, NULL, {verb}, "
        f"{_id(f'(n % {size.flows} + 1) % {size.clients} + 1')}, {_id(f'n % {size.flows} + 1')}, "
        f"CASE WHEN n % 10 < 2 THEN NULL ELSE {_id(f'(n % {size.flows}) * 10 + n % 10 + 1')} END, "
        f"'{{}}', '{{}}', 'The overlap is over.', {_digest('n', 32)}, '', {_digest('n')}",
    )


# --- what the two databases write differently ------------------------------------------------


def _is_postgresql() -> bool:
    return connection.vendor == "postgresql"


def _id(number: str) -> str:
    if _is_postgresql():
        return f"lpad(to_hex({number}), 32, '0')::uuid"
    return f"printf('%032x', {number})"


def _maybe_id(number: str) -> str:
    return f"CASE WHEN ({number}) IS NULL THEN NULL ELSE {_id(f'({number})')} END"


def _ago(seconds: str) -> str:
    if _is_postgresql():
        return f"now() - ({seconds}) * interval '1 second'"
    return (
        "strftime('%Y-%m-%d %H:%M:%f', 'now', printf('%+.3f seconds', -1.0 * "
        f"({seconds}))) || '000'"
    )


def _text(before: str, number: str) -> str:
    return f"'{before}' || ({number})"


def _digest(number: str, digits: int = 64) -> str:
    if _is_postgresql():
        return f"left(md5(({number})::text) || md5('x' || ({number})), {digits})"
    return f"lower(hex(randomblob({digits // 2})))"


def _bytes() -> str:
    return r"'\x01'::bytea" if _is_postgresql() else "x'01'"


def _pick(values: tuple[str, ...], *, of: str = "n") -> str:
    cases = " ".join(f"WHEN {place} THEN '{value}'" for place, value in enumerate(values))
    return f"CASE ({of}) % {len(values)} {cases} END"
