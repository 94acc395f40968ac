"""The sandbox: an imitation of the vendor's service behind the four products.

Accepted payouts and collections are rows, sealed at rest; what finishes later is a timer.
Outcomes follow from the seed and the partner's reference, so the same reference plays the same
story again; the paise of an amount choose one on purpose (:mod:`flows_endpoint.isu.sandbox.story`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from crypto_schemes.json_text import JSONValue
from flows_endpoint.backends import Answer, Backend, Call
from flows_endpoint.isu import products
from flows_endpoint.isu.sandbox import bill, collection, payout, report
from flows_endpoint.isu.sandbox.fields import FieldError

_Product = Callable[[Call, Mapping[str, JSONValue]], JSONValue]
_PRODUCTS: Final[Mapping[str, _Product]] = {
    products.PAYOUT: payout.transfer,
    products.STATUS: report.check_status,
    products.DYNAMIC_UPI: collection.initiate,
    products.ELECTRICITY_BILL: bill.fetch,
}


class IsuSandbox(Backend):
    """Plays the vendor. Failures of business are answers too, so they stand like any other.

    No transaction need be open: a product writes last, and all of it or nothing.
    """

    def handle(self, call: Call) -> Answer:
        """Return the product's answer."""
        if not isinstance(call.payload, dict):
            return Answer(products.business_failure(call.operation, "Invalid RequestData", {}))
        try:
            return Answer(_PRODUCTS[call.operation](call, call.payload))
        except FieldError as error:
            return Answer(products.business_failure(call.operation, str(error), call.payload))
