"""The contracts' pages: served as they stand in the repository, and no link of them is dead."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from django.conf import settings
from django.test import Client as Browser

from console.markdown import render
from crypto_schemes import registry

PAGES = ["/docs", *(f"/docs/{name}" for name in registry.NAMES)]
FENCED = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Reader(HTMLParser):
    """Notes where a page leads, and the names of its parts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.names: list[str] = []
        self.copied: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        self.links += [said[name] for name in ("href", "src") if name in said]
        self.names += [said["id"]] if "id" in said else []
        self.copied += [said["data-copy"]] if "data-copy" in said else []


def read(path: str) -> Reader:
    answer = Browser().get(path)
    assert answer.status_code == 200, path
    return Reader(answer.content.decode())


def source(name: str) -> str:
    return (Path(settings.BASE_DIR) / "docs" / "protocols" / f"{name}.md").read_text("utf-8")


def tags(document: object) -> Iterator[str]:
    assert isinstance(document, dict)
    for operations in document["paths"].values():
        for operation in operations.values():
            yield from operation.get("tags", ()) if isinstance(operation, dict) else ()


@pytest.mark.parametrize("name", registry.NAMES)
def test_a_page_has_all_that_the_file_has(name: str) -> None:
    text = source(name)
    answer = Browser().get(f"/docs/{name}")
    assert answer["Content-Type"] == "text/html; charset=utf-8"
    page = answer.content.decode()
    blocks = [
        unescape(block) for block in re.findall(r'<pre id="code-\d+">(.*?)</pre>', page, re.S)
    ]
    assert blocks == [block.rstrip("\n") for block in FENCED.findall(text)]
    assert len(re.findall("<h[123] id=", page)) == len(re.findall(r"^#{1,3} ", text, re.M))
    assert page.count("<table>") == len(re.findall(r"^\|[ |-]+\|$", text, re.M))
    assert "example:" not in page
    assert "&lt;!--" not in page


@pytest.mark.parametrize("name", registry.NAMES)
def test_every_block_of_code_has_a_button_that_copies_it(name: str) -> None:
    page = read(f"/docs/{name}")
    assert page.copied
    assert set(page.copied) <= set(page.names)
    assert len(set(page.copied)) == len(page.copied)
    assert any(link.endswith("console/copy.js") for link in page.links)


@pytest.mark.django_db
def test_no_link_is_dead() -> None:
    contracts = set(tags(Browser().get("/openapi.json").json()))
    pages = {path: read(path) for path in PAGES}
    opened = set(PAGES)
    for path, page in pages.items():
        for link in page.links:
            target = urlsplit(urljoin(f"http://testserver{path}", link))
            if target.netloc != "testserver" or target.path.startswith("/static/"):
                continue
            if target.path == "/docs/api":
                assert unquote(target.fragment.removeprefix("/")) in {"", *contracts}
            elif target.fragment:
                assert target.fragment in pages[target.path].names, (path, link)
            if target.path not in opened:
                assert Browser().get(target.path).status_code == 200, (path, link)
                opened.add(target.path)
    assert opened == {*PAGES, "/docs/api", "/openapi.json"}


def test_the_list_leads_to_each_contract_and_to_its_addresses() -> None:
    links = read("/docs").links
    for contract in registry.all_schemes():
        assert f"/docs/{contract.name}" in links
    assert "/docs/api#/WhatsApp%20Flows" in links


def test_there_is_no_page_of_what_is_no_contract() -> None:
    for name in ("nope", "base64_text", "kairos.md", "..%2Fupstream", "KAIROS"):
        assert Browser().get(f"/docs/{name}").status_code == 404
    assert Browser().post("/docs/kairos").status_code == 405


def test_links_lead_where_they_are_told_and_keep_their_words_where_nowhere() -> None:
    text = "# A `b`\n\n## C & d\n\nSee [one *x*](1.md), [two](2.md) and [three](#c--d)."
    page = render(text, {"1.md": "/one?a&b", "#c--d": "#c--d"}.get)
    assert page.title == "A b"
    assert page.sections == [("c--d", "C & d")]
    assert '<a href="/one?a&amp;b">one <em>x</em></a>, two and <a href="#c--d">' in page.body


def test_what_is_written_never_becomes_markup() -> None:
    text = (
        '<script>1</script>\n\n[x](javascript:1) <b onclick="1">\n\n```html\n</pre><script>\n```\n'
    )
    body = render(text, lambda link: link).body
    assert "<script" not in body
    assert "<b " not in body
    assert 'href="javascript' not in body
    assert body.count("</pre>") == 1
