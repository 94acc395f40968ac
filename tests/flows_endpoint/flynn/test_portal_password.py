"""The portal password: encrypted or plain, the session it begins, and when it ends."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from flows_endpoint.flynn.models import Invoice, PortalSession
from tenants import lifecycle
from tenants.actors import Actor
from tests.flows_endpoint.flynn.partner import EINV, EWAY, Clock, Partner, error_of, portal_code
from tests.support import key_life

pytestmark = pytest.mark.django_db
Make = Callable[..., Partner]
EMPTY = {
    "message": "err-unable-to-authenticate-with-empty-password",
    "type": "ClientRequest",
    "args": {},
}
GET = f"{EINV}/irn/{'0' * 64}"  # unknown: 2148, after the password was taken


def without(partner: Partner, module: str = "irp") -> dict[str, str]:
    """Return the headers of a call without any password."""
    headers = partner.portal_headers(module)
    return {name: text for name, text in headers.items() if "x-flynn-s" not in name}


def is_refused(partner: Partner, headers: dict[str, str], path: str = GET) -> bool:
    reply = partner.send("GET", path, headers=headers)
    if reply.status_code == 401:
        assert error_of(reply) == EMPTY
        return True
    assert reply.status_code in (200, 502)
    return False


def test_encrypted_or_plain(partner: Partner) -> None:
    assert partner.call(EINV, partner.invoice("A/1")).status_code == 200
    plain = without(partner) | {"x-flynn-n-irp-pwd": partner.bundle["portal_password"]}
    assert partner.send("POST", EINV, partner.invoice("A/2"), plain).status_code == 200
    # Both: the encrypted one wins, whichever is right.
    right_s = partner.portal_headers("irp") | {"x-flynn-n-irp-pwd": "wrong"}
    assert partner.send("POST", EINV, partner.invoice("A/3"), right_s).status_code == 200
    wrong_s = partner.headers(
        {"irp-pwd": "wrong"},
        {
            "irp-gstin": partner.bundle["gstin"],
            "irp-username": partner.bundle["portal_username"],
            "irp-pwd": partner.bundle["portal_password"],
        },
    )
    assert portal_code(partner.send("POST", EINV, partner.invoice("A/4"), wrong_s)) == "1008"


@pytest.mark.parametrize(("module", "code"), [("irp", "1008"), ("ewb", "108")])
@pytest.mark.parametrize("name", ["gstin", "username", "pwd"])
def test_wrong_credentials_look_alike(partner: Partner, module: str, code: str, name: str) -> None:
    headers = without(partner, module) | {
        f"x-flynn-n-{module}-pwd": partner.bundle["portal_password"],
        f"x-flynn-n-{module}-{name}": "wrong",
    }
    path = EINV if module == "irp" else f"{EWAY}/gen-ewb"
    body = partner.invoice() if module == "irp" else partner.eway_bill()
    reply = partner.send("POST", path, body, headers)
    assert portal_code(reply) == code
    assert not Invoice.objects.exists()
    assert not PortalSession.objects.exists()


def test_a_session_stands_for_the_password_for_six_hours(partner: Partner, clock: Clock) -> None:
    assert is_refused(partner, without(partner))
    partner.register()
    assert not is_refused(partner, without(partner))
    assert is_refused(partner, without(partner, "ewb"), f"{EWAY}/GetEwayBill?ewbNo=1")
    clock.forward(hours=6, minutes=-1)
    partner.forget_token()
    assert not is_refused(partner, without(partner))
    clock.forward(minutes=2)
    assert is_refused(partner, without(partner))


def test_a_call_without_a_password_prolongs_nothing(partner: Partner, clock: Clock) -> None:
    partner.register()
    until = PortalSession.objects.get().expires_at
    clock.forward(hours=1)
    assert not is_refused(partner, without(partner))
    assert PortalSession.objects.get().expires_at == until
    partner.register("A/2")
    assert PortalSession.objects.get().expires_at > until + timedelta(minutes=59)


def test_a_refused_call_begins_no_session(partner: Partner) -> None:
    assert portal_code(partner.call(GET, method="GET")) == "2148"
    assert is_refused(partner, without(partner))


def test_a_session_is_for_one_user(partner: Partner) -> None:
    partner.register()
    assert is_refused(partner, without(partner) | {"x-flynn-n-irp-username": "another"})
    assert is_refused(partner, without(partner) | {"x-flynn-n-irp-gstin": "another"})


def test_no_sessions_where_the_option_says_so(make_partner: Make) -> None:
    partner = make_partner(options={"portal_session_minutes": 0})
    partner.register()
    assert not PortalSession.objects.exists()
    assert is_refused(partner, without(partner))


def test_an_empty_password_is_none(partner: Partner) -> None:
    assert is_refused(partner, without(partner) | {"x-flynn-n-irp-pwd": ""})
    sealed = partner.headers(
        {"irp-pwd": ""},
        {"irp-gstin": partner.bundle["gstin"], "irp-username": partner.bundle["portal_username"]},
    )
    assert is_refused(partner, sealed)


def test_revoking_the_password_ends_the_session(partner: Partner, actor: Actor) -> None:
    partner.register()
    key = partner.flow.keys.get(purpose="portal_password")
    issued = lifecycle.generate_key(actor, partner.flow, "portal_password")
    lifecycle.promote_key(actor, issued.key)
    assert not is_refused(partner, without(partner))
    assert portal_code(partner.call(GET, method="GET")) == "2148"  # the old one still serves
    key_life.revoke(actor, key, reason="leaked")
    assert is_refused(partner, without(partner))
    assert portal_code(partner.call(GET, method="GET")) == "1008"
    partner.bundle["portal_password"] = issued.secret
    partner.register("A/2")
    assert not is_refused(partner, without(partner))


@pytest.mark.parametrize("module", ["irp", "ewb"])
@pytest.mark.parametrize(
    ("name", "value"),
    [("gstin", None), ("gstin", ""), ("username", None), ("gsp-code", "abc"), ("gsp-code", "")],
)
def test_headers_that_must_be_right(
    partner: Partner, module: str, name: str, value: str | None
) -> None:
    path = GET if module == "irp" else f"{EWAY}/GetEwayBill?ewbNo=1"
    headers = partner.portal_headers(module)
    header = f"x-flynn-n-{module}-{name}"
    del headers[header]
    if value is not None:
        headers[header] = value
    reply = partner.send("GET", path, headers=headers)
    assert reply.status_code == 400
    assert error_of(reply)["args"] == {"errorLocation": f"headers.{header.upper()}"}


def test_the_broker_need_not_be_named(partner: Partner) -> None:
    headers = partner.portal_headers("irp", n_irp_gsp_code=None)
    assert portal_code(partner.send("GET", GET, headers=headers)) == "2148"
