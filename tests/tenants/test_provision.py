"""``manage.py provision``: one JSON object and nothing else, or a refusal that changes nothing."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from typing import Any

import pytest
from django.conf import settings
from django.core.management import ManagementUtility
from django.db import connections

from crypto_schemes import registry
from crypto_schemes.ciphers import rsa
from tenants import at_rest, lifecycle
from tenants.actors import Actor
from tenants.lifecycle import IssuedFlow
from tenants.models import AuditEntry, Client, Flow, Key, KeyringEpoch
from tests.support.bundles import BUNDLES

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_keys")]
Make = Callable[..., IssuedFlow]


class Done:
    """How a run of the command ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def report(self) -> dict[str, Any]:
        """The one JSON object on standard output."""
        assert self.code == 0, self.err
        assert self.err == ""
        assert self.out.endswith("\n")
        assert self.out.count("\n") == 1
        found: dict[str, Any] = json.loads(self.out)
        return found


@pytest.fixture
def provision(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """Run the command as from a shell, exit code and all."""

    # Django closes the connection after a command, and the test's transaction with it.
    monkeypatch.setattr(connections, "close_all", lambda: None)

    def run(*arguments: str) -> Done:
        code = 0
        with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
            try:
                ManagementUtility(["manage.py", "provision", *arguments]).execute()
            except SystemExit as stopped:
                code = int(stopped.code or 0)
        return Done(code, out.getvalue(), err.getvalue())

    return run


def everything() -> tuple[Any, ...]:
    return (
        list(Client.objects.values().order_by("pk")),
        list(Flow.objects.values().order_by("pk")),
        list(Key.objects.values().order_by("pk")),
        list(AuditEntry.objects.values().order_by("pk")),
        list(KeyringEpoch.objects.values()),
    )


@pytest.fixture
def refused(provision: Callable[..., Done]) -> Callable[..., str]:
    """Run the command; it must fail, say why on standard error alone, and change nothing."""

    def run(*arguments: str) -> str:
        before = everything()
        done = provision(*arguments)
        assert done.code == 1
        assert done.out == ""
        assert done.err.startswith("CommandError: ")
        assert "Traceback" not in done.err
        assert everything() == before
        return done.err

    return run


@pytest.mark.parametrize("scheme", registry.NAMES)
def test_the_report_of_each_contract(provision: Callable[..., Done], scheme: str) -> None:
    report = provision(scheme, "--client", "acme", "--json").report
    flow = Flow.objects.get()
    assert list(report) == [
        *("client", "flow", "address", "path"),
        *("scheme", "url", "documentation", "credentials"),
    ]
    assert report["client"] == "acme" == Client.objects.get().slug
    assert report["flow"] == str(flow.pk)
    assert (report["scheme"], report["address"]) == (scheme, flow.address)
    assert list(report["credentials"]) == BUNDLES[scheme]
    assert all(isinstance(value, str) and value for value in report["credentials"].values())
    assert (
        report["path"]
        == {
            "kairos": "/kairos-apis/enc/outbound/create",
            "citcall": "/v2/asynccall",
            "isu": "/w1w2-payout/w1/cashtransfer",
            "whatsapp_flows": f"/whatsapp/flows/{flow.address}",
            "flynn": "/authenticate-with-secrets",
        }[scheme]
    )


@pytest.mark.parametrize("scheme", registry.NAMES)
def test_what_is_for_the_partner_is_what_a_hand_over_gives(
    provision: Callable[..., Done], actor: Actor, scheme: str
) -> None:
    given = ("--callback-secret", "--upstream-secret", "--json")
    report = provision(scheme, "--client", "acme", *given).report
    flow = Flow.objects.get()
    link = lifecycle.create_handover(actor, flow)
    opened = lifecycle.open_handover(link.token, address="127.0.0.1", request_id="")
    for_partner = {name: report[name] for name in ("scheme", "url", "documentation", "credentials")}
    assert for_partner == json.loads(opened.bundle.as_json(flow))
    assert report["url"] == settings.PUBLIC_URL + report["path"]
    assert list(report["own_service"]) == ["upstream_signing"]


def test_a_key_in_the_partners_own_writing_is_among_the_credentials(
    provision: Callable[..., Done],
) -> None:
    given = provision("isu", "--client", "acme", "--option", "key_encoding=hex", "--json").report
    assert list(given["credentials"]) == [*BUNDLES["isu"], "aes_key_hex"]
    key = base64.b64decode(given["credentials"]["aes_key_base64"])
    assert given["credentials"]["aes_key_hex"] == key.hex()


@pytest.mark.parametrize("scheme", registry.NAMES)
def test_the_credentials_are_the_stored_keys(provision: Callable[..., Done], scheme: str) -> None:
    credentials = provision(scheme, "--client", "acme", "--json").report["credentials"]
    flow = Flow.objects.get()
    for spec in flow.contract.purposes:
        if spec.credential_name in credentials:
            key = flow.keys.get(purpose=spec.name, state="active")
            stored = at_rest.open_sealed(key.material, key.at_rest_context)
            given = credentials[spec.credential_name]
            if spec.kind == "rsa":
                pair = rsa.load_private_der(stored, trusted=True)
                assert given == rsa.public_pem(pair) == key.public_pem
            elif spec.kind == "token":
                assert given.encode() == stored
            else:
                assert base64.b64decode(given, validate=True) == stored
    for name, value in flow.identity.items():
        assert credentials[name] == value


def test_every_argument_reaches_the_flow(provision: Callable[..., Done]) -> None:
    report = provision(
        "isu",
        "--client=acme",
        "--address=partner01",
        "--option=epoch_window=120",
        "--option=replay_guard=false",
        "--option=payout_path=/pay/out",
        "--option=callback_body=sealed",
        "--backend=upstream",
        "--upstream-url=http://orders:8080/isu",
        "--callback-url=https://partner.example/results?a=b",
        "--allow-network=203.0.113.0/24",
        "--allow-network=2001:db8::/32",
        "--json",
    ).report
    flow = Flow.objects.get()
    assert (flow.address, flow.backend, flow.upstream_url) == (
        "partner01",
        "upstream",
        "http://orders:8080/isu",
    )
    assert flow.options == {
        "epoch_window": 120,
        "replay_guard": False,
        "payout_path": "/pay/out",
        "callback_body": "sealed",
    }
    assert flow.callback_url == "https://partner.example/results?a=b"
    assert flow.allowed_networks == ["203.0.113.0/24", "2001:db8::/32"]
    assert report["path"] == "/pay/out"
    assert report["credentials"]["client_id"] == "partner01"
    key = flow.keys.get(purpose="callback_signing")
    stored = at_rest.open_sealed(key.material, key.at_rest_context).decode()
    assert list(report["credentials"])[-1] == "callback_signing"
    assert report["credentials"]["callback_signing"] == stored


def test_the_secret_for_the_own_service_is_given_when_asked_for(
    provision: Callable[..., Done],
) -> None:
    report = provision("citcall", "--client", "acme", "--upstream-secret", "--json").report
    key = Flow.objects.get().keys.get(purpose="upstream_signing")
    stored = at_rest.open_sealed(key.material, key.at_rest_context).decode()
    assert list(report["credentials"]) == ["userid", "api_key"]
    assert report["own_service"] == {"upstream_signing": stored}


def test_people_read_which_secret_is_not_for_the_partner(provision: Callable[..., Done]) -> None:
    done = provision("citcall", "--client", "acme", "--callback-secret", "--upstream-secret")
    for_partner, for_service = done.out.split("For your own service, shown this once.")
    assert "callback_signing\nwhsec_" in for_partner
    assert "upstream_signing" not in for_partner
    assert "upstream_signing\nwhsec_" in for_service
    assert "callback_signing" not in for_service
    plain = provision("citcall", "--client", "acme").out
    assert "own service" not in plain
    assert "whsec_" not in plain


def test_the_callback_secret_is_given_with_a_callback_url_or_when_asked_for(
    provision: Callable[..., Done],
) -> None:
    flow = ("citcall", "--client", "acme", "--json")
    assert "whsec_" not in provision(*flow).out
    assert "whsec_" in provision(*flow, "--callback-secret").out
    with_url = provision(*flow, "--callback-url", "https://acme.example/calls").report
    assert with_url["credentials"]["callback_signing"].startswith("whsec_")


def test_a_known_client_gets_another_flow(provision: Callable[..., Done]) -> None:
    provision("citcall", "--client", "acme", "--json")
    provision("kairos", "--client", "acme", "--json")
    assert Client.objects.get().flows.count() == 2
    verbs = AuditEntry.objects.values_list("verb", flat=True)
    assert list(verbs).count("client.create") == 1
    actors = set(AuditEntry.objects.values_list("actor", flat=True))
    assert len(actors) == 1
    assert actors.pop().startswith("shell:")


def test_an_address_in_use(provision: Callable[..., Done], refused: Callable[..., str]) -> None:
    first = provision("citcall", "--client", "acme", "--address", "partner01", "--json").report
    for client in ("acme", "other"):
        text = refused("citcall", "--client", client, "--address", "partner01", "--json")
        assert "The citcall address partner01 is in use." in text
        assert first["credentials"]["api_key"] not in text
    assert provision("isu", "--client", "other", "--address", "partner01", "--json").code == 0


@pytest.mark.parametrize(
    ("arguments", "texts"),
    [
        (["no_such"], ["no contract no_such", "kairos, citcall, isu, whatsapp_flows, flynn"]),
        (["citcall", "--option", "max_skew"], ["NAME=VALUE"]),
        (["citcall", "--option", "=1"], ["NAME=VALUE"]),
        (["citcall", "--option", "max_skew=1", "--option", "max_skew=2"], ["given twice"]),
        (
            ["citcall", "--option", "no_such=1"],
            ["no_such: there is no such option", "known are attempts_per_minute, callback_body"],
        ),
        (["citcall", "--option", "max_skew=0"], ["max_skew: ", "greater than or equal to 1"]),
        (["citcall", "--option", "max_skew=soon"], ["max_skew: ", "valid integer"]),
        (["citcall", "--option", "max_skew=null"], ["max_skew: ", "valid integer"]),
        (["citcall", "--option", "max_skew=1e999"], ["max_skew: "]),
        (["citcall", "--option", "callback_body=open"], ["callback_body: ", "'sealed' or 'plain'"]),
        (["isu", "--option", 'callback_body="open"'], ["callback_body: ", "'plain' or 'sealed'"]),
        (["isu", "--option", "payout_path=nowhere"], ["payout_path: "]),
        (
            ["isu", "--option", "payout_path=/payout/statuscheck/txnreport"],
            ["each product needs a path of its own"],
        ),
        (
            ["isu", "--option", "payout_path=/ping"],
            ["payout_path: /ping is an address of the contract flynn. Choose another path."],
        ),
        (["flynn", "--option", "token_minutes=500"], ["token_max_minutes"]),
        (["kairos", "--option", "rsa_bits=1024"], ["rsa_bits: ", "4096, 3072 or 2048"]),
        (["citcall", "--address", "a b"], ["address: ", "1 to 64 letters"]),
        (["citcall", "--address", "x" * 65], ["address: "]),
        (["citcall", "--backend", "upstream"], ["upstream_url: ", "needs an upstream URL"]),
        (
            ["citcall", "--backend", "sandbox", "--upstream-url", "http://orders/"],
            ["--backend upstream"],
        ),
        (["citcall", "--upstream-url", "orders:8080"], ["upstream_url: ", "http or https"]),
        (["citcall", "--callback-url", "ftp://x/"], ["callback_url: ", "http or https"]),
        (["citcall", "--callback-url", "https://u:hunter2@x/"], ["callback_url: ", "Leave user"]),
        (["citcall", "--allow-network", "10.0.0.1/8"], ["allowed_networks: ", "host bits"]),
        (["citcall", "--allow-network", "everybody"], ["allowed_networks: ", "not a network"]),
        (["citcall", "--backend", "magic"], ["backend_class: ", "dotted path"]),
        (["citcall", "--backend", "no.such.Backend"], ["backend_class: ", "no"]),
        (["citcall", "--backend", "os.path"], ["backend_class: ", "not a subclass"]),
        (["citcall", "--backend", "os.path.no_such"], ["backend_class: "]),
        (["citcall", "--backend", "flows_endpoint.backends.Backend"], ["backend_class: "]),
        (["citcall", "--backend", "../../etc/passwd"], ["backend_class: ", "dotted path"]),
    ],
)
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_what_is_refused(
    refused: Callable[..., str], arguments: list[str], texts: list[str], form: list[str]
) -> None:
    text = refused(arguments[0], "--client", "acme", *arguments[1:], *form)
    for part in texts:
        assert part in text
    assert "hunter2" not in text


@pytest.mark.parametrize("slug", ["", "a b", "ä", "x" * 65])
def test_a_client_that_cannot_be_called_so(refused: Callable[..., str], slug: str) -> None:
    assert "slug: " in refused("citcall", "--client", slug, "--json")


def test_a_backend_of_ones_own(provision: Callable[..., Done]) -> None:
    path = "tests.tenants.own_backend.Echo"
    provision("citcall", "--client", "acme", "--backend", path, "--json")
    flow = Flow.objects.get()
    assert (flow.backend, flow.backend_class) == ("python", path)


def test_a_backend_whose_module_breaks(refused: Callable[..., str]) -> None:
    path = "tests.tenants.broken_backend.Echo"
    text = refused("citcall", "--client", "acme", "--backend", path)
    assert f"{path} cannot be loaded: ZeroDivisionError" in text


def test_an_upstream_url_alone_means_the_upstream_backend(provision: Callable[..., Done]) -> None:
    provision("citcall", "--client", "acme", "--upstream-url", "http://orders:8080/", "--json")
    assert Flow.objects.get().backend == "upstream"


@pytest.mark.parametrize(
    ("option", "value", "stored"),
    [
        ("country_code", "62", "62"),
        ("test_phone_numbers", "919812345678", ["919812345678"]),
        ("test_phone_numbers", "919812345678,919812345679", ["919812345678", "919812345679"]),
        ("test_phone_numbers", '["919812345678"]', ["919812345678"]),
        ("valid_until", "2031-12-31", "2031-12-31"),
        ("encrypt_helper", "null", None),
        ("balance", "5", 5),
        ("callback_username", "true", "true"),
        ("callback_username", "a=b", "a=b"),
        ("rsa_bits", "2048", 2048),
    ],
)
def test_values_are_json_where_the_option_takes_it_so(
    provision: Callable[..., Done], option: str, value: str, stored: Any
) -> None:
    provision("kairos", "--client", "acme", "--option", f"{option}={value}", "--json")
    assert Flow.objects.get().options == {option: stored}


def test_the_form_for_people_says_that_it_is_shown_once(provision: Callable[..., Done]) -> None:
    done = provision("kairos", "--client", "acme", "--address", "Abcd1234")
    flow = Flow.objects.get()
    assert (done.code, done.err) == (0, "")
    assert "shown this once" in done.out
    assert "http://127.0.0.1:8000/kairos-apis/enc/outbound/create" in done.out
    pem = flow.keys.get(purpose="kairos_rsa").public_pem
    assert pem.strip() in done.out
    assert str(flow.pk) in done.out
    assert "Abcd1234" in done.out


def test_arguments_are_asked_for(provision: Callable[..., Done]) -> None:
    for arguments in ([], ["citcall"], ["--client", "acme"]):
        done = provision(*arguments)
        assert (done.code, done.out) == (2, "")
        assert "required" in done.err
    assert everything()[1] == []


def test_make_flow_and_command_line_make_the_same(
    provision: Callable[..., Done], make_flow: Make
) -> None:
    report = provision("isu", "--client", "acme", "--json").report
    issued = make_flow("isu")
    assert list(issued.credentials) == list(report["credentials"])
    assert set(Key.objects.filter(flow=issued.flow).values_list("purpose", "state")) == set(
        Key.objects.filter(flow_id=report["flow"]).values_list("purpose", "state")
    )
