"""Log in, renew, log out: lengths, limits, and what ends a session."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client as Http

from crypto_schemes.flynn.tokens import claimed_org
from flows_endpoint.flynn.models import Account, UserSession
from flows_endpoint.models import AttemptCount, ExchangeRow
from tenants import lifecycle
from tenants.actors import Actor
from tests.flows_endpoint.flynn.partner import LOG_OUT, TOKENS, Clock, Partner, error_of
from tests.support import key_life

pytestmark = pytest.mark.django_db
Make = Callable[..., Partner]
NOW = 1_800_000_000.0
WRONG = {"error": {"message": "err-invalid-credentials", "type": "Authorization", "args": {}}}
INVALID = {"error": {"message": "err-invalid-token", "type": "Authorization", "args": {}}}


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> float:
    monkeypatch.setattr("time.time", lambda: NOW)
    return NOW


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_a_log_in_returns_everything_the_contract_lists(partner: Partner, still: float) -> None:
    reply = partner.log_in()
    assert reply.status_code == 200
    assert reply["Content-Type"] == "application/json"
    data = reply.json()["data"]
    assert list(data) == [
        "token",
        "userId",
        "expiry",
        "email",
        "mobile",
        "givenName",
        "lastName",
        "associatedOrgs",
    ]
    assert data["expiry"] == (int(still) + 20 * 60) * 1000
    assert data["email"] == partner.bundle["handle"]
    assert uuid.UUID(data["userId"]) == Account.objects.get().id
    assert data["associatedOrgs"] == [
        {
            "userAccessInfo": {"primary": True, "admin": True},
            "organisation": {
                "id": partner.bundle["org_id"],
                "name": "acme",
                "taxIdentifier": partner.bundle["gstin"],
                "taxIdentifierType": "GSTIN",
                "country": "IN",
                "services": [
                    {"serviceCode": "einv", "serviceName": "E-invoices"},
                    {"serviceCode": "eway", "serviceName": "E-way bills"},
                ],
            },
        }
    ]
    assert claimed_org(data["token"]) == partner.bundle["org_id"]


@pytest.mark.parametrize(
    ("asked", "minutes"), [(None, 20), (1, 1), (360, 360), (361, 360), (10**30, 360)]
)
def test_the_length_is_clamped(
    partner: Partner, still: float, asked: int | None, minutes: int
) -> None:
    data = partner.log_in(tokenDurationInMins=asked).json()["data"]
    assert data["expiry"] == (int(still) + minutes * 60) * 1000


def test_the_letter_case_of_the_handle_is_free(partner: Partner) -> None:
    assert partner.log_in(handle=partner.bundle["handle"].upper()).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"password": "wrong-password"},
        {"handle": "other@flynn.example"},
        {"handleType": "mobile", "handle": "9000000000"},
        {"password": "p" * 512},
        {"password": "pässword"},
    ],
)
def test_wrong_handle_and_wrong_password_look_alike(
    partner: Partner, changes: dict[str, Any]
) -> None:
    reply = partner.log_in(**changes)
    assert (reply.status_code, reply.json()) == (401, WRONG)
    assert not UserSession.objects.exists()


def test_another_partners_password_is_wrong(make_partner: Make) -> None:
    one, other = make_partner(address="one"), make_partner(address="other")
    reply = one.log_in(password=other.bundle["password"])
    assert (reply.status_code, reply.json()) == (401, WRONG)


def test_guessing_is_slowed_down(make_partner: Make) -> None:
    one, other = make_partner(address="one"), make_partner(address="other")
    for _ in range(10):
        assert one.log_in(password="wrong").status_code == 401
    reply = one.log_in()
    assert reply.status_code == 429
    assert error_of(reply) == {
        "message": "err-too-many-requests",
        "type": "ClientRequest",
        "args": {},
    }
    assert other.log_in().status_code == 200
    AttemptCount.objects.all().delete()
    assert one.log_in().status_code == 200


def test_a_user_has_at_most_ten_live_sessions(partner: Partner, clock: Clock) -> None:
    tokens = [partner.log_in().json()["data"]["token"] for _ in range(10)]
    reply = partner.log_in()
    assert reply.status_code == 401
    assert error_of(reply) == {
        "message": "err-active-tokens-limit-exceeded",
        "type": "Authorization",
        "args": {},
    }
    assert UserSession.objects.count() == 10
    partner.send("POST", LOG_OUT, headers=bearer(tokens[3]))
    assert partner.log_in().status_code == 200
    assert partner.log_in().status_code == 401
    clock.forward(minutes=20)
    assert partner.log_in().status_code == 200


def test_the_limit_is_an_option(make_partner: Make) -> None:
    partner = make_partner(options={"max_sessions": 1})
    assert [partner.log_in().status_code for _ in range(2)] == [200, 401]


def test_old_sessions_are_swept_at_a_log_in(partner: Partner, clock: Clock) -> None:
    partner.log_in()
    clock.forward(hours=6 * 24)
    partner.log_in()
    assert UserSession.objects.count() == 2
    clock.forward(hours=48)
    partner.log_in()
    assert UserSession.objects.count() == 2


def test_a_renewed_token_goes_on_with_the_session(partner: Partner, clock: Clock) -> None:
    first = partner.log_in(tokenDurationInMins=10).json()["data"]
    clock.forward(minutes=5)
    reply = partner.send("PUT", TOKENS, headers=bearer(first["token"]))
    assert reply.status_code == 200
    renewed = reply.json()["data"]
    assert renewed["token"] != first["token"]
    assert renewed["expiry"] == pytest.approx(first["expiry"] + 5 * 60_000, abs=2000)
    assert {**renewed, "token": 0, "expiry": 0} == {**first, "token": 0, "expiry": 0}
    session = UserSession.objects.get()
    assert session.expires_at.timestamp() * 1000 == renewed["expiry"]
    clock.forward(minutes=9)
    headers = {"X-FLYNN-N-ORG-ID": partner.bundle["org_id"]}
    with_new = headers | {"X-FLYNN-N-USER-TOKEN": renewed["token"]}
    with_old = headers | {"X-FLYNN-N-USER-TOKEN": first["token"]}
    assert partner.send("GET", "/authenticate", headers=with_new).status_code == 200
    reply = partner.send("GET", "/authenticate", headers=with_old)
    assert (reply.status_code, error_of(reply)["message"]) == (403, "err-expired-token")


def test_renewals_end_at_six_lengths(partner: Partner, clock: Clock) -> None:
    data = partner.log_in(tokenDurationInMins=10).json()["data"]
    first_end = data["expiry"]
    for _ in range(20):
        clock.forward(minutes=9)
        reply = partner.send("PUT", TOKENS, headers=bearer(data["token"]))
        if reply.status_code != 200:
            break
        data = reply.json()["data"]
    assert data["expiry"] == pytest.approx(first_end + 50 * 60_000, abs=1000)
    assert (reply.status_code, error_of(reply)["message"]) == (403, "err-expired-token")


def test_the_contracts_own_header_serves_too(partner: Partner) -> None:
    headers = {"X-FLYNN-N-USER-TOKEN": partner.token}
    assert partner.send("PUT", TOKENS, headers=headers).status_code == 200
    assert partner.send("POST", LOG_OUT, headers=headers).status_code == 200


def test_a_log_out_ends_every_token_of_the_session(partner: Partner) -> None:
    first = partner.token
    renewed = partner.send("PUT", TOKENS, headers=bearer(first)).json()["data"]["token"]
    other = partner.log_in().json()["data"]["token"]
    reply = partner.send("POST", LOG_OUT, headers=bearer(first))
    assert (reply.status_code, reply.json()) == (200, {"data": {"message": "logged-out"}})
    for token in (first, renewed):
        for method, path in (("PUT", TOKENS), ("POST", LOG_OUT)):
            reply = partner.send(method, path, headers=bearer(token))
            assert (reply.status_code, reply.json()) == (403, INVALID)
    assert partner.send("PUT", TOKENS, headers=bearer(other)).status_code == 200
    assert UserSession.objects.filter(end_reason="logged_out").count() == 1


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer "}, {"Authorization": "abc"}])
@pytest.mark.parametrize(("method", "path"), [("PUT", TOKENS), ("POST", LOG_OUT)])
def test_without_a_token_nothing_is_renewed_or_ended(
    partner: Partner, headers: dict[str, str], method: str, path: str
) -> None:
    reply = partner.send(method, path, headers=headers)
    assert (reply.status_code, reply.json()) == (403, INVALID)


def test_a_token_of_another_flow_is_no_token(make_partner: Make) -> None:
    one, other = make_partner(address="one"), make_partner(address="other")
    head, _, signature = one.token.split(".")
    _, contents, _ = other.token.split(".")
    reply = one.send("PUT", TOKENS, headers=bearer(f"{head}.{contents}.{signature}"))
    assert (reply.status_code, reply.json()) == (403, INVALID)


def test_a_new_password_and_the_old_one_until_it_is_retired(partner: Partner, actor: Actor) -> None:
    old = partner.bundle["password"]
    old_session = partner.token
    issued = lifecycle.generate_key(actor, partner.flow, "password")
    lifecycle.promote_key(actor, issued.key, overlap=timedelta(days=1))
    assert partner.log_in(password=issued.secret).status_code == 200
    assert partner.log_in(password=old).status_code == 200
    assert ExchangeRow.objects.latest("id").key_versions == "password v1"
    first = partner.flow.keys.get(purpose="password", version=1)
    key_life.retire(actor, first)
    reply = partner.log_in(password=old)
    assert (reply.status_code, reply.json()) == (401, WRONG)
    reply = partner.send("PUT", TOKENS, headers=bearer(old_session))
    assert (reply.status_code, reply.json()) == (403, INVALID)


def test_revoking_a_password_shuts_out_whoever_used_it(partner: Partner, actor: Actor) -> None:
    headers = partner.headers()
    assert partner.send("GET", "/authenticate", headers=headers).status_code == 200
    key = partner.flow.keys.get(purpose="password")
    key_life.revoke(actor, key, reason="leaked")
    reply = partner.send("GET", "/authenticate", headers=headers)
    assert (reply.status_code, reply.json()) == (403, INVALID)


def test_a_flow_that_is_switched_off_knows_nobody(partner: Partner, actor: Actor) -> None:
    headers = partner.headers()
    lifecycle.update_flow(actor, partner.flow, {"is_enabled": False})
    reply = partner.log_in()
    assert (reply.status_code, reply.json()) == (401, WRONG)
    reply = partner.send("GET", "/authenticate", headers=headers)
    assert (reply.status_code, error_of(reply)["message"]) == (403, "err-invalid-org")


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b"", "body"),
        (b"{", "body"),
        (b'{"handle":"\xff"}', "body"),
        (b'{"handle":"a","handle":"b"}', "body"),
        (b"[" * 100 + b"]" * 100, "body"),
        (b"[]", "body"),
        (b"null", "body"),
        ({"handle": None}, "body.handle"),
        ({"handle": ""}, "body.handle"),
        ({"handle": " "}, "body.handle"),
        ({"handle": 1}, "body.handle"),
        ({"handle": "a\u0000b"}, "body.handle"),
        ({"handle": "a" * 513}, "body.handle"),
        ({"handleType": None}, "body.handleType"),
        ({"handleType": "phone"}, "body.handleType"),
        ({"handleType": True}, "body.handleType"),
        ({"password": None}, "body.password"),
        ({"password": ["x"]}, "body.password"),
        ({"tokenDurationInMins": "20"}, "body.tokenDurationInMins"),
        ({"tokenDurationInMins": 0}, "body.tokenDurationInMins"),
        ({"tokenDurationInMins": -1}, "body.tokenDurationInMins"),
        ({"tokenDurationInMins": 1.5}, "body.tokenDurationInMins"),
        ({"tokenDurationInMins": True}, "body.tokenDurationInMins"),
    ],
)
def test_a_log_in_of_another_form(partner: Partner, body: Any, place: str) -> None:
    if isinstance(body, bytes):
        reply = partner.send("POST", TOKENS, body)
    else:
        reply = partner.log_in(**body)
    assert reply.status_code == 400
    assert error_of(reply) == {
        "message": "err-invalid-request-body",
        "type": "ClientRequest",
        "args": {"errorLocation": place},
    }
    assert not UserSession.objects.exists()


def test_a_log_in_may_come_as_text(partner: Partner) -> None:
    """Some clients do not name the type of what they post."""
    body = json.dumps(
        {
            "handle": partner.bundle["handle"],
            "handleType": "email",
            "password": partner.bundle["password"],
        }
    )
    assert partner.http.generic("POST", TOKENS, body, "text/plain").status_code == 200


def test_a_log_in_that_is_too_large(partner: Partner) -> None:
    reply = partner.log_in(more="x" * 20_000)
    assert (reply.status_code, error_of(reply)["message"]) == (413, "err-invalid-request-body")


@pytest.mark.parametrize("method", ["GET", "DELETE", "PATCH", "HEAD", "OPTIONS"])
def test_other_methods(client: Http, method: str) -> None:
    reply = client.generic(method, TOKENS)
    assert reply.status_code == 405
    assert reply["Allow"] == "POST, PUT"


def test_nothing_secret_stands_in_the_log(partner: Partner) -> None:
    token = partner.token
    row = ExchangeRow.objects.latest("id")
    assert (row.operation, row.outcome, row.key_versions) == ("log_in", "ok", "password v1")
    assert row.flow_id == partner.flow.id
    assert partner.bundle["password"] not in str(row.__dict__)
    assert token not in str(row.__dict__)
