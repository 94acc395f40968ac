"""One ISU flow with known keys, for the tests of its scheme."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from crypto_schemes import base64_text
from crypto_schemes.envelope import SealedReply, SealedRequest
from crypto_schemes.isu import SCHEME, IsuOptions
from crypto_schemes.isu.value import seal_value
from crypto_schemes.keys import Credentials, KeyVersion

NOW = 1_727_954_878.0
OPTIONS = IsuOptions()
AES_KEY = bytes(range(32))
OTHER_KEY = bytes(range(32, 64))
PAYLOAD_KEY = bytes(range(64, 96))
IV = bytes(range(0xA0, 0xB0))
CLIENT = {"client_id": "demo-client", "client_secret": "demo-secret", "epoch": "1727954878"}
HEADER_TEXT = b'{"client_id":"demo-client","client_secret":"demo-secret","epoch":"1727954878"}'


def version(purpose: str, material: bytes | str, number: int = 1) -> KeyVersion:
    return KeyVersion(f"{purpose}-{number}", purpose, number, material)


PASS = version("pass_key", "demo-pass-key")
SECRET = version("client_secret", "demo-secret")
AES = version("isu_aes", AES_KEY)
PAYLOAD = version("isu_payload_aes", PAYLOAD_KEY)


def credentials(
    *,
    pass_keys: tuple[KeyVersion, ...] = (PASS,),
    client_secrets: tuple[KeyVersion, ...] = (SECRET,),
    aes_keys: tuple[KeyVersion, ...] = (AES,),
    payload_keys: tuple[KeyVersion, ...] = (),
    identity: Mapping[str, str] | None = None,
    sealing: frozenset[str] | None = None,
) -> Credentials:
    return Credentials(
        identity={"client_id": "demo-client"} if identity is None else identity,
        versions={
            "pass_key": pass_keys,
            "client_secret": client_secrets,
            "isu_aes": aes_keys,
            "isu_payload_aes": payload_keys,
        },
        sealing=sealing,
    )


FLOW = credentials()


def value(text: bytes, key: bytes = AES_KEY, options: IsuOptions = OPTIONS) -> str:
    """Return ``text`` encrypted with the known IV."""
    return seal_value(key, text, options, iv=IV)


def raw_value(padded: bytes, key: bytes = AES_KEY) -> str:
    """Return whole blocks encrypted as they are: the caller did, or did not, pad them."""
    encryptor = Cipher(algorithms.AES(key), modes.CBC(IV)).encryptor()
    return base64_text.encode(IV + encryptor.update(padded) + encryptor.finalize())


def request(
    header: str | None = None, data: str | None = None, *, pass_key: str = "demo-pass-key"
) -> SealedRequest:
    """Return a request that opens, but for what is given."""
    return SealedRequest(
        body=b'{"RequestData":"%s"}' % (data or value(b'{"amount":100}')).encode(),
        headers={"pass-key": pass_key, "header-secrets": header or value(HEADER_TEXT)},
    )


def opens(sealed: SealedRequest, options: IsuOptions = OPTIONS, now: float = NOW) -> object:
    return SCHEME.open_request(sealed, FLOW, options, now=now).payload


def reply(text: str) -> SealedReply:
    return SealedReply(body=text.encode())


def bent_last_byte(value: str) -> str:
    """Return a sealed value whose padding is wrong."""
    data = bytearray(base64.b64decode(value))
    data[-17] ^= 0x40
    return base64.b64encode(data).decode()
