"""What holds for any payload, any altered byte and any rubbish."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto_schemes.envelope import SealedReply, SealedRequest
from crypto_schemes.errors import SchemeError
from crypto_schemes.isu import SCHEME, IsuOptions
from crypto_schemes.json_text import JSONValue
from crypto_schemes.keys import Credentials
from tests.crypto_schemes import isu_flow as flow
from tests.crypto_schemes.strategies import json_values
from tests.support.examples import examples

WAYS = [
    IsuOptions(),
    IsuOptions(iv="fixed:0123456789abcdef"),
    IsuOptions(unpad="lenient", callback_body="sealed"),
    IsuOptions(iv="fixed:000102030405060708090a0b0c0d0e0f", unpad="lenient"),
]
SETS = [flow.FLOW, flow.credentials(payload_keys=(flow.PAYLOAD,))]
HEADER_VALUES = st.text(max_size=300) | st.binary(max_size=200).map(
    lambda data: base64.b64encode(data).decode()
)


@pytest.mark.parametrize("options", WAYS)
@pytest.mark.parametrize("keys", SETS, ids=["one key", "two keys"])
@settings(max_examples=examples(40), deadline=None)
@given(payload=json_values(), answer=json_values(), now=st.integers(0, 10**11))
def test_what_is_sealed_opens_again(
    options: IsuOptions, keys: Credentials, payload: JSONValue, answer: JSONValue, now: int
) -> None:
    sent = SCHEME.seal_request(payload, keys, options, now=now)
    opened = SCHEME.open_request(sent, keys, options, now=now)
    assert opened.payload == payload
    assert opened.issued_at == now
    reply = SCHEME.seal_reply(answer, opened, keys, options, now=now)
    assert SCHEME.open_reply(reply, sent, keys, options, now=now) == answer


@pytest.mark.parametrize("options", WAYS)
@settings(max_examples=examples(30), deadline=None)
@given(payload=json_values())
def test_a_callback_opens_again(options: IsuOptions, payload: JSONValue) -> None:
    sent = SCHEME.seal_callback(payload, flow.FLOW, options, now=flow.NOW)
    opened = SCHEME.open_callback(sent.body, sent.headers, flow.FLOW, options, now=flow.NOW)
    assert opened == payload


def test_two_messages_of_one_text_share_no_block() -> None:
    first, second = (
        SCHEME.seal_request([0] * 40, flow.FLOW, flow.OPTIONS, now=flow.NOW) for _ in range(2)
    )
    for one, other in (
        (first.headers["header-secrets"], second.headers["header-secrets"]),
        (first.body.split(b'"')[3].decode(), second.body.split(b'"')[3].decode()),
    ):
        blocks = [
            {data[at : at + 16] for at in range(0, len(data), 16)}
            for data in (base64.b64decode(one), base64.b64decode(other))
        ]
        assert not blocks[0] & blocks[1]


@pytest.mark.parametrize("options", [WAYS[0], WAYS[2]], ids=["strict", "lenient"])
def test_a_changed_byte_of_the_header_is_refused_or_changes_nothing(options: IsuOptions) -> None:
    data = base64.b64decode(flow.value(flow.HEADER_TEXT))
    whole = SCHEME.open_request(flow.request(), flow.FLOW, options, now=flow.NOW)
    for at in range(len(data)):
        for bit in range(8):
            bent = bytearray(data)
            bent[at] ^= 1 << bit
            sent = flow.request(base64.b64encode(bent).decode())
            try:
                opened = SCHEME.open_request(sent, flow.FLOW, options, now=flow.NOW)
            except SchemeError:
                continue
            assert opened == whole
            assert opened.once == whole.once


@settings(max_examples=examples(150), deadline=None)
@given(
    payload=json_values(),
    at=st.integers(0, 10**6),
    bits=st.integers(1, 255),
    options=st.sampled_from(WAYS[:1] + WAYS[2:3]),
)
def test_a_changed_byte_of_the_body_is_refused_or_still_json(
    payload: JSONValue, at: int, bits: int, options: IsuOptions
) -> None:
    sent = SCHEME.seal_request(payload, flow.FLOW, options, now=flow.NOW)
    bent = bytearray(base64.b64decode(sent.body.split(b'"')[3]))
    bent[at % len(bent)] ^= bits
    changed = SealedRequest(
        b'{"RequestData":"%s"}' % base64.b64encode(bent), sent.headers, sent.context
    )
    try:
        opened = SCHEME.open_request(changed, flow.FLOW, options, now=flow.NOW)
    except SchemeError:
        return
    # Whatever it now is, it is JSON that can be sealed and read again.
    again = SCHEME.seal_request(opened.payload, flow.FLOW, options, now=flow.NOW)
    assert SCHEME.open_request(again, flow.FLOW, options, now=flow.NOW).payload == opened.payload


@settings(max_examples=examples(150), deadline=None)
@given(
    body=st.binary(max_size=300)
    | json_values().map(lambda value: SCHEME.seal_callback(value, flow.FLOW, WAYS[0], now=0).body)
    | HEADER_VALUES.map(
        lambda text: (
            SCHEME.seal_callback(
                {"RequestData": text, "ResponseData": text}, flow.FLOW, WAYS[0], now=0
            ).body
        )
    ),
    headers=st.dictionaries(
        st.sampled_from(["pass-key", "header-secrets", "Pass_Key", "header_secrets"])
        | st.text(max_size=10),
        st.just("demo-pass-key") | st.just(flow.value(flow.HEADER_TEXT)) | HEADER_VALUES,
    ),
    options=st.sampled_from(WAYS),
    keys=st.sampled_from([*SETS, flow.credentials(aes_keys=()), Credentials()]),
    now=st.floats(0, 1e11),
)
def test_rubbish_raises_only_errors_of_the_scheme(
    body: bytes,
    headers: dict[str, str],
    options: IsuOptions,
    keys: Credentials,
    now: float,
) -> None:
    valid = {"pass-key": "demo-pass-key", "header-secrets": flow.value(flow.HEADER_TEXT)}
    for given_headers, at in ((headers, now), (valid, flow.NOW)):
        sent = SealedRequest(body, given_headers)
        for call in (
            lambda: SCHEME.open_request(sent, keys, options, now=at),  # noqa: B023
            lambda: SCHEME.open_callback(body, sent.headers, keys, options, now=at),  # noqa: B023
            lambda: SCHEME.open_reply(SealedReply(body), sent, keys, options, now=at),  # noqa: B023
        ):
            try:
                call()
            except SchemeError as error:
                assert error.code != "scheme_error"
    assert SCHEME.callback_acknowledged(body) in (True, False)


@settings(max_examples=examples(200), deadline=None)
@given(text=st.binary(max_size=80), options=st.sampled_from(WAYS[:1] + WAYS[2:3]))
def test_any_text_inside_a_rightly_encrypted_value_is_taken_or_refused(
    text: bytes, options: IsuOptions
) -> None:
    for sent in (flow.request(flow.value(text)), flow.request(data=flow.value(text))):
        try:
            SCHEME.open_request(sent, flow.FLOW, options, now=flow.NOW)
        except SchemeError as error:
            assert text not in repr(error).encode() or len(text) < 8
