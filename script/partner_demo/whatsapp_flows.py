"""WhatsApp Flows: play the platform, from the health check to a booked appointment."""

from __future__ import annotations

import secrets
import time
from typing import Final

from crypto_schemes import base64_text, whatsapp_flows
from crypto_schemes.ciphers import aes, mac, rsa
from crypto_schemes.envelope import SealedRequest
from crypto_schemes.json_text import JSONValue
from crypto_schemes.keys import Credentials, KeyVersion
from crypto_schemes.scheme import read_json, write_json
from crypto_schemes.whatsapp_flows import Session, WhatsAppFlowsOptions
from script.partner_demo import expectations as expect
from script.partner_demo.partner import Answer, Partner
from script.partner_demo.play import Play

_SIGNATURE: Final = "x-hub-signature-256"


def steps(partner: Partner) -> None:
    """Ping by hand, then open the form, fill it in, finish it; then what is refused."""
    _ping(partner)
    token = f"demo-{secrets.token_hex(8)}"
    _book(partner, token)
    _what_is_refused(partner, token)


def _ping(partner: Partner) -> None:
    scene, bundle = partner.scene, partner.bundle
    scene.step("Write the health check as JSON")
    request = {"version": "3.0", "action": "ping"}
    scene.json(request)

    scene.step("Encrypt it under a fresh AES key, and wrap that key for the flow")
    key, iv = secrets.token_bytes(16), secrets.token_bytes(16)
    public = rsa.load_public_pem(bundle["public_key_pem"])
    data = base64_text.encode(aes.gcm_encrypt(key, iv, write_json(request)))
    wrapped = base64_text.encode(rsa.encrypt(public, key, "oaep_sha256"))
    scene.values(
        [
            ("key", "16 random bytes", key),
            ("IV", "16 random bytes", iv),
            ("encrypted_flow_data", "AES-128-GCM(key, IV), tag behind", data),
            ("encrypted_aes_key", f"RSA-{public.key_size} OAEP-SHA-256(key)", wrapped),
            ("initial_vector", "base64(IV)", base64_text.encode(iv)),
        ]
    )
    by_scheme = partner.seal(request)
    session = by_scheme.context
    remade = base64_text.encode(aes.gcm_encrypt(session.key, session.iv, write_json(request)))
    expect.same(
        "encrypted_flow_data made by hand under the key and IV of crypto_schemes",
        remade,
        read_json(by_scheme.body)["encrypted_flow_data"],
    )
    scene.ok("crypto_schemes.whatsapp_flows makes the same, given the same key and IV")

    scene.step("Sign the raw body with the app secret, and send it")
    body = write_json(
        {
            "encrypted_flow_data": data,
            "encrypted_aes_key": wrapped,
            "initial_vector": base64_text.encode(iv),
        }
    ).replace(b"/", b"\\/")
    signature = "sha256=" + mac.sha256(bundle["app_secret"].encode(), body).hex()
    sealed = SealedRequest(
        body=body,
        headers={"content-type": "application/json", _SIGNATURE: signature},
        context=Session(key, iv),
    )
    answer = partner.send(sealed)

    scene.step("Open the answer: same key, every bit of the IV inverted")
    inverted = bytes(byte ^ 0xFF for byte in iv)
    scene.values([("reply IV", "IV xor ff…ff", inverted)])
    reply = partner.open(answer, sealed)
    expect.same("the answer, opened by hand", _opened(key, inverted, answer), reply)
    scene.json(reply)
    expect.same("the answer to ping", reply, {"data": {"status": "active"}})
    expect.same("the content type", answer.content_type, "text/plain")
    scene.ok("The endpoint is alive")


def _book(partner: Partner, token: str) -> None:
    scene = partner.scene
    scene.step("INIT: a user opens the form")
    opened = _exchange(partner, token, "INIT", "", {}, screen="APPOINTMENT")
    service = expect.text(opened, "data", "services", 0, "id")

    scene.step("data_exchange: each choice fills the drop-down after it")
    chosen: dict[str, JSONValue] = {"service": service}
    for trigger, following, enabled in (
        ("service", "branches", "is_branch_enabled"),
        ("branch", "dates", "is_date_enabled"),
        ("date", "times", "is_time_enabled"),
    ):
        data = {"trigger": trigger, **chosen}
        reply = _exchange(
            partner, token, "data_exchange", "APPOINTMENT", data, screen="APPOINTMENT", brief=True
        )
        expect.same(enabled, expect.member(reply, "data", enabled), True)
        offered = expect.member(reply, "data", following)
        free = [item["id"] for item in offered if item.get("enabled", True)]
        expect.holds(following, offered, bool(free), "at least one that can be chosen")
        name = {"branches": "branch", "dates": "date", "times": "time"}[following]
        chosen[name] = free[0]
        scene.ok(f"{trigger} = {chosen[trigger]}: {len(free)} {following} to choose from")

    scene.step("data_exchange: continue to the details")
    _exchange(partner, token, "data_exchange", "APPOINTMENT", chosen, screen="DETAILS")

    scene.step("A mistake comes back as error_message")
    person: dict[str, JSONValue] = {"name": "Asha Rao", "email": "asha", "note": ""}
    mistaken = _exchange(
        partner, token, "data_exchange", "DETAILS", chosen | person, screen="DETAILS"
    )
    expect.same(
        "error_message",
        expect.member(mistaken, "data", "error_message"),
        "Please write a valid e-mail address.",
    )

    scene.step("Corrected, the summary")
    person["email"] = "asha@partner.example"
    _exchange(partner, token, "data_exchange", "DETAILS", chosen | person, screen="SUMMARY")

    scene.step("SUCCESS: the terms are accepted, the appointment is booked")
    final = chosen | person | {"terms": True}
    done = _exchange(partner, token, "data_exchange", "SUMMARY", final, screen="SUCCESS")
    params = expect.member(done, "data", "extension_message_response", "params")
    expect.same("flow_token", expect.member(params, "flow_token"), token)
    expect.same("time", expect.member(params, "time"), chosen["time"])
    appointment = expect.text(params, "appointment_id")

    scene.step("Receive the callback of the completed flow")
    called_back = partner.await_callback(
        "the flow is complete",
        lambda value: isinstance(value, dict) and value.get("flow_token") == token,
    )
    expect.same("the callback's event", expect.member(called_back, "event"), "flow.completed")
    expect.same("the callback's params", expect.member(called_back, "params"), params)
    scene.ok(f"Appointment {appointment}, as the phone was told")


def _what_is_refused(partner: Partner, token: str) -> None:
    scene = partner.scene
    scene.step("And what is refused")
    used = partner.seal(_request(token, "INIT", "", {}))
    answer = partner.ask_quietly(used, path=partner.path)
    refused = partner.open(answer, used)
    scene.probe("the form once more", f"{answer.status} {expect.text(refused, 'error_msg')}")
    expect.same("the HTTP status", answer.status, 427)
    expect.same("error_msg", refused["error_msg"], "This form has already been completed.")
    ping = {"version": "3.0", "action": "ping"}
    partner.probe(
        "another public key", _sealed_for(partner, ping), expected_status=421, expected_body=b""
    )
    signed_wrongly = SealedRequest(
        body=partner.seal(ping).body,
        headers={"content-type": "application/json", _SIGNATURE: "sha256=" + "0" * 64},
    )
    partner.probe("a wrong signature", signed_wrongly, expected_status=432, expected_body=b"")


def _exchange(
    partner: Partner,
    token: str,
    action: str,
    screen_now: str,
    data: JSONValue,
    *,
    screen: str,
    brief: bool = False,
) -> JSONValue:
    """Send one step as the phone does, open the answer and check which screen it shows.

    ``brief`` shows neither the wire nor the answer.
    """
    request = _request(token, action, screen_now, data)
    sealed = partner.seal(request)
    if brief:
        answer = partner.ask_quietly(sealed, path=partner.path)
        expect.same("the HTTP status", answer.status, 200)
        reply = partner.open(answer, sealed)
    else:
        partner.scene.json(request, mark="plain   ")
        answer = partner.ask_quietly(sealed, path=partner.path)
        partner.scene.brief("POST", partner.path, len(sealed.body), answer.status, len(answer.body))
        expect.same("the HTTP status", answer.status, 200)
        reply = partner.open(answer, sealed)
        partner.scene.json(reply, mark="opened  ")
    expect.same("the next screen", expect.member(reply, "screen"), screen)
    return reply


def _request(token: str, action: str, screen: str, data: JSONValue) -> JSONValue:
    return {
        "version": "3.0",
        "action": action,
        "screen": screen,
        "data": data,
        "flow_token": token,
    }


def _opened(key: bytes, iv: bytes, answer: Answer) -> JSONValue:
    return read_json(aes.gcm_decrypt(key, iv, base64_text.decode(answer.body)))


def _sealed_for(partner: Partner, request: JSONValue) -> SealedRequest:
    """Return a request for a key pair that is not the flow's, well signed."""
    stranger = KeyVersion("stranger", "whatsapp_rsa", 1, rsa.generate(2048).public_key())
    own = partner.credentials
    credentials = Credentials(own.identity, dict(own.versions) | {"whatsapp_rsa": (stranger,)})
    options = WhatsAppFlowsOptions()
    return whatsapp_flows.SCHEME.seal_request(request, credentials, options, now=time.time())


PLAY: Final = Play(
    scheme="whatsapp_flows",
    title="WhatsApp Flows",
    subtitle="a form on the phone · RSA-OAEP wraps AES-128-GCM, HMAC over all",
    steps=steps,
)
