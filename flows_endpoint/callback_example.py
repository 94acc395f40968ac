"""How a receiver checks the signature of a callback: what every page with callbacks says of it."""

from __future__ import annotations

from typing import Final

from callbacks.signing import ID, SIGNATURE, TIMESTAMP, headers
from crypto_schemes import base64_text
from crypto_schemes.keys import Credentials, KeyVersion
from crypto_schemes.scheme import CALLBACK_SIGNING
from flows_endpoint.markdown import fenced

DEMO_SECRET: Final = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"
DEMO_ID: Final = "5f0c1d2e-3b4a-4958-8776-95a4b3c2d1e0"
#: 2024-01-01 12:00:00 UTC
DEMO_TIME: Final = 1_704_110_400
DEMO_BODY: Final = b'{"demo":"Zo\xc3\xab"}'

_VERIFY: Final = """\
function verify(secret, headers, body) { // body: the bytes as they came, before any parsing
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const signed = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.`;
  const expected = crypto.createHmac("sha256", key).update(signed).update(body).digest();
  const fits = (headers["webhook-signature"] ?? "").split(" ").some((one) => {
    const given = Buffer.from(one.replace(/^v1,/, ""), "base64");
    return given.length === expected.length && crypto.timingSafeEqual(given, expected);
  });
  return fits && Math.abs(Date.now() / 1000 - Number(headers["webhook-timestamp"])) <= 300;
}"""


def signature_example() -> str:
    """Return the steps with a secret that belongs to nobody, and the same in JavaScript."""
    version = KeyVersion("demo", CALLBACK_SIGNING.name, 1, DEMO_SECRET)
    signed = headers(
        Credentials({}, {CALLBACK_SIGNING.name: (version,)}), DEMO_ID, DEMO_TIME, DEMO_BODY
    )
    key = base64_text.decode(DEMO_SECRET.removeprefix(CALLBACK_SIGNING.prefix))
    steps = (
        f"callback_signing    {DEMO_SECRET}",
        f"{ID:<20}{signed[ID]}",
        f"{TIMESTAMP:<20}{signed[TIMESTAMP]}",
        f"body                {DEMO_BODY.decode()}  ({len(DEMO_BODY)} bytes)",
        f"key                 {key.hex()}  (base64 after whsec_, {len(key)} bytes)",
        f"signed text         {signed[ID]}.{signed[TIMESTAMP]}.{DEMO_BODY.decode()}",
        f"{SIGNATURE:<20}{signed[SIGNATURE]}",
    )
    return f"{fenced('text', chr(10).join(steps))}\n\n{fenced('js', _VERIFY)}"
