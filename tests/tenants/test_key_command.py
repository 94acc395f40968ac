"""``manage.py key``: the verbs of the admin's buttons, one JSON object each, or a plain refusal."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from django.utils import timezone

from tenants import at_rest, key_use, lifecycle
from tenants.actors import Actor
from tenants.lifecycle import IssuedFlow
from tenants.models import AuditEntry, Flow, Key, KeyringEpoch
from tests.tenants.test_key_import import pem

pytestmark = pytest.mark.django_db
Make = Callable[..., IssuedFlow]
Run = Callable[..., str]
Refused = Callable[..., str]
TOKEN = "0123456789abcdef0123456789abcdef"
FACTS = [
    "id",
    "client",
    "flow",
    "scheme",
    "address",
    "purpose",
    "version",
    "state",
    "fingerprint",
    "created_at",
    "activated_at",
    "accept_until",
    "ended_at",
    "end_reason",
    "expires_at",
    "destroy_at",
    "last_used_at",
    "use_count",
]


@pytest.fixture
def flow(make_flow: Make) -> Flow:
    return make_flow("citcall", address="p1").flow


def everything() -> tuple[Any, ...]:
    return (
        list(Key.objects.values().order_by("pk")),
        AuditEntry.objects.count(),
        KeyringEpoch.objects.get().value,
    )


@pytest.fixture
def refused(shell: Callable[..., tuple[int, str, str]]) -> Refused:
    """Run the command, which must fail, say why on standard error alone, and change nothing."""

    def refused(*arguments: str, given: bytes = b"") -> str:
        before = everything()
        code, out, err = shell(*arguments, given=given)
        assert code in {1, 2}
        assert out == ""
        assert "Traceback" not in err
        assert everything() == before
        return err

    return refused


# --- verbs ---------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["generate", "stage"])
def test_a_new_version_and_its_secret_shown_once(
    report: Callable[..., dict[str, Any]], flow: Flow, verb: str
) -> None:
    made = report(verb, "citcall/p1", "api_key")
    assert list(made) == [*FACTS, "secret"]
    key = flow.keys.get(purpose="api_key", version=2)
    assert (made["id"], made["state"], made["version"]) == (str(key.pk), "staged", 2)
    assert made["fingerprint"] == key.fingerprint
    assert at_rest.open_sealed(key.material, key.at_rest_context).decode() == made["secret"]
    entry = AuditEntry.objects.latest("pk")
    assert (entry.verb, entry.key) == ("key.generate", key)
    assert entry.actor.startswith("shell:")
    assert made["secret"] not in json.dumps(report("list"))


def test_a_number_keeps_a_repeated_call_from_making_two(
    run: Run, refused: Refused, flow: Flow
) -> None:
    run("generate", "citcall/p1", "api_key", "--version-number", "2")
    text = refused("generate", "citcall/p1", "api_key", "--version-number", "2")
    assert "version 2 was made already" in text


def test_the_whole_life_of_a_version(report: Callable[..., dict[str, Any]], flow: Flow) -> None:
    report("generate", str(flow.pk), "api_key")
    promoted = report("promote", "citcall/p1/api_key/2", "--overlap-days", "3")
    assert (promoted["state"], promoted["accept_until"]) == ("active", None)
    (old,) = report("list", "--flow", "citcall/p1", "--state", "retiring")["keys"]
    assert (old["version"], old["accept_until"] is None) == (1, False)
    retired = report("retire", old["id"], "--reason", "they have moved")
    assert (retired["state"], retired["end_reason"]) == ("retired", "they have moved")
    revoked = report("revoke", promoted["id"], "--reason", "leaked")
    assert (revoked["state"], revoked["end_reason"]) == ("revoked", "leaked")
    waiting = report(
        "schedule-destruction", promoted["id"], "--days", "7", "--reason", "not needed"
    )
    assert (waiting["state"], waiting["destroy_at"][:10]) == ("revoked", _in_days(7))
    kept = report("cancel-destruction", promoted["id"], "--reason", "evidence")
    assert kept["destroy_at"] is None
    verbs = list(AuditEntry.objects.order_by("pk").values_list("verb", flat=True))
    assert verbs[-7:] == [
        "key.generate",
        "key.retire",
        "key.promote",
        "key.retire",
        "key.revoke",
        "key.schedule_destruction",
        "key.cancel_destruction",
    ]


def _in_days(days: int) -> str:
    return f"{timezone.now() + timedelta(days=days):%Y-%m-%d}"


def test_an_expiry_from_the_start_and_later(
    report: Callable[..., dict[str, Any]], run: Run, flow: Flow
) -> None:
    made = report("generate", "citcall/p1", "api_key", "--expires", _in_days(90))
    assert made["expires_at"] == f"{_in_days(90)}T00:00:00+00:00"
    taken = report(
        "import", "citcall/p1", "api_key", "--expires", _in_days(30), given=TOKEN.encode()
    )
    assert taken["expires_at"] == f"{_in_days(30)}T00:00:00+00:00"
    said = run("set-expiry", "citcall/p1/api_key/1", "--expires", f"{_in_days(60)}T18:00+07:00")
    assert f"API key version 1 is active, expires {_in_days(60)} 11:00 UTC." in said
    assert f"active, expires {_in_days(60)}" in run("list", "--state", "active")
    assert report("set-expiry", "citcall/p1/api_key/1", "--never")["expires_at"] is None


def test_a_version_that_waits_to_be_erased_says_when(run: Run, flow: Flow) -> None:
    run("generate", "citcall/p1", "api_key")
    run("retire", "citcall/p1/api_key/2")
    said = run("schedule-destruction", "citcall/p1/api_key/2", "--reason", "old")
    assert f"API key version 2 is retired, destroyed on {_in_days(30)} " in said
    assert f"retired, destroyed on {_in_days(30)}" in run("list")


@pytest.mark.parametrize("verb", ["retire", "revoke"])
def test_ending_one_in_use_takes_its_name(
    report: Callable[..., dict[str, Any]], refused: Refused, flow: Flow, verb: str
) -> None:
    report("generate", "citcall/p1", "api_key")
    key = flow.keys.get(purpose="api_key", version=2)
    key_use.note_use((str(key.pk),))
    text = refused(verb, "citcall/p1/api_key/2", "--reason", "leaked")
    assert "API key version 2 is in use: last " in text
    assert "once within 7 days, 1 in all" in text
    assert '--confirm "api_key v2" --reason WHY' in text
    wrong = refused(verb, "citcall/p1/api_key/2", "--reason", "leaked", "--confirm", "api_key v1")
    assert "not what stands there" in wrong
    done = report(verb, "citcall/p1/api_key/2", "--reason", "leaked", "--confirm", "api_key v2")
    assert done["state"] == f"{verb.removesuffix('e')}ed"


def test_promoting_without_an_overlap_takes_the_name_of_the_predecessor(
    report: Callable[..., dict[str, Any]], refused: Refused, flow: Flow
) -> None:
    report("generate", "citcall/p1", "api_key")
    key_use.note_use((str(flow.keys.get(purpose="api_key", version=1).pk),))
    where = ("promote", "citcall/p1/api_key/2", "--overlap-days", "0")
    assert '--confirm "api_key v1"' in refused(*where)
    assert "Say why" in refused(*where, "--confirm", "api_key v1")
    report(*where, "--confirm", "api_key v1", "--reason", "leaked")
    old = flow.keys.get(purpose="api_key", version=1)
    assert (old.state, old.end_reason) == ("retired", "leaked")


def test_the_public_half(
    run: Run, report: Callable[..., dict[str, Any]], refused: Refused, make_flow: Make
) -> None:
    flow = make_flow("whatsapp_flows").flow
    key = flow.keys.get(purpose="whatsapp_rsa")
    out = run("export-public", str(key.pk))
    assert out.strip() == key.public_pem.strip()
    assert out.startswith("-----BEGIN PUBLIC KEY-----\n")
    assert report("export-public", str(key.pk))["public_key_pem"] == key.public_pem
    other = flow.keys.get(purpose="app_secret")
    assert "has no public half" in refused("export-public", str(other.pk))


def test_a_token_from_standard_input(report: Callable[..., dict[str, Any]], flow: Flow) -> None:
    made = report("import", "citcall/p1", "api_key", given=f"{TOKEN}\n".encode())
    assert list(made) == FACTS
    key = Key.objects.get(pk=made["id"])
    assert (key.state, key.version) == ("staged", 2)
    assert at_rest.open_sealed(key.material, key.at_rest_context) == TOKEN.encode()


def test_a_pair_from_a_file_with_its_passphrase(
    report: Callable[..., dict[str, Any]], refused: Refused, make_flow: Make, tmp_path: Path
) -> None:
    flow = make_flow("whatsapp_flows", address="w1").flow
    pair = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    (tmp_path / "key.pem").write_text(pem(pair, b"open sesame"))
    (tmp_path / "passphrase").write_text("open sesame\n")
    where = (
        "import",
        "whatsapp_flows/w1",
        "whatsapp_rsa",
        "--from-file",
        str(tmp_path / "key.pem"),
    )
    assert "passphrase" in refused(*where)
    made = report(*where, "--passphrase-file", str(tmp_path / "passphrase"))
    assert made["state"] == "staged"
    assert flow.keys.get(pk=made["id"]).public_pem.startswith("-----BEGIN PUBLIC KEY-----")


# --- lists ---------------------------------------------------------------------------------


def test_the_list_and_its_filters(
    report: Callable[..., dict[str, Any]], flow: Flow, make_flow: Make, actor: Actor
) -> None:
    make_flow("isu")
    lifecycle.generate_key(actor, flow, "api_key")
    every = report("list")["keys"]
    assert len(every) == Key.objects.count()
    assert all(list(key) == FACTS for key in every)
    found = report("list", "--flow", "citcall/p1", "--purpose", "api_key")["keys"]
    assert [(key["version"], key["state"]) for key in found] == [(2, "staged"), (1, "active")]
    staged = report("list", "--client", "acme", "--state", "staged", "--state", "revoked")["keys"]
    assert [key["version"] for key in staged] == [2]
    assert report("list", "--client", "nobody")["keys"] == []


def test_for_people(run: Run, flow: Flow) -> None:
    key = flow.keys.get(purpose="api_key")
    secret = at_rest.open_sealed(key.material, key.at_rest_context).decode()
    table = run("list", "--flow", "citcall/p1")
    assert "citcall/p1" in table
    assert "api_key" in table
    assert key.short_fingerprint in table
    assert secret not in table
    made = run("generate", "citcall/p1", "api_key")
    assert "citcall/p1/api_key/2: API key version 2 is staged." in made
    new = flow.keys.get(purpose="api_key", version=2)
    assert at_rest.open_sealed(new.material, new.at_rest_context).decode() in made
    assert "is active" in run("promote", "citcall/p1/api_key/2")


# --- refusals ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("generate", "citcall/nobody", "api_key"), "There is no flow citcall/nobody"),
        (("generate", "p1", "api_key"), "SCHEME/ADDRESS"),
        (("generate", str(uuid.UUID(int=1)), "api_key"), "There is no flow"),
        (("generate", "citcall/p1", "aes"), "has no purpose aes"),
        (("promote", "citcall/p1/api_key/9"), "There is no key version"),
        (("promote", "citcall/p1/api_key/x"), "SCHEME/ADDRESS/PURPOSE/VERSION"),
        (("promote", "citcall/p1/api_key/²"), "There is no key version"),
        (("promote", "citcall/p1/api_key/1", "--overlap-days", "91"), "0 to 90 days"),
        (("promote", "citcall/p1/api_key/1", "--overlap-days", "-1"), "0 to 90 days"),
        (("promote", "citcall/p1/api_key/1", "--overlap-days", "9" * 30), "0 to 90 days"),
        (("retire", "citcall/p1/api_key/1"), "Promote its successor"),
        (("destroy", "citcall/p1/api_key/1"), "invalid choice"),
        (("schedule-destruction", "citcall/p1/api_key/1"), "--reason"),
        (("schedule-destruction", "citcall/p1/api_key/1", "--reason", "old"), "is active"),
        (
            ("schedule-destruction", "citcall/p1/api_key/1", "--reason", "old", "--days", "6"),
            "waits 7 to 30 days",
        ),
        (("cancel-destruction", "citcall/p1/api_key/1"), "is active"),
        (("set-expiry", "citcall/p1/api_key/1"), "--expires"),
        (("set-expiry", "citcall/p1/api_key/1", "--expires", " "), "say --never"),
        (("set-expiry", "citcall/p1/api_key/1", "--expires", "soon"), "That is no date"),
        (("set-expiry", "citcall/p1/api_key/1", "--expires", "2020-01-01"), "in the future"),
        (("generate", "citcall/p1", "api_key", "--expires", "2020-01-01"), "in the future"),
        (("revoke", "citcall/p1/api_key/1"), "--reason"),
        (("revoke", "citcall/p1/api_key/1", "--reason", " "), "needs a reason"),
        (("list", "--flow", "citcall/nobody"), "There is no flow"),
        (("list", "--state", "lost"), "invalid choice"),
        (("import", "citcall/p1", "api_key", "--from-file", "/nowhere"), "cannot be read"),
        ((), "VERB"),
        (("lose",), "invalid choice"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, tuple) else "",
)
def test_what_cannot_be_done_is_said(
    refused: Refused, flow: Flow, arguments: tuple[str, ...], says: str
) -> None:
    assert says in refused(*arguments)
    assert says in refused(*arguments[:1], *arguments[1:], *(["--json"] if arguments else []))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (b"", "Nothing was pasted"),
        (b"\xff\xfe", "cannot be read (UnicodeDecodeError)"),
        (b"a" * 70_000, "too long to be a key"),
        (b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "repeats a few characters"),
    ],
    ids=["nothing", "not text", "too long", "weak"],
)
def test_a_bad_secret_is_not_taken_and_not_repeated(
    refused: Refused, flow: Flow, given: bytes, says: str
) -> None:
    text = refused("import", "citcall/p1", "api_key", given=given)
    assert says in text
    assert given.decode("latin-1")[:20] not in text or not given
