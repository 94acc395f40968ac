"""What an invoice (form INV-01) must hold, and what the portal works out from it.

The sandbox asks for the seven parts of the form and for what it needs to register a document.
Everything else may be missing, but what is there has to be of its form and has to add up.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from crypto_schemes.json_text import JSONValue
from flows_endpoint.flynn.errors import irp_refused
from flows_endpoint.flynn.fields import Fields
from flows_endpoint.flynn.sandbox.calendar import financial_year, today

#: What a party without registration (abroad, for instance) has in place of a tax number.
UNREGISTERED: Final = "URP"
_VERSION: Final = r"[0-9](?:\.[0-9]{1,2})?"
_SUPPLY_TYPES: Final = ("B2B", "SEZWP", "SEZWOP", "EXPWP", "EXPWOP", "DEXP")
DOCUMENT_NO: Final = r"[A-Za-z1-9][A-Za-z0-9/-]{0,15}"
_STATE: Final = r"[0-9]{1,2}"
_HSN: Final = r"[0-9]{4,8}"
_TAX_NUMBER = re.compile(r"[0-9]{2}[0-9A-Z]{13}")
_MOST_ITEMS: Final = 1000
#: How far sums may be off, in rupees.
_TOLERANCE: Final = Decimal(1)


def is_tax_number(text: str) -> bool:
    """Return whether ``text`` has the form of a GSTIN.

    The numbers that go round in examples have no valid check character: it is not looked at.
    """
    return _TAX_NUMBER.fullmatch(text) is not None


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
    transaction.optional_choice("TaxSch", "GST")
    transaction.optional_choice("SupTyp", *_SUPPLY_TYPES)
    document = fields.object("DocDtls")
    document_type = document.choice("Typ", "INV", "CRN", "DBN")
    document_no = document.matching("No", DOCUMENT_NO)
    day = document.day("Dt")
    supplier, from_pin = _party(fields.object("SellerDtls"))
    buyer, to_pin = _party(fields.object("BuyerDtls"))
    items = _items(fields)
    values = fields.object("ValDtls")
    taxable, total = values.optional_amount("AssVal"), values.optional_amount("TotInvVal")
    corrections = (
        (values.optional_amount("OthChrg") or 0)
        - (values.optional_amount("Discount") or 0)
        + values.signed_amount("RndOffAmt", 100)
    )

    if not is_tax_number(supplier) or not (buyer == UNREGISTERED or is_tax_number(buyer)):
        raise irp_refused("3028")
    if supplier != user_gstin:
        raise irp_refused("2143")
    if supplier == buyer:
        raise irp_refused("2211")
    if day > today(moment):
        raise irp_refused("2163")
    if _differ(items.taxable, taxable):
        raise irp_refused("2182")
    if items.total is not None and _differ(items.total + corrections, total):
        raise irp_refused("2189")
    return InvoiceForm(
        supplier=supplier,
        buyer=buyer,
        document_type=document_type,
        document_no=document_no,
        document_day=day,
        total=body["ValDtls"].get("TotInvVal"),
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
    """What the items add up to; None where one of them does not say."""

    count: int
    taxable: Decimal | None
    total: Decimal | None
    main_hsn: str


def _party(fields: Fields) -> tuple[str, int]:
    """Return tax number and postal code (0 for none)."""
    number = fields.text("Gstin", 15)
    for name in ("LglNm", "Addr1", "Loc"):
        fields.optional_text(name, 100)
    for name in ("Stcd", "Pos"):
        if fields.has(name):
            fields.matching(name, _STATE)
    return number, fields.optional_whole("Pin", 100_000, 999_999)


def _items(fields: Fields) -> _Items:
    taxable: list[Decimal | None] = []
    totals: list[Decimal | None] = []
    highest, main_hsn = Decimal(-1), ""
    for item in fields.objects("ItemList", _MOST_ITEMS):
        item.optional_choice("IsServc", "Y", "N")
        for name in ("Qty", "UnitPrice", "TotAmt", "GstRt"):
            item.optional_amount(name)
        hsn = item.matching("HsnCd", _HSN) if item.has("HsnCd") else ""
        value = item.optional_amount("AssAmt")
        taxable.append(value)
        totals.append(item.optional_amount("TotItemVal"))
        if hsn and (value or Decimal(0)) > highest:
            highest, main_hsn = value or Decimal(0), hsn
    return _Items(len(taxable), _sum(taxable), _sum(totals), main_hsn)


def _sum(amounts: list[Decimal | None]) -> Decimal | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if len(known) == len(amounts) else None


def _differ(found: Decimal | None, said: Decimal | None) -> bool:
    return found is not None and said is not None and abs(found - said) > _TOLERANCE
