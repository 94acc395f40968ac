"""Where the journeys on keys begin: a flow that a partner uses, and its page."""

from __future__ import annotations

import time
from typing import Any

from tests.support.browser import Person
from tests.support.partner import Partner
from tests.support.product import Product

CALL = {"msisdn": "081200000001", "gateway": 1}


def used_flow(running: Product) -> tuple[Partner, str]:
    """Make a flow whose partner has called; return the partner and the address of its page."""
    made = running.provision("citcall")
    partner = Partner(made, running.url)
    assert partner.call(CALL)["rc"] == "00"
    time.sleep(1)  # uses are written in batches, behind the requests' backs
    return partner, f"/admin/tenants/flow/{made['flow']}/change/"


def verb_of(version: int, verb: str) -> str:
    """Return the selector of the form for ``verb`` on a version of the first secret."""
    return (
        f"section#keys .sg-panel:first-of-type tbody[data-version='{version}'] "
        f"form[action$='/do/{verb}/']"
    )


def refusal(partner: Partner) -> Any:
    """Call with what the partner holds; return status and body as they came over the wire."""
    status, body, _ = partner.send(partner.seal(CALL))
    return status, body


def table_of(admin: Person) -> list[str]:
    """Return the states in the table of the first secret, the newest version first."""
    rows = admin.driver.find_elements("css selector", "#keys .sg-panel:first-of-type tbody")
    return [row.find_element("css selector", "td[data-label=State]").text for row in rows]
