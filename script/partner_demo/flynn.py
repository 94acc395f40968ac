"""Flynn: log in, prove that secrets arrive, register an e-invoice and read its signature."""

from __future__ import annotations

import hashlib
import secrets
import time
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from crypto_schemes import base64_text, flynn
from crypto_schemes.base64_text import Base64TextError
from crypto_schemes.ciphers import aes, rsa
from crypto_schemes.envelope import SealedRequest
from crypto_schemes.flynn import FlynnOptions, Mode, Session, gstin
from crypto_schemes.json_text import JSONValue
from crypto_schemes.keys import Credentials, KeyVersion
from crypto_schemes.scheme import read_json, write_json
from script.partner_demo import expectations as expect
from script.partner_demo.partner import Answer, Partner
from script.partner_demo.play import Play

_TOKENS: Final = "/theodore/apis/v1/authtokens"
_LOG_OUT: Final = "/theodore/apis/v1/logout"
_SECRETS: Final = "/authenticate-with-secrets"
_INVOICE: Final = "/basic/einv/v3.0/ni1/eicore/v1.03/Invoice"
_MESSAGE: Final = "Invoice paid: ₹ 2,360"
_INDIA: Final = timedelta(hours=5, minutes=30)


def steps(partner: Partner) -> None:
    """Log in, echo a secret in both AES modes, register an invoice; then what is refused."""
    token = _log_in(partner)
    session = _echo_by_hand(partner, token)
    _echo_in_cbc(partner, token)
    invoice = _register(partner, token, session)
    _what_is_refused(partner, token, invoice)


def _log_in(partner: Partner) -> str:
    scene, bundle = partner.scene, partner.bundle
    scene.step('Log in at the authentication service, "theodore"; plain JSON')
    body = write_json(
        {
            "handle": bundle["handle"],
            "handleType": "email",
            "password": bundle["password"],
            "tokenDurationInMins": 20,
        }
    )
    answer = partner.send(
        SealedRequest(body=body, headers={"content-type": "application/json"}), path=_TOKENS
    )
    data = expect.member(answer.json(), "data")
    expect.same(
        "the organisation of the log-in",
        expect.member(data, "associatedOrgs", 0, "organisation", "id"),
        bundle["org_id"],
    )
    token = expect.text(data, "token")
    claims = _jwt_part(token, 1)
    minutes = (expect.member(claims, "exp") - expect.member(claims, "iat")) / 60
    expect.same("the token's minutes", minutes, 20.0)
    scene.ok("A user token, good for 20 minutes and for our organisation")
    return token


def _echo_by_hand(partner: Partner, token: str) -> Session:
    """Have a sensitive value echoed, showing every intermediate form; return the REK session."""
    scene, bundle = partner.scene, partner.bundle
    scene.step("Make a request encryption key (REK), and encrypt a value under it: ECB")
    session = Session.fresh(Mode.ECB)
    rek = session.key.hex()
    public = rsa.load_public_pem(bundle["public_key_pem"])
    wrapped = base64_text.encode(rsa.encrypt(public, rek.encode(), "pkcs1v15"))
    data = base64_text.encode(aes.ecb_encrypt(session.key, _MESSAGE.encode()))
    scene.values(
        [
            ("REK", "32 random bytes in hex", rek),
            ("X-FLYNN-S-REK", f"RSA-{public.key_size}(REK)", wrapped),
            ("value", "any text, UTF-8", _MESSAGE),
            ("X-FLYNN-S-DATA", "AES-256-ECB(REK, value)", data),
        ]
    )
    sealed = _with_token(partner, {"sensitive": {"data": _MESSAGE}}, token, session)
    expect.same("the value made by hand", data, sealed.headers["x-flynn-s-data"])
    scene.ok("The same value as crypto_schemes.flynn makes in one call")

    scene.step("Send it: sensitive headers are S, plain ones N")
    headers = dict(sealed.headers) | {"x-flynn-s-rek": wrapped}
    sealed = SealedRequest(body=b"", headers=headers, context=session)
    answer = partner.send(sealed, path=_SECRETS, method="GET")

    scene.step("Open the echo under the same REK")
    echoed = _echoed(answer, sealed)
    padded, by_hand = aes.ecb_decrypt(
        session.key, base64_text.decode(expect.text(answer.json(), "data", "client-message"))
    )
    expect.same("the echo, opened by hand", (padded, by_hand.decode()), (True, echoed))
    scene.ok(f"{echoed}: secrets arrive whole")
    return session


def _echo_in_cbc(partner: Partner, token: str) -> None:
    scene = partner.scene
    scene.step("The same in CBC: the IV travels wrapped in X-FLYNN-S-IV")
    session = Session.fresh(Mode.CBC)
    sealed = _with_token(partner, {"sensitive": {"data": _MESSAGE}}, token, session)
    data = base64_text.encode(aes.cbc_encrypt(session.key, session.iv, _MESSAGE.encode()))
    expect.same("the value made by hand", data, sealed.headers["x-flynn-s-data"])
    scene.values(
        [
            ("IV", "16 random bytes", session.iv),
            ("X-FLYNN-S-IV", "RSA(IV)", sealed.headers["x-flynn-s-iv"]),
            ("X-FLYNN-S-DATA", "AES-256-CBC(REK, IV, value)", data),
        ]
    )
    answer = partner.ask_quietly(sealed, path=_SECRETS, method="GET")
    expect.same("the HTTP status", answer.status, 200)
    scene.ok(f"{answer.status}, and the echo opens to {_echoed(answer, sealed)}")


def _register(partner: Partner, token: str, session: Session) -> JSONValue:
    """Register an invoice, check its number by the government's rule, and return it."""
    scene, own = partner.scene, partner.bundle["gstin"]
    scene.step("Register an e-invoice; the tax portal's password is the sensitive header")
    today = (datetime.now(UTC) + _INDIA).date()
    invoice = _invoice(own, today)
    sealed = _for_portal(partner, invoice, token, session)
    answer = partner.send(sealed, path=_INVOICE)
    reply = answer.json()
    expect.same("status", expect.member(reply, "status"), "1")
    registered = expect.member(reply, "data")
    expect.same("Status", expect.member(registered, "Status"), "ACT")

    scene.step("Check the invoice reference number, and read the signed invoice")
    first = today.year if today.month >= 4 else today.year - 1
    number = invoice["DocDtls"]["No"]
    what = f"{own}{first}-{(first + 1) % 100:02d}INV{number}"
    irn = hashlib.sha256(what.encode()).hexdigest()
    signed = expect.text(registered, "SignedInvoice")
    header, contents = _jwt_part(signed, 0), _jwt_part(signed, 1)
    scene.values(
        [("text", "GSTIN, year, type, number", what), ("IRN", "SHA-256(text) in hex", irn)]
    )
    scene.say("The header of SignedInvoice, a JSON web signature:")
    scene.json(header)
    expect.same("Irn", expect.member(registered, "Irn"), irn)
    expect.same("the JWS algorithm", expect.member(header, "alg"), "RS256")
    document = read_json(expect.text(contents, "data").encode())
    expect.same("the signed Irn", expect.member(document, "Irn"), irn)
    expect.same("the signed ItemList", expect.member(document, "ItemList"), invoice["ItemList"])
    qr = read_json(
        expect.text(_jwt_part(expect.text(registered, "SignedQRCode"), 1), "data").encode()
    )
    expect.same("the total in the QR code", expect.member(qr, "TotInvVal"), 2360.0)
    scene.ok("Our invoice, signed RS256; the QR code says the same number and total")
    return invoice


def _what_is_refused(partner: Partner, token: str, invoice: JSONValue) -> None:
    scene = partner.scene
    scene.step("And what is refused")
    again = _for_portal(partner, invoice, token, Session.fresh(Mode.CBC))
    _refused(
        partner,
        "the same invoice again",
        partner.ask_quietly(again, path=_INVOICE),
        (502, "err-irp-returned-error"),
        detail=("args", "details", 0, "ErrorCode"),
        expected_detail="2150",
    )
    _refused(
        partner,
        "a REK for another key",
        partner.ask_quietly(_for_another_key(partner, token), path=_SECRETS, method="GET"),
        (500, "err-unable-to-decrypt-message-with-key"),
    )
    bearer = SealedRequest(body=b"", headers={"authorization": f"Bearer {token}"})
    expect.same("the log-out", partner.ask_quietly(bearer, path=_LOG_OUT).status, 200)
    late = _with_token(partner, {"sensitive": {"data": _MESSAGE}}, token, Session.fresh())
    _refused(
        partner,
        "a call after the log-out",
        partner.ask_quietly(late, path=_SECRETS, method="GET"),
        (403, "err-invalid-token"),
    )


def _refused(
    partner: Partner,
    label: str,
    answer: Answer,
    expected: tuple[int, str],
    *,
    detail: tuple[str | int, ...] = (),
    expected_detail: str = "",
) -> None:
    """Show a refusal in a line and check its status, its message and one detail."""
    error = expect.member(answer.json(), "error")
    message = expect.text(error, "message")
    found = expect.text(error, *detail) if detail else ""
    partner.scene.probe(label, f"{answer.status} {message} {found}".rstrip())
    expect.same(f"the answer after {label}", (answer.status, message), expected)
    expect.same(f"the detail after {label}", found, expected_detail)


def _with_token(
    partner: Partner, payload: JSONValue, token: str, session: Session
) -> SealedRequest:
    return flynn.SCHEME.seal_request(
        payload,
        partner.credentials,
        FlynnOptions(),
        now=time.time(),
        token=token,
        session=session,
    )


def _for_portal(
    partner: Partner, invoice: JSONValue, token: str, session: Session
) -> SealedRequest:
    bundle = partner.bundle
    payload = {
        "plain": {
            "irp-gstin": bundle["gstin"],
            "irp-username": bundle["portal_username"],
            "irp-gsp-code": "vay",
        },
        "sensitive": {"irp-pwd": bundle["portal_password"]},
        "body": invoice,
    }
    return _with_token(partner, payload, token, session)


def _for_another_key(partner: Partner, token: str) -> SealedRequest:
    stranger = KeyVersion("stranger", "flynn_rsa", 1, rsa.generate(2048).public_key())
    own = partner.credentials
    credentials = Credentials(own.identity, dict(own.versions) | {"flynn_rsa": (stranger,)})
    return flynn.SCHEME.seal_request(
        {"sensitive": {"data": _MESSAGE}},
        credentials,
        FlynnOptions(),
        now=time.time(),
        token=token,
        session=Session.fresh(),
    )


def _echoed(answer: Answer, sent: SealedRequest) -> str:
    """Return the opened echo. Raises UnexpectedError where it is not what was sent."""
    data = expect.member(answer.json(), "data")
    expect.same("message", expect.member(data, "message"), "pong")
    echoed = flynn.open_client_message(expect.member(data, "client-message"), sent)
    expect.same("the echo", echoed, _MESSAGE)
    return echoed


def _jwt_part(token: str, index: int) -> Any:
    """Return the JSON of a part of a compact JWS; its signature is not looked at."""
    parts = token.split(".")
    expect.same("the number of the token's parts", len(parts), 3)
    try:
        return read_json(base64_text.decode_any(parts[index]))
    except Base64TextError:
        expect.fail("a part of the token", parts[index], "base64url")


def _invoice(seller: str, today: date) -> dict[str, Any]:
    """Return the smallest invoice the portal takes (form INV-01)."""
    buyer = gstin.make()
    place = {"Addr1": "1 Main Street", "Loc": "Bengaluru", "Pin": 560001}
    return {
        "Version": "1.1",
        "TranDtls": {"TaxSch": "GST", "SupTyp": "B2B"},
        "DocDtls": {
            "Typ": "INV",
            "No": f"D{secrets.randbelow(10**8):08d}",
            "Dt": f"{today:%d/%m/%Y}",
        },
        "SellerDtls": {"Gstin": seller, "LglNm": "Demo Traders", **place, "Stcd": seller[:2]},
        "BuyerDtls": {
            "Gstin": buyer,
            "LglNm": "Asha Stores",
            **place,
            "Stcd": buyer[:2],
            "Pos": buyer[:2],
        },
        "ItemList": [
            {
                "SlNo": "1",
                "IsServc": "N",
                "HsnCd": "847130",
                "Qty": 2.0,
                "UnitPrice": 1000.0,
                "TotAmt": 2000.0,
                "AssAmt": 2000.0,
                "GstRt": 18.0,
                "IgstAmt": 360.0,
                "TotItemVal": 2360.0,
            }
        ],
        "ValDtls": {"AssVal": 2000.0, "IgstVal": 360.0, "TotInvVal": 2360.0},
    }


def _on_the_wire(name: str) -> str:
    return name.upper() if name.startswith("x-flynn-") else name


PLAY: Final = Play(
    scheme="flynn",
    title="Flynn",
    subtitle="e-invoices · RSA wraps the REK, AES-ECB or CBC under it",
    steps=steps,
    on_the_wire=_on_the_wire,
)
