"""An administrator at work over real HTTP: logs in, follows links, fills in forms."""

from __future__ import annotations

import base64
import re
import time
import urllib.error
import urllib.request
from collections import Counter, deque
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookiejar import CookieJar
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from django_otp.oath import totp

from tests.tenants.admin_pages import forms_of


@dataclass(repr=False)
class Answer:
    """What came back."""

    url: str
    status: int
    headers: str
    body: bytes

    @property
    def text(self) -> str:
        """Return the body as text."""
        return self.body.decode("utf-8", "replace")


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        href = dict(attrs).get("href")
        if tag == "a" and href:
            self.found.append(href)


@dataclass(repr=False)
class AdminSession:
    """A browser without a window. ``seen`` are all answers but those that show what was issued."""

    base: str
    seen: list[Answer] = field(default_factory=list)
    #: Set-Cookie lines, and the headers of answers that show what was issued.
    headers: list[str] = field(default_factory=list)
    second_factor: str = ""

    def __post_init__(self) -> None:
        self.cookies = CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.cookies))

    def get(self, path: str) -> Answer:
        """Open a page."""
        return self._open(urllib.request.Request(urljoin(self.base, path)))

    def post(self, path: str, data: dict[str, Any]) -> Answer:
        """Send a form."""
        url = urljoin(self.base, path)
        body = urlencode(data, doseq=True).encode()
        return self._open(urllib.request.Request(url, body, {"Referer": url}))

    def submit(self, page: Answer, action: str, /, **changed: Any) -> Answer:
        """Send the form of ``page`` that goes to ``action`` (the end of it), filled in anew."""
        form = next(form for form in forms_of(page.text) if form["action"].endswith(action))
        data = {**form["fields"], **changed}
        return self.post(urljoin(page.url, form["action"] or page.url), data)

    def log_in(self, name: str, password: str, *, wrong: str = "") -> None:
        """Give the password, after a ``wrong`` one if there is one, and set up a second factor."""
        page = self.get("/admin/login/?next=/admin/")
        if wrong:
            page = self.submit(page, "", username=name, password=wrong)
        page = self.submit(page, "", username=name, password=password)
        found = re.search(r'<code class="sg-code">([A-Z2-7]+)</code>', page.text)
        assert found is not None, page.url
        self.second_factor = found[1]
        self.seen.remove(page)  # shows the secret, once
        page = self.submit(page, "", code=self._code())
        assert urlsplit(page.url).path == "/admin/", page.url

    def crawl(self, *starts: str, most: int = 2) -> set[str]:
        """Open the pages of the admin that links lead to; returns their paths.

        Of pages that differ in nothing but the row they are about, ``most`` are opened.
        """
        waiting, opened, kinds = deque(starts), set[str](), Counter[str]()
        while waiting:
            path = waiting.popleft()
            kind = re.sub(r"/[0-9a-f-]{36}/|/\d+/", "/row/", path)
            if path in opened or kinds[kind] >= most:
                continue
            opened.add(path)
            kinds[kind] += 1
            page = self.get(path)
            assert page.status in {200, 404}, (path, page.status)
            parser = _Links()
            parser.feed(page.text)
            for href in parser.found:
                link = urlsplit(urljoin(page.url, href))
                if link.path.startswith("/admin/") and not link.path.endswith(".pem"):
                    waiting.append(link.path)
        return opened

    def _code(self) -> str:
        key = base64.b32decode(self.second_factor + "=" * (-len(self.second_factor) % 8))
        return f"{totp(key):06d}"

    def _open(self, request: urllib.request.Request) -> Answer:
        try:
            with self._opener.open(request, timeout=60) as answer:
                made = Answer(answer.url, answer.status, str(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            made = Answer(error.url or "", error.code, str(error.headers), error.read())
        self.headers.append(made.headers)
        if "This page is shown once." not in made.text:
            self.seen.append(made)
        return made

    def wait_for_the_next_code(self) -> None:
        """Wait until the code that was used is over: each is good once."""
        time.sleep(30 - time.time() % 30 + 0.5)
