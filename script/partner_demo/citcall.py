"""CitCall: order a missed call whose number is the one-time password."""

from __future__ import annotations

import secrets
import time
from typing import Final

from crypto_schemes import base64_text, citcall
from crypto_schemes.ciphers import additive
from crypto_schemes.citcall import CitCallOptions
from crypto_schemes.envelope import SealedRequest
from crypto_schemes.json_text import JSONValue
from crypto_schemes.keys import Credentials, KeyVersion
from crypto_schemes.scheme import write_json
from script.partner_demo import expectations as expect
from script.partner_demo.partner import Partner
from script.partner_demo.play import Play


def steps(partner: Partner) -> None:
    """Seal, send twice, open the reply, receive the sealed callback, and see what is refused."""
    scene = partner.scene
    userid, api_key = partner.bundle["userid"], partner.bundle["api_key"]

    scene.step("Write the request as JSON")
    request: JSONValue = {
        "msisdn": f"0812{secrets.randbelow(10**8):08d}",
        "gateway": 1,
        "clientUniqueId": f"login-{secrets.token_hex(4)}",
    }
    scene.json(request)

    scene.step("Stamp it, and add both keys to it, character by character")
    now = int(time.time())
    stamped = str(now)[::-1].encode() + b"." + write_json(request, ascii_only=True)
    first = additive.add(stamped, userid.encode())
    second = additive.add(first, api_key.encode())
    data = base64_text.encode_url(second)
    scene.values(
        [
            ("time", "Unix seconds, reversed", f"{now} becomes {str(now)[::-1]}"),
            ("T", "time + . + JSON", stamped.decode()),
            ("C1", "T + userid, mod 128", first),
            ("C2", "C1 + API key, mod 128", second),
            ("data", "base64url(C2)", data),
        ]
    )
    sealed = partner.seal(request, now=now)
    expect.same("the body made by hand", write_json({"data": data}), sealed.body)
    scene.ok("The same body as crypto_schemes.citcall makes in one call")

    scene.step("Send it; userid and API key travel in Authorization")
    authorization = base64_text.encode(f"{userid}:{api_key}".encode())
    expect.same("the header made by hand", authorization, sealed.headers["authorization"])
    answer = partner.send(sealed)

    scene.step("Open the reply: subtract both keys, split at the first dot")
    reply = partner.open(answer, sealed)
    scene.json(reply)
    msisdn = "+62" + request["msisdn"][1:]
    expect.same("rc", expect.member(reply, "rc"), "00")
    expect.same("msisdn", expect.member(reply, "msisdn"), msisdn)
    expect.same("gateway", expect.member(reply, "gateway"), 1)
    expect.same("clientUniqueId", expect.member(reply, "clientUniqueId"), request["clientUniqueId"])
    token, trxid = expect.text(reply, "token"), expect.text(reply, "trxid")
    scene.ok(f"The phone will show {token}: the one-time password is {token[-4:]}")

    scene.step("Send the very same again, as after a reply that was lost")
    expect.same("the second reply", partner.open(partner.send(sealed), sealed), reply)
    scene.ok("The first reply: its clientUniqueId was served, and no second call is placed")

    scene.step("Receive the callback, sealed like the reply")
    called_back = partner.await_callback(
        "the phone has rung", lambda value: isinstance(value, dict) and value.get("trx_id") == trxid
    )
    scene.say("Opened:")
    scene.json(called_back)
    for name, expected in (
        ("msisdn", msisdn),
        ("token", token),
        ("clientUniqueId", request["clientUniqueId"]),
    ):
        expect.same(f"the callback's {name}", expect.member(called_back, name), expected)
    result = expect.text(called_back, "result")
    expect.one_of("the callback's result", result, ("Success", "Failed"))
    rc = {"Success": "00", "Failed": "06"}[result]
    expect.same("the callback's rc", expect.member(called_back, "rc"), rc)
    scene.ok("Our call, by its trx_id")

    scene.step("And what is refused")
    partner.probe(
        "data that was stamped ten minutes ago",
        partner.seal(request, now=now - 600),
        expected_status=200,
        expected_body=b'{"rc":"98","info":"Authorization failed"}',
    )
    partner.probe(
        "another API key",
        _under_another_key(userid, request),
        expected_status=200,
        expected_body=b'{"rc":"96","info":"Apikey not found or non active"}',
    )


def _under_another_key(userid: str, request: JSONValue) -> SealedRequest:
    stranger = KeyVersion("stranger", citcall.API_KEY, 1, secrets.token_hex(16))
    credentials = Credentials({citcall.USERID: userid}, {citcall.API_KEY: (stranger,)})
    return citcall.SCHEME.seal_request(request, credentials, CitCallOptions(), now=time.time())


PLAY: Final = Play(
    scheme="citcall",
    title="CitCall",
    subtitle="missed-call OTP · additive cipher under two keys",
    steps=steps,
)
