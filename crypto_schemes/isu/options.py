"""Options of an ISU flow."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from crypto_schemes.ciphers import aes
from crypto_schemes.options import Options

_FIXED = "fixed:"
_HEX_BLOCK = re.compile(r"[0-9A-Fa-f]{32}")

#: An absolute path of plain segments, without a slash at the end.
Path = Annotated[
    str, StringConstraints(max_length=200, pattern=r"^(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+$")
]


class IsuOptions(Options):
    """What the vendor's page leaves open, and where the products answer."""

    key_encoding: Literal["base64", "hex", "utf8"] = Field(
        default="base64",
        title="Writing of AES keys",
        description="How an AES key is written when it is handed out or imported: base64 or "
        "hex of its 32 bytes, or utf8, where the key is a text of exactly 32 bytes.",
    )
    iv: str = Field(
        default="prefixed",
        title="Initialisation vector",
        description="prefixed: a random one in front of each message. fixed: followed by 16 "
        "characters or 32 hex digits: one agreed for all messages, which then does not travel; "
        "only for old clients, because equal texts then look equal and a client must not call "
        "twice with the same epoch while the replay guard is on.",
    )
    unpad: Literal["strict", "lenient"] = Field(
        default="strict",
        title="Removal of padding",
        description="strict: PKCS#7 or nothing. lenient: an object or array also opens with "
        "other padding: up to 16 bytes after its last bracket are dropped, or up to 32 that are "
        "all the same. Only for old clients.",
    )
    replay_guard: bool = Field(
        default=True,
        title="Refuse a repeated header_secrets",
        description="The contract wants header_secrets encrypted anew for each call. On: the "
        "same one twice inside the time window is refused.",
    )
    epoch_window: int = Field(
        default=300,
        ge=10,
        le=3600,
        title="Time window in seconds",
        description="How far the epoch in header_secrets may be from the server's clock, back "
        "or ahead.",
    )
    callback_body: Literal["plain", "sealed"] = Field(
        default="plain",
        title="Body of callbacks",
        description="plain: JSON as it is. sealed: encrypted as RequestData. Both headers are "
        "sent either way.",
    )
    payout_path: Path = Field(
        default="/w1w2-payout/w1/cashtransfer",
        title="Path of payouts",
        description="Where the partner posts a payout.",
    )
    status_path: Path = Field(
        default="/payout/statuscheck/txnreport",
        title="Path of status checks",
        description="Where the partner asks what became of a payout.",
    )
    dynamic_upi_path: Path = Field(
        default="/upi/initiate-dynamic-transaction",
        title="Path of dynamic UPI",
        description="Where the partner asks for a UPI payment link or QR picture.",
    )
    electricity_bill_path: Path = Field(
        default="/bbps/electricity/fetch-bill",
        title="Path of electricity bills",
        description="Where the partner fetches an electricity bill.",
    )

    @field_validator("iv")
    @classmethod
    def _check_iv(cls, iv: str) -> str:
        if iv != "prefixed":
            _fixed_block(iv)
        return iv

    @model_validator(mode="after")
    def _check_paths(self) -> Self:
        if len(set(self.paths.values())) != len(self.paths):
            raise ValueError("each product needs a path of its own")
        return self

    @property
    def fixed_iv(self) -> bytes | None:
        """Return the 16 bytes agreed on, or None where each message brings its own."""
        return None if self.iv == "prefixed" else _fixed_block(self.iv)

    @property
    def paths(self) -> dict[str, str]:
        """Return the path of each product, by the product's name."""
        return {
            "payout": self.payout_path,
            "status": self.status_path,
            "dynamic_upi": self.dynamic_upi_path,
            "electricity_bill": self.electricity_bill_path,
        }

    @property
    def served_paths(self) -> Mapping[str, str]:
        """Return the path of each product, by the name of its option."""
        return {f"{product}_path": path for product, path in self.paths.items()}


def _fixed_block(text: str) -> bytes:
    agreed = text.removeprefix(_FIXED)
    block = bytes.fromhex(agreed) if _HEX_BLOCK.fullmatch(agreed) else agreed.encode()
    if not text.startswith(_FIXED) or len(block) != aes.BLOCK:
        raise ValueError("write prefixed, or fixed: and then 16 characters or 32 hex digits")
    return block
