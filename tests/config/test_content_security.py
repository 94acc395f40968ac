"""Pages run the product's own scripts alone; production settings pass Django's own check."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
from django.test import Client as Browser

from tenants import master_keys
from tests.support.product import ROOT

pytestmark = [pytest.mark.django_db, pytest.mark.once]
INLINE = re.compile(r"<script(?![^>]*\ssrc=)[^>]*>|\son[a-z]+=\"", re.I)


@pytest.mark.parametrize("url", ["/admin/login/", "/docs", "/docs/kairos", "/docs/api"])
def test_pages_carry_a_policy_and_no_inline_script(url: str) -> None:
    answer = Browser().get(url)
    assert answer.status_code == 200
    policy = dict(part.strip().split(" ", 1) for part in answer.headers[HEADER].split(";"))
    assert policy["default-src"] == "'none'"
    scripts = "'self' 'unsafe-eval'" if url.startswith("/admin/") else "'self'"
    assert policy["script-src"] == scripts
    assert policy["frame-ancestors"] == "'none'"
    assert not INLINE.search(answer.content.decode())


HEADER = "Content-Security-Policy"


def test_machines_get_no_policy() -> None:
    assert HEADER not in Browser().get("/livez").headers
    assert HEADER not in Browser().get("/no/such/address").headers


def test_production_settings_pass_the_deployment_check(tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT,
        env={
            **kept,
            "SEALGATE_VAR": str(tmp_path),
            "SEALGATE_PUBLIC_URL": "https://gateway.example.com",
            "SEALGATE_ALLOWED_HOSTS": "gateway.example.com",
            "SEALGATE_MASTER_KEYS": master_keys.generate(),
            "SEALGATE_SECRET_KEY": secrets.token_urlsafe(64),
        },
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout + done.stderr
