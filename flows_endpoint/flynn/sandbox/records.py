"""Sealed records of the sandbox, and the digests they are found by."""

from __future__ import annotations

from typing import Any

from crypto_schemes.json_text import JSONValue
from crypto_schemes.scheme import read_json, write_json
from flows_endpoint.flynn.models import EwayBill, Invoice
from tenants import at_rest, digests


def seal_into(row: Invoice | EwayBill, record: JSONValue) -> None:
    """Put ``record`` into the row (not yet into the database)."""
    row.record = at_rest.seal(write_json(record), row.at_rest_context)


def record_of(row: Invoice | EwayBill) -> dict[str, Any]:
    """Return the record in the row. Raises AtRestError."""
    record: dict[str, Any] = read_json(at_rest.open_sealed(row.record, row.at_rest_context))
    return record


def irn_digest(flow_id: str, irn: str) -> str:
    """Return the digest an invoice is found by; the letter case of the IRN is free."""
    return digests.lookup_digest("flynn", "irn", f"{flow_id}|{irn.lower()}")


def document_digest(flow_id: str, *parts: str) -> str:
    """Return the digest of the document an e-way bill is for."""
    return digests.lookup_digest("flynn", "document", "|".join((flow_id, *parts)))
