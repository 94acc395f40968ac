"""What holds for any input: what is sealed opens to itself, and garbage raises one family."""

from __future__ import annotations

import contextlib
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crypto_schemes.envelope import SealedReply, SealedRequest
from crypto_schemes.errors import OpenError, SchemeError
from crypto_schemes.flynn import SCHEME, FlynnOptions, Mode, Session, open_client_message
from crypto_schemes.flynn.documents import sign, verify
from crypto_schemes.flynn.session import read_iv, read_rek, write_iv, write_rek
from crypto_schemes.flynn.tokens import read
from crypto_schemes.json_text import JSONValue
from tests.crypto_schemes.flynn_partner import (
    CBC,
    ECB,
    NOW,
    OPTIONS,
    ORG,
    REK,
    partner,
    request,
    server,
    token,
    wrap,
)
from tests.crypto_schemes.strategies import json_values
from tests.support.examples import examples

moderate = settings(
    max_examples=examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
names = st.from_regex(r"[a-z0-9]{1,6}(?:-[a-z0-9]{1,6}){0,2}", fullmatch=True)
plain_texts = st.from_regex(r"(?:[!-~](?:[ -~]{0,20}[!-~])?)?", fullmatch=True)
keys = st.sampled_from([16, 24, 32]).flatmap(lambda size: st.binary(min_size=size, max_size=size))
sessions = st.builds(Session, keys) | st.builds(
    Session, keys, st.just(Mode.CBC), st.binary(min_size=16, max_size=16)
)
TOKEN = token()


@moderate
@given(
    plain=st.dictionaries(
        names.filter(lambda name: name not in ("user-token", "aes-encryption-mode", "org-id")),
        plain_texts,
        max_size=4,
    ),
    sensitive=st.dictionaries(
        names.filter(lambda name: name not in ("rek", "iv")), st.text(max_size=60), max_size=4
    ),
    body=json_values(),
    session=st.none() | sessions,
    options=st.builds(
        FlynnOptions,
        rsa_padding=st.sampled_from(["pkcs1v15", "oaep_sha1", "oaep_sha256"]),
        rek_encoding=st.sampled_from(["hex", "base64"]),
        iv_encoding=st.sampled_from(["any", "raw", "base64", "hex"]),
    ),
)
def test_seal_then_open_is_the_identity(
    plain: dict[str, str],
    sensitive: dict[str, str],
    body: JSONValue,
    session: Session | None,
    options: FlynnOptions,
    rsa_2048: RSAPrivateKey,
) -> None:
    payload = {"plain": plain, "sensitive": sensitive, "body": body}
    sealed = SCHEME.seal_request(
        payload, partner(rsa_2048), options, now=NOW, token=TOKEN, session=session
    )
    opened = SCHEME.open_request(sealed, server(rsa_2048), options, now=NOW)
    expected = {name: text for name, text in plain.items() if name not in sensitive}
    assert opened.payload == {
        "plain": {"org-id": ORG, **expected},
        "sensitive": sensitive,
        "body": body,
    }
    assert json.loads(opened.raw) == opened.payload
    if session is not None:
        assert opened.context.session == session


@moderate
@given(text=st.text(max_size=200), session=sessions)
def test_a_value_opens_to_itself(text: str, session: Session) -> None:
    assert session.open(session.seal(text)) == text


@given(key=keys, iv=st.binary(min_size=16, max_size=16))
def test_a_written_key_or_iv_reads_back(key: bytes, iv: bytes) -> None:
    assert read_rek(write_rek(key, "hex"), "hex") == key
    assert read_rek(write_rek(key, "base64"), "base64") == key
    for encoding in ("any", "raw", "base64", "hex"):
        assert read_iv(write_iv(iv, encoding), encoding) == iv


@given(text=st.binary(max_size=80))
def test_any_text_is_a_rek_of_a_legal_size_or_none(text: bytes) -> None:
    for encoding in ("hex", "base64", "utf8"):
        key = read_rek(text, encoding)
        assert key is None or len(key) in (16, 24, 32)


@moderate
@given(payload=json_values())
def test_replies_are_the_plain_value(payload: JSONValue, rsa_2048: RSAPrivateKey) -> None:
    opened = SCHEME.open_request(request(), server(rsa_2048), OPTIONS, now=NOW)
    reply = SCHEME.seal_reply(payload, opened, server(rsa_2048), OPTIONS, now=NOW)
    sent = SealedRequest(body=b"")
    assert SCHEME.open_reply(reply, sent, partner(rsa_2048), OPTIONS, now=NOW) == payload


@pytest.mark.parametrize("session", [ECB, CBC], ids=["ECB", "CBC"])
@moderate
@given(data=st.data())
def test_a_changed_header_opens_to_texts_or_raises_one_family(
    session: Session, data: st.DataObject, rsa_2048: RSAPrivateKey
) -> None:
    """AES without integrity: a change may go unseen, but nothing else ever happens."""
    sealed = SCHEME.seal_request(
        {"sensitive": {"data": "a message of more than one block"}},
        partner(rsa_2048),
        OPTIONS,
        now=NOW,
        token=TOKEN,
        session=session,
    )
    name = data.draw(st.sampled_from(sorted(sealed.headers)))
    text = sealed.headers[name]
    at = data.draw(st.integers(0, len(text) - 1))
    character = data.draw(st.characters())
    changed = {**sealed.headers, name: text[:at] + character + text[at + 1 :]}
    with contextlib.suppress(SchemeError):
        opened = SCHEME.open_request(
            SealedRequest(body=b"", headers=changed), server(rsa_2048), OPTIONS, now=NOW
        )
        assert isinstance(opened.payload["sensitive"]["data"], str)


@given(at=st.integers(0, 10_000), bit=st.integers(0, 5))
def test_any_changed_character_of_a_token_ends_it(
    at: int, bit: int, rsa_2048: RSAPrivateKey
) -> None:
    at %= len(TOKEN)
    changed = TOKEN[:at] + chr(ord(TOKEN[at]) ^ (1 << bit)) + TOKEN[at + 1 :]
    with pytest.raises(SchemeError):
        read(changed, server(rsa_2048), now=NOW)


header_names = st.one_of(
    st.sampled_from(
        [
            "x-flynn-s-rek",
            "x-flynn-s-iv",
            "x-flynn-s-data",
            "x-flynn-s-irp-pwd",
            "x-flynn-n-aes-encryption-mode",
            "x-flynn-n-irp-pwd",
        ]
    ),
    st.text(max_size=12).map(lambda name: "x-flynn-s-" + name),
    st.text(max_size=12).map(lambda name: "x-flynn-n-" + name),
    st.text(max_size=12),
)


@moderate
@given(
    body=st.binary(max_size=60),
    headers=st.dictionaries(
        header_names, st.text(max_size=60) | st.sampled_from(["CBC", "ECB"]), max_size=6
    ),
    known=st.booleans(),
    good_rek=st.booleans(),
    reply=st.binary(max_size=60),
)
def test_garbage_raises_nothing_but_scheme_errors(
    body: bytes,
    headers: dict[str, str],
    known: bool,
    good_rek: bool,
    reply: bytes,
    rsa_2048: RSAPrivateKey,
) -> None:
    if known:
        headers = headers | dict(request().headers)
    if good_rek:
        headers["x-flynn-s-rek"] = wrap(rsa_2048, REK.hex().encode())
    sent = SealedRequest(body=body, headers=headers, context=ECB)
    with contextlib.suppress(SchemeError):
        SCHEME.open_request(sent, server(rsa_2048), OPTIONS, now=NOW)
    with contextlib.suppress(SchemeError):
        value = SCHEME.open_reply(SealedReply(body=reply), sent, server(), OPTIONS, now=NOW)
        open_client_message(value, sent)
    with contextlib.suppress(OpenError):
        SCHEME.open_callback(reply, headers, server(rsa_2048), OPTIONS, now=NOW)
    assert SCHEME.callback_acknowledged(reply)


@moderate
@given(header=json_values(), payload=json_values(), signature=st.binary(max_size=40))
def test_any_token_at_all_raises_nothing_but_scheme_errors(
    header: JSONValue, payload: JSONValue, signature: bytes, rsa_2048: RSAPrivateKey
) -> None:
    from crypto_schemes.base64_text import encode_url  # noqa: PLC0415

    if isinstance(header, dict):
        header = {"alg": "HS256", "typ": "JWT", **header}
    parts = [json.dumps(header).encode(), json.dumps(payload).encode(), signature]
    text = ".".join(map(encode_url, parts))
    for deep in (text, encode_url(b'{"alg":' + b"[" * 1500) + ".e30.AA"):
        with pytest.raises(SchemeError):
            read(deep, server(rsa_2048), now=NOW)
        with pytest.raises(SchemeError):
            verify(deep, rsa_2048.public_key())


@moderate
@given(document=json_values())
def test_a_signed_document_verifies_to_itself(document: JSONValue, rsa_2048: RSAPrivateKey) -> None:
    signed = sign(document, "here", server(rsa_2048))
    assert verify(signed, rsa_2048.public_key()) == document
