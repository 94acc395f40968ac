"""What an invoice (form INV-01) must hold, and what the portal works out from it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from crypto_schemes.flynn import gstin
from crypto_schemes.json_text import JSONValue
from flows_endpoint.flynn.errors import irp_refused
from flows_endpoint.flynn.fields import Fields
from flows_endpoint.flynn.sandbox.calendar import financial_year, today

#: What a buyer without registration (abroad, for instance) has in place of a tax number.
UNREGISTERED: Final = "URP"
_VERSION: Final = r"[0-9](?:\.[0-9]{1,2})?"
_SUPPLY_TYPES: Final = ("B2B", "SEZWP", "SEZWOP", "EXPWP", "EXPWOP", "DEXP")
_DOCUMENT_NO: Final = r"[A-Za-z1-9][A-Za-z0-9/-]{0,15}"
_STATE: Final = r"[0-9]{1,2}"
_HSN: Final = r"[0-9]{4}(?:[0-9]{2}){0,2}"
_GSTIN_FORM: Final = r"[0-9A-Z]{15}"
_MOST_ITEMS: Final = 1000
#: How far sums may be off, in rupees.
_TOLERANCE: Final = Decimal(1)


@dataclass(frozen=True, slots=True)
class InvoiceForm:
    """A checked invoice; ``repr`` shows nothing of it."""

    supplier: str = field(repr=False)
    buyer: str = field(repr=False)
    document_type: str = field(repr=False)
    document_no: str = field(repr=False)
    document_day: date = field(repr=False)
    total: JSONValue = field(repr=False)
    item_count: int = field(repr=False)
    main_hsn: str = field(repr=False)
    from_pin: int = field(repr=False)
    to_pin: int = field(repr=False)

    @property
    def year(self) -> str:
        """Return the financial year, ``2024-25``."""
        return financial_year(self.document_day)

    @property
    def irn(self) -> str:
        """Return the invoice reference number, 64 hex digits.

        SHA-256 of supplier, financial year, document type and document number, as
        the government defines it: anybody can work it out.
        """
        text = f"{self.supplier}{self.year}{self.document_type}{self.document_no}"
        return hashlib.sha256(text.encode("ascii")).hexdigest()


def read_invoice(body: JSONValue, user_gstin: str, moment: datetime) -> InvoiceForm:
    """Return the invoice in ``body``.

    Raises Refusal: err-invalid-request-body for its form, the portal's errors for its content.
    """
    fields = Fields(body)
    fields.matching("Version", _VERSION)
    transaction = fields.object("TranDtls")
    transaction.choice("TaxSch", "GST")
    transaction.choice("SupTyp", *_SUPPLY_TYPES)
    document = fields.object("DocDtls")
    document_type = document.choice("Typ", "INV", "CRN", "DBN")
    document_no = document.matching("No", _DOCUMENT_NO)
    day = document.day("Dt")
    supplier, from_pin = _party(fields.object("SellerDtls"), unregistered=False)
    buyer_fields = fields.object("BuyerDtls")
    buyer, to_pin = _party(buyer_fields, unregistered=True)
    buyer_fields.matching("Pos", _STATE)
    values = fields.object("ValDtls")
    total = values.amount("TotInvVal")
    items = _items(fields)

    if not gstin.is_valid(supplier) or (buyer != UNREGISTERED and not gstin.is_valid(buyer)):
        raise irp_refused("3028")
    if supplier != user_gstin:
        raise irp_refused("2143")
    if supplier == buyer:
        raise irp_refused("2211")
    if day > today(moment):
        raise irp_refused("2163")
    if abs(items.taxable - values.amount("AssVal")) > _TOLERANCE:
        raise irp_refused("2182")
    expected = (
        items.total
        + values.optional_amount("OthChrg")
        - values.optional_amount("Discount")
        + values.signed_amount("RndOffAmt", 100)
    )
    if abs(expected - total) > _TOLERANCE:
        raise irp_refused("2189")
    return InvoiceForm(
        supplier=supplier,
        buyer=buyer,
        document_type=document_type,
        document_no=document_no,
        document_day=day,
        total=body["ValDtls"]["TotInvVal"],
        item_count=items.count,
        main_hsn=items.main_hsn,
        from_pin=from_pin,
        to_pin=to_pin,
    )


def qr_content(form: InvoiceForm, irn: str, irn_date: str) -> Mapping[str, JSONValue]:
    """Return what the signed QR code says."""
    return {
        "SellerGstin": form.supplier,
        "BuyerGstin": form.buyer,
        "DocNo": form.document_no,
        "DocTyp": form.document_type,
        "DocDt": f"{form.document_day:%d/%m/%Y}",
        "TotInvVal": form.total,
        "ItemCnt": form.item_count,
        "MainHsnCode": form.main_hsn,
        "Irn": irn,
        "IrnDt": irn_date,
    }


@dataclass(frozen=True, slots=True)
class _Items:
    count: int
    taxable: Decimal
    total: Decimal
    main_hsn: str


def _party(fields: Fields, *, unregistered: bool) -> tuple[str, int]:
    """Return tax number and postal code (0 for none: a buyer abroad)."""
    number = fields.matching(
        "Gstin", f"{_GSTIN_FORM}|{UNREGISTERED}" if unregistered else _GSTIN_FORM
    )
    fields.text("LglNm", 100, 3)
    fields.text("Addr1", 100)
    fields.text("Loc", 100, 3)
    fields.matching("Stcd", _STATE)
    if unregistered and not fields.has("Pin"):
        return number, 0
    return number, fields.whole("Pin", 100_000, 999_999)


def _items(fields: Fields) -> _Items:
    count, taxable, total, highest, main_hsn = 0, Decimal(0), Decimal(0), Decimal(-1), ""
    for item in fields.objects("ItemList", _MOST_ITEMS):
        item.matching("SlNo", r"[0-9]{1,6}")
        item.choice("IsServc", "Y", "N")
        hsn = item.matching("HsnCd", _HSN)
        item.amount("UnitPrice")
        item.amount("TotAmt")
        item.amount("GstRt")
        value = item.amount("AssAmt")
        total += item.amount("TotItemVal")
        taxable += value
        count += 1
        if value > highest:
            highest, main_hsn = value, hsn
    return _Items(count, taxable, total, main_hsn)
