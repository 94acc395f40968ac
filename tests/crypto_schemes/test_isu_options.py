"""Options of an ISU flow: defaults, bounds, and what the legacy ones do on the wire."""

from __future__ import annotations

import base64

import pytest

from crypto_schemes.errors import OpenError, OptionsError
from crypto_schemes.isu import SCHEME, IsuOptions
from tests.crypto_schemes import isu_flow as flow

TEXT = b'{"amount":100}'


def test_the_defaults() -> None:
    assert IsuOptions().model_dump() == {
        "key_encoding": "base64",
        "iv": "prefixed",
        "unpad": "strict",
        "replay_guard": True,
        "epoch_window": 300,
        "callback_body": "plain",
        "payout_path": "/w1w2-payout/w1/cashtransfer",
        "status_path": "/payout/statuscheck/txnreport",
        "dynamic_upi_path": "/upi/initiate-dynamic-transaction",
        "electricity_bill_path": "/bbps/electricity/fetch-bill",
    }


def test_each_option_has_a_title_and_a_help_text() -> None:
    for name, field in IsuOptions.model_fields.items():
        assert field.title, name
        assert field.description and field.description.endswith("."), name


@pytest.mark.parametrize(
    "values",
    [
        {"key_encoding": "base32"},
        {"iv": ""},
        {"iv": "random"},
        {"iv": "fixed"},
        {"iv": "fixed:"},
        {"iv": "fixed:0123456789abcde"},
        {"iv": "fixed:0123456789abcdef0"},
        {"iv": "fixed:" + "0" * 31 + "g"},
        {"iv": "0123456789abcdef"},
        {"unpad": "none"},
        {"replay_guard": "maybe"},
        {"epoch_window": 9},
        {"epoch_window": 3601},
        {"epoch_window": "soon"},
        {"callback_body": "both"},
        {"payout_path": ""},
        {"payout_path": "/"},
        {"payout_path": "payout"},
        {"payout_path": "/payout/"},
        {"payout_path": "//payout"},
        {"payout_path": "/../admin"},
        {"payout_path": "/pay/./out"},
        {"payout_path": "/pay out"},
        {"payout_path": "/pay%2fout"},
        {"payout_path": "/payout?x=1"},
        {"payout_path": "/payout\n"},
        {"payout_path": "/" + "p" * 200},
        {"payout_path": "/bbps/electricity/fetch-bill"},
        {"status_path": "/same", "dynamic_upi_path": "/same"},
        {"epoch": 300},
    ],
)
def test_what_is_out_of_range_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(OptionsError):
        IsuOptions.from_mapping(values)


@pytest.mark.parametrize(("written", "on"), [("on", True), ("off", False), (False, False)])
def test_the_guard_is_switched_in_words_too(written: object, *, on: bool) -> None:
    assert IsuOptions.from_mapping({"replay_guard": written}).replay_guard is on


def test_paths_are_changed_one_by_one() -> None:
    options = IsuOptions.from_mapping({"status_path": "/v2/Status_check.json"})
    assert options.paths == {
        "payout": "/w1w2-payout/w1/cashtransfer",
        "status": "/v2/Status_check.json",
        "dynamic_upi": "/upi/initiate-dynamic-transaction",
        "electricity_bill": "/bbps/electricity/fetch-bill",
    }


def test_a_fixed_iv_does_not_travel() -> None:
    for written, block in (
        ("fixed:0123456789abcdef", b"0123456789abcdef"),
        ("fixed:" + flow.IV.hex().upper(), flow.IV),
    ):
        options = IsuOptions(iv=written)
        assert options.fixed_iv == block
        sealed = flow.value(TEXT, options=options)
        assert len(base64.b64decode(sealed)) == 16
        header = flow.value(flow.HEADER_TEXT, options=options)
        assert flow.opens(flow.request(header, sealed), options) == {"amount": 100}
    # The same blocks as with that IV in front.
    assert base64.b64decode(flow.value(TEXT)) == flow.IV + base64.b64decode(sealed)


def test_a_prefixed_value_does_not_open_where_the_iv_is_fixed() -> None:
    with pytest.raises(OpenError):
        flow.opens(flow.request(), IsuOptions(iv="fixed:0123456789abcdef"))


PADDINGS = {
    "zeros": TEXT + b"\0\0",
    "blanks": TEXT + b"  ",
    "wrong length": TEXT + b"\x07\x07",
    "ANSI X9.23": TEXT + b"\0\x02",
    "ISO 7816": TEXT + b"\x80\0",
    "to 32 bytes": TEXT + bytes([18]) * 18,
    "a whole block of zeros": b'{"amount": 1000}' + bytes(16),
    "none": b'{"amount": 1000}',
    "twice": TEXT + b"\x02\x02" + b"\x10" * 16,
    "array": b"[1,2]" + bytes(11),
}


@pytest.mark.parametrize("padded", PADDINGS.values(), ids=PADDINGS)
def test_other_paddings_open_only_when_lenient(padded: bytes) -> None:
    sent = flow.request(data=flow.raw_value(padded))
    lenient = IsuOptions(unpad="lenient")
    assert flow.opens(sent, lenient) in ({"amount": 100}, {"amount": 1000}, [1, 2])
    with pytest.raises(OpenError):
        flow.opens(sent)


@pytest.mark.parametrize(
    "padded",
    [
        b'"text"' + bytes(10),
        b"12" + bytes(14),
        bytes(16),
        b'{"amount":100' + bytes(3),
        TEXT + b"}\0",
        TEXT + bytes(34),
        TEXT + bytes(16) + b"\2\1",
    ],
)
def test_lenient_has_limits(padded: bytes) -> None:
    with pytest.raises(OpenError):
        flow.opens(flow.request(data=flow.raw_value(padded)), IsuOptions(unpad="lenient"))


def test_a_rightly_padded_scalar_opens_when_lenient() -> None:
    for text, expected in ((b'"a}b"', "a}b"), (b"7", 7), (b"null", None)):
        sent = flow.request(data=flow.value(text))
        assert flow.opens(sent, IsuOptions(unpad="lenient")) == expected


def test_the_scheme_states_its_fixed_names() -> None:
    assert SCHEME.name == "isu"
    assert SCHEME.located_by is None
    assert SCHEME.bundle == ("pass_key", "client_id", "client_secret", "aes_key_base64")
    assert [field.make("acme") for field in SCHEME.identity] == ["acme"]
    purposes = {spec.name: spec for spec in SCHEME.purposes}
    assert list(purposes) == ["pass_key", "client_secret", "isu_aes", "isu_payload_aes"]
    assert [name for name, spec in purposes.items() if spec.locates] == ["pass_key"]
    assert not purposes["isu_payload_aes"].issued_at_creation
    assert purposes["isu_aes"].credential_name == "aes_key_base64"
