"""Each way to fail, its error class and the code an operator reads."""

from __future__ import annotations

import base64

import pytest

from crypto_schemes import json_text
from crypto_schemes.ciphers import aes
from crypto_schemes.envelope import SealedReply, SealedRequest
from crypto_schemes.errors import (
    AuthenticationError,
    EnvelopeError,
    KeyUnavailableError,
    OpenError,
    SchemeError,
    SealError,
)
from crypto_schemes.isu import SCHEME, IsuOptions
from crypto_schemes.json_text import JSONValue
from crypto_schemes.keys import Credentials
from tests.crypto_schemes import isu_flow as flow

GOOD = flow.value(flow.HEADER_TEXT)
HEADERS = {"pass-key": "demo-pass-key", "header-secrets": GOOD}
PADDED = aes.pad(flow.HEADER_TEXT)


def client(**changed: object) -> str:
    """Return a header_secrets whose members are changed; None leaves one out."""
    members = {name: text for name, text in {**flow.CLIENT, **changed}.items() if text is not None}
    return flow.value(json_text.compact(members))


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "pass_key_missing"),
        ({"header-secrets": GOOD}, "pass_key_missing"),
        ({**HEADERS, "pass-key": ""}, "pass_key_invalid"),
        ({**HEADERS, "pass-key": "demo-pass-ke"}, "pass_key_invalid"),
        ({**HEADERS, "pass-key": "demo-pass-key "}, "pass_key_invalid"),
        ({**HEADERS, "pass-key": "DEMO-PASS-KEY"}, "pass_key_invalid"),
        ({**HEADERS, "pass-key": "d\xe9mo"}, "pass_key_invalid"),
        ({**HEADERS, "pass-key": "demo-pass-key,demo-pass-key"}, "pass_key_invalid"),
        ({**HEADERS, "pass_key": "demo-pass-key"}, "pass_key_invalid"),
        ({**HEADERS, "Pass-Key": "other"}, "pass_key_invalid"),
        ({"pass-key": "demo-pass-key"}, "header_secrets_missing"),
        ({**HEADERS, "header-secrets": ""}, "header_secrets_empty"),
        ({**HEADERS, "header-secrets": " \t"}, "header_secrets_empty"),
    ],
)
def test_a_credential_missing_or_not_ours(headers: dict[str, str], code: str) -> None:
    with pytest.raises(AuthenticationError) as caught:
        SCHEME.open_request(
            SealedRequest(flow.request().body, headers), flow.FLOW, flow.OPTIONS, now=flow.NOW
        )
    assert caught.value.code == code
    assert caught.value.what


NO_EPOCHS: tuple[object, ...] = (
    "",
    " 1727954878",
    "1727954878 ",
    "-1727954878",
    "+1727954878",
    "1e9",
    "0x66FE7C3E",
    "1727954878\n",
    "١٧٢٧٩٥٤٨٧٨",
    "1" * 17,
    True,
    False,
    [],
    {},
    -1,
    10**16,
    10**400,
    1e300,
)
HEADER_FAILURES: list[tuple[str, str]] = [
    ("not base64!", "header_base64"),
    (GOOD[:-1], "header_base64"),
    (GOOD.rstrip("=") + " ", "header_base64"),
    (GOOD.replace("+", "-"), "header_base64"),
    (GOOD[:40] + "\n" + GOOD[40:], "header_base64"),
    ("é" * 8, "header_base64"),
    ("====", "header_base64"),
    (GOOD + "," + GOOD, "header_twin"),
    (GOOD + ",", "header_twin"),
    (base64.b64encode(flow.IV).decode(), "header_length"),
    (base64.b64encode(flow.IV[:7]).decode(), "header_length"),
    (base64.b64encode(base64.b64decode(GOOD)[:-1]).decode(), "header_length"),
    (base64.b64encode(base64.b64decode(GOOD) + b"\0").decode(), "header_length"),
    (base64.b64encode(base64.b64decode(GOOD)[:-16]).decode(), "header_padding"),
    (flow.bent_last_byte(GOOD), "header_padding"),
    (flow.raw_value(PADDED[:-1] + b"\x00"), "header_padding"),
    (flow.raw_value(PADDED[:-1] + b"\x11"), "header_padding"),
    (flow.raw_value(flow.HEADER_TEXT.ljust(len(PADDED), b"\0")), "header_padding"),
    (flow.value(flow.HEADER_TEXT, flow.OTHER_KEY), "header_padding"),
    (flow.value(b""), "header_json"),
    (flow.value(flow.HEADER_TEXT[:-1]), "header_json"),
    (flow.value(flow.HEADER_TEXT + b"\0"), "header_json"),
    (flow.value(b"\xef\xbb\xbf" + flow.HEADER_TEXT), "header_json"),
    (flow.value(flow.HEADER_TEXT.replace(b"demo", b"d\xe9mo")), "header_json"),
    (flow.value(flow.HEADER_TEXT[:-1] + b',"epoch":"1727954878"}'), "header_json"),
    (flow.value(b"[" * 100 + b"]" * 100), "header_json"),
    (flow.value(b"null"), "header_members"),
    (flow.value(b"[]"), "header_members"),
    (flow.value(b'"text"'), "header_members"),
    (flow.value(b"{}"), "header_members"),
    (client(client_id=None), "header_members"),
    (client(client_secret=None), "header_members"),
    (client(epoch=None), "header_members"),
    (client(client_id=1), "header_members"),
    (client(client_secret=["demo-secret"]), "header_members"),
    (client(Client_id="demo-client"), "header_members"),
    (client(EPOCH="1727954878"), "header_members"),
    *[(client(epoch=epoch), "header_members") for epoch in NO_EPOCHS],
    (client(client_id="other"), "header_credentials"),
    (client(client_id=""), "header_credentials"),
    (client(client_id="Demo-client"), "header_credentials"),
    (client(client_secret="wrong"), "header_credentials"),
    (client(client_secret=""), "header_credentials"),
    (client(client_secret="démo"), "header_credentials"),
    (client(client_id="other", client_secret="wrong", epoch="0"), "header_credentials"),
]


@pytest.mark.parametrize(("value", "code"), HEADER_FAILURES)
def test_header_secrets_that_do_not_open_are_one_error(value: str, code: str) -> None:
    with pytest.raises(OpenError) as caught:
        flow.opens(flow.request(value))
    assert type(caught.value) is OpenError
    assert caught.value.code == code
    assert caught.value.what == "The encrypted value does not open."
    assert caught.value.__cause__ is None


DATA = b'{"amount":100}'
DATA_FAILURES: list[tuple[str, str]] = [
    ("", "data_length"),
    ("*", "data_base64"),
    (flow.value(DATA) + "\n", "data_base64"),
    (flow.value(DATA) + ",", "data_twin"),
    (base64.b64encode(flow.IV).decode(), "data_length"),
    (base64.b64encode(base64.b64decode(flow.value(DATA))[:-1]).decode(), "data_length"),
    (flow.raw_value(DATA.ljust(16, b"\0")), "data_padding"),
    (flow.value(DATA, flow.OTHER_KEY), "data_padding"),
    (flow.value(b""), "data_json"),
    (flow.value(b"{'amount':100}"), "data_json"),
    (flow.value(b'{"amount":NaN}'), "data_json"),
    (flow.value(b'{"amount":1e999}'), "data_json"),
    (flow.value(b'{"amount":%s}' % (b"9" * 5000)), "data_json"),
    (flow.value(b'{"amount":1,"amount":2}'), "data_json"),
    (flow.value(b'"\\ud800"'), "data_json"),
    (flow.value(b'"\xff"'), "data_json"),
    (flow.value(b"[" * 65 + b"]" * 65), "data_json"),
]


@pytest.mark.parametrize(("value", "code"), DATA_FAILURES)
def test_request_data_that_does_not_open_is_one_error(value: str, code: str) -> None:
    sent = flow.request()
    bad = SealedRequest(json_text.compact({"RequestData": value}), sent.headers)
    with pytest.raises(OpenError) as caught:
        flow.opens(bad)
    assert (type(caught.value), caught.value.code) == (OpenError, code)
    assert caught.value.what == "The encrypted value does not open."


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"RequestData",
        b"null",
        b"[]",
        b'"RequestData"',
        b"{}",
        b'{"RequestData":null}',
        b'{"RequestData":1}',
        b'{"RequestData":[]}',
        b'{"RequestData":{"amount":100}}',
        b'{"requestdata":"AA=="}',
        b'{"RequestData":"AA==","RequestData":"AA=="}',
        b'\xef\xbb\xbf{"RequestData":"AA=="}',
        b'{"RequestData":"\xff"}',
        b'{"RequestData":"AA=="}\0',
    ],
)
def test_a_body_of_another_form(body: bytes) -> None:
    with pytest.raises(EnvelopeError) as caught:
        flow.opens(SealedRequest(body, HEADERS))
    assert caught.value.code == "data_form"


def test_nothing_is_said_of_the_body_before_the_header_opened() -> None:
    with pytest.raises(OpenError) as caught:
        flow.opens(SealedRequest(b"rubbish", {**HEADERS, "header-secrets": client(epoch="x")}))
    assert caught.value.code == "header_members"


@pytest.mark.parametrize("header", [GOOD, flow.value(flow.HEADER_TEXT.upper())])
def test_a_flow_without_keys_opens_nothing(header: str) -> None:
    for keys, error, code in (
        (flow.credentials(aes_keys=()), OpenError, "header_no_key"),
        (flow.credentials(pass_keys=()), AuthenticationError, "pass_key_invalid"),
    ):
        with pytest.raises(SchemeError) as caught:
            SCHEME.open_request(flow.request(header), keys, flow.OPTIONS, now=flow.NOW)
        assert (type(caught.value), caught.value.code) == (error, code)


@pytest.mark.parametrize(
    "keys",
    [
        flow.credentials(client_secrets=()),
        flow.credentials(identity={}),
        flow.credentials(identity={"client_id": ""}),
    ],
)
def test_a_flow_without_an_id_or_secret_fits_nobody(keys: Credentials) -> None:
    for header in (GOOD, client(client_id=""), client(client_secret="")):
        with pytest.raises(OpenError) as caught:
            SCHEME.open_request(flow.request(header), keys, flow.OPTIONS, now=flow.NOW)
        assert caught.value.code == "header_credentials"


@pytest.mark.parametrize(
    "keys",
    [
        flow.credentials(aes_keys=()),
        flow.credentials(pass_keys=()),
        flow.credentials(client_secrets=()),
        flow.credentials(sealing=frozenset({"pass_key", "client_secret"})),
    ],
)
def test_without_an_active_key_nothing_is_sealed(keys: Credentials) -> None:
    with pytest.raises(KeyUnavailableError):
        SCHEME.seal_request({}, keys, flow.OPTIONS, now=flow.NOW)
    with pytest.raises(KeyUnavailableError):
        SCHEME.seal_callback({}, keys, flow.OPTIONS, now=flow.NOW)


def test_what_json_cannot_say_is_not_sealed() -> None:
    opened = SCHEME.open_request(flow.request(), flow.FLOW, flow.OPTIONS, now=flow.NOW)
    for payload in (float("nan"), {1, 2}, b"bytes", "\ud800"):
        with pytest.raises(SealError):
            SCHEME.seal_request(payload, flow.FLOW, flow.OPTIONS, now=flow.NOW)
        with pytest.raises(SealError):
            SCHEME.seal_reply(payload, opened, flow.FLOW, flow.OPTIONS, now=flow.NOW)


def test_without_an_id_no_header_is_sealed() -> None:
    with pytest.raises(SealError) as caught:
        SCHEME.seal_request({}, flow.credentials(identity={}), flow.OPTIONS, now=flow.NOW)
    assert caught.value.code == "no_client_id"


@pytest.mark.parametrize(
    "plain",
    [
        {"status": -1, "statusDesc": "Invalid header secrets"},
        {"status": 0, "statusDesc": "Invalid pass_key"},
        {"ResponseData": "Invalid Request"},
    ],
)
def test_a_plain_error_comes_back_as_it_is(plain: JSONValue) -> None:
    reply = SealedReply(json_text.compact(plain))
    sent = SealedRequest(b"")
    assert SCHEME.open_reply(reply, sent, flow.FLOW, flow.OPTIONS, now=flow.NOW) == plain


@pytest.mark.parametrize(
    ("body", "error", "code"),
    [
        ("", EnvelopeError, "reply_form"),
        ("<html>", EnvelopeError, "reply_form"),
        ("[]", EnvelopeError, "reply_form"),
        ("{}", EnvelopeError, "reply_form"),
        ('{"status":0}', EnvelopeError, "reply_form"),
        ('{"ResponseData":null,"status":0,"statusDesc":""}', EnvelopeError, "reply_form"),
        ('{"ResponseData":"invalid request"}', OpenError, "reply_base64"),
        ('{"ResponseData":"","status":0,"statusDesc":""}', OpenError, "reply_length"),
        (
            '{"ResponseData":"%s"}' % flow.value(b"{}", flow.OTHER_KEY),  # noqa: UP031
            OpenError,
            "reply_padding",
        ),
    ],
)
def test_a_reply_that_is_none(body: str, error: type[SchemeError], code: str) -> None:
    with pytest.raises(SchemeError) as caught:
        SCHEME.open_reply(
            flow.reply(body), SealedRequest(b""), flow.FLOW, flow.OPTIONS, now=flow.NOW
        )
    assert (type(caught.value), caught.value.code) == (error, code)


def test_no_error_quotes_a_secret_or_its_input() -> None:
    for value, _ in HEADER_FAILURES:
        with pytest.raises(SchemeError) as caught:
            flow.opens(flow.request(value))
        said = f"{caught.value!r} {caught.value}"
        assert not any(word in said for word in ("demo-client", "demo-secret", "demo-pass-key"))
        assert len(value) < 8 or value not in said
    shown = repr(SCHEME.open_request(flow.request(), flow.FLOW, flow.OPTIONS, now=flow.NOW))
    assert not any(word in shown for word in ("demo-client", "demo-secret", "amount", "demo-pass"))


def test_lenient_unpadding_is_not_a_way_to_append_blocks() -> None:
    lenient = IsuOptions(unpad="lenient")
    whole = base64.b64decode(GOOD)
    for more in (b"\x5a" * 16, whole[16:32], whole[16:]):
        with pytest.raises(OpenError):
            flow.opens(flow.request(base64.b64encode(whole + more).decode()), lenient)
