"""Lists read by places: every row is on exactly one page, whichever way one walks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client as Browser
from django.urls import reverse

from tenants.admin import long_list
from tenants.lifecycle import IssuedFlow
from tenants.models import AuditEntry, Flow, Key

pytestmark = pytest.mark.django_db
START = datetime(2031, 1, 1, tzinfo=UTC)
LIST = "admin:tenants_auditentry_changelist"


@pytest.fixture
def entries(administrator: Browser) -> list[int]:
    """Numbers of 170 entries, newest first; three share each moment, as those of one verb may."""
    AuditEntry.objects.all().delete()  # of the log-in
    AuditEntry.objects.bulk_create(
        AuditEntry(
            pk=number,
            at=START + timedelta(seconds=number // 3),
            actor="zoë" if number % 2 else "sealgate",
            verb="key.retire" if number % 5 else "flow.update",
            request_id=f"request-{number}",
            digest="x",
        )
        for number in range(1, 171)
    )
    return list(range(170, 0, -1))


class _Links(HTMLParser):
    """Collects the links of the foot of the list by their words."""

    def __init__(self) -> None:
        super().__init__()
        self.links: dict[str, str] = {}
        self._inside = False
        self._address = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "nav":
            self._inside = given.get("aria-label") == "Pages"
        if tag == "a" and self._inside:
            self._address = given["href"] or ""

    def handle_data(self, data: str) -> None:
        if self._address and data.strip():
            self.links[data.strip()] = self._address

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._address = ""
        if tag == "nav":
            self._inside = False


def look(browser: Browser, query: str = "", name: str = LIST) -> tuple[list[Any], dict[str, str]]:
    """Return the keys of the rows on a page, and its links to others."""
    answer: Any = browser.get(reverse(name) + query)
    assert answer.status_code == 200
    parser = _Links()
    parser.feed(answer.content.decode())
    return [row.pk for row in answer.context["cl"].result_list], parser.links


@pytest.mark.parametrize("filters", ["", "?verb=key.retire", "?q=zo%C3%AB"])
def test_walking_to_the_end_and_back_meets_every_row_once(
    administrator: Browser, entries: list[int], filters: str
) -> None:
    wanted = {
        "": entries,
        "?verb=key.retire": [number for number in entries if number % 5],
        "?q=zo%C3%AB": [number for number in entries if number % 2],
    }[filters]
    rows, links = look(administrator, filters)
    assert set(links) == {"Older", "Oldest"}
    seen, pages = rows, [rows]
    while "Older" in links:
        rows, links = look(administrator, links["Older"])
        seen, pages = seen + rows, [*pages, rows]
    assert seen == wanted
    assert set(links) == {"Newer", "Newest"}
    for page in reversed(pages[:-1]):
        rows, links = look(administrator, links["Newer"])
        assert rows == page
    assert {name for name in links if "Old" in name} == {"Older", "Oldest"}
    assert look(administrator, links["Newest"])[0] == wanted[:50] if "Newest" in links else True


def test_the_oldest_page_is_the_end(administrator: Browser, entries: list[int]) -> None:
    _, links = look(administrator)
    rows, links = look(administrator, links["Oldest"])
    assert rows == list(range(50, 0, -1))
    assert set(links) == {"Newer", "Newest"}
    assert look(administrator, links["Newer"])[0] == list(range(100, 50, -1))


def test_one_jumps_to_a_time(administrator: Browser, entries: list[int]) -> None:
    rows, links = look(administrator, "?before=2031-01-01T00:00:10")
    assert rows == list(range(29, 0, -1))
    assert set(links) == {"Newer", "Newest"}
    assert look(administrator, "?before=2031-01-01T01:00:10%2B01:00")[0] == rows
    assert look(administrator, "?before=2030-01-01T00:00")[0] == []
    assert look(administrator, "?after=2031-01-01T00:00:55")[0] == [170, 169, 168]
    page = administrator.get(reverse(LIST), {"verb": "key.retire"}).content.decode()
    jump = page[page.index('aria-label="Pages"') :]
    assert '<input type="hidden" name="verb" value="key.retire">' in jump


@pytest.mark.parametrize(
    "place",
    ["x", "2031-01-01~x", "2031-13-01", "~5", "0001-01-01T00:00:00+23:00", "2031-01-01~5~6", "\0"],
)
def test_a_place_that_is_none_leads_to_the_beginning(
    administrator: Browser, entries: list[int], place: str
) -> None:
    for name in ("before", "after"):
        answer = administrator.get(reverse(LIST), {name: place})
        assert (answer.status_code, answer["Location"]) == (302, f"{reverse(LIST)}?e=1")


def test_a_filter_starts_at_its_newest_row(administrator: Browser, entries: list[int]) -> None:
    place = "2031-01-01T00:00:10+00:00~30"
    page = administrator.get(reverse(LIST), {"before": place}).content.decode()
    aside = page[page.index('id="changelist-filter"') :]
    assert "?verb=key.retire" in aside
    assert "before=" not in aside[: aside.index('aria-label="Pages"')]


def test_the_order_is_time_whatever_the_address_asks_for(
    administrator: Browser, entries: list[int]
) -> None:
    assert look(administrator, "?o=3.-2")[0] == entries[:50]


def test_counting_stops(
    administrator: Browser, entries: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def foot(**query: str) -> str:
        page = administrator.get(reverse(LIST), query).content.decode()
        return " ".join(page[page.index('aria-label="Pages"') :].split())

    assert "<span>170 audit entries</span>" in foot()
    assert "<span>1 audit entry</span>" in foot(q="7")
    monkeypatch.setattr(long_list, "MOST", 100)
    assert "<span>more than 100 audit entries</span>" in foot()


def test_an_entry_is_found_by_its_number(administrator: Browser, entries: list[int]) -> None:
    assert look(administrator, "?q=77")[0] == [77]
    assert look(administrator, "?q=request-78")[0] == [78]
    assert look(administrator, "?q=99999999999999999999999")[0] == []


# --- keys ----------------------------------------------------------------------------------


@pytest.fixture
def flow(make_flow: Callable[..., IssuedFlow]) -> Flow:
    make_flow("citcall")
    return make_flow("isu", address="partner01").flow


def keys(browser: Browser, **query: str) -> set[Key]:
    answer: Any = browser.get(reverse("admin:tenants_key_changelist"), query)
    assert answer.status_code == 200
    return set(answer.context["cl"].result_list)


def test_keys_are_found_by_what_people_have_at_hand(administrator: Browser, flow: Flow) -> None:
    own, every = set(flow.keys.all()), set(Key.objects.all())
    assert own < every
    key = flow.keys.get(purpose="isu_aes")
    digits = key.fingerprint
    shown = f"{digits[:4]} {digits[4:8]} {digits[8:12]} {digits[12:16]}"
    for term in (digits, digits[:9], digits[:16].upper(), shown):
        assert keys(administrator, q=term) == {key}, term
    assert keys(administrator, q=digits[:3]) == set()
    assert keys(administrator, q="partner01") == own
    assert keys(administrator, q="acme") == every
    assert keys(administrator, q="partner") == set()


def test_keys_are_filtered(
    administrator: Browser, flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, every = set(flow.keys.all()), set(Key.objects.all())
    assert keys(administrator, flow__id__exact=str(flow.pk)) == own
    assert keys(administrator, purpose="isu_aes") == {flow.keys.get(purpose="isu_aes")}
    for few in (50, 0):
        monkeypatch.setattr("tenants.admin.key_filters._FEW", few)
        assert keys(administrator, flow__scheme="isu") == own
        assert keys(administrator, flow__scheme="kairos") == set()
    assert keys(administrator, used="never") == every
    used = flow.keys.get(purpose="isu_aes")
    for days, name in ((0, "day"), (31, "old")):
        at = datetime.now(UTC) - timedelta(days=days)
        Key.objects.filter(pk=used.pk).update(last_used_at=at)
        assert keys(administrator, used=name) == {used}
    answer = administrator.get(reverse("admin:tenants_key_changelist"), {"used": "x"})
    assert answer["Location"].endswith("?e=1")


def test_the_link_to_all_of_a_flow_is_a_filter_one_can_take_away(
    administrator: Browser, flow: Flow
) -> None:
    answer: Any = administrator.get(
        reverse("admin:tenants_key_changelist"), {"flow__id__exact": str(flow.pk), "used": "never"}
    )
    page = answer.content.decode()
    assert "By flow" in page
    assert str(flow) in page
    (spec,) = [spec for spec in answer.context["cl"].filter_specs if spec.title == "flow"]
    everything, chosen = spec.choices(answer.context["cl"])
    assert parse_qs(urlsplit(everything["query_string"]).query) == {"used": ["never"]}
    assert (chosen["selected"], chosen["display"]) == (True, str(flow))
