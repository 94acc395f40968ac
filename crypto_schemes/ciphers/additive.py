"""The additive cipher of missed-call OTP contracts: a Vigenère cipher over ASCII.

``out[i] = (in[i] + key[(i mod len(key)) - 1]) mod 128``, where index -1 is the last
character of the key. It hides text from a casual look and nothing more: whoever knows
or guesses a piece of the text has the key at that place.
"""

from __future__ import annotations


class AdditiveCipherError(ValueError):
    """The text or the key has a byte above 127, or the key is empty. Carries no detail."""


def add(text: bytes, key: bytes) -> bytes:
    """Return ``text`` moved forward by ``key``; both ASCII, as long as ``text``.

    Raises :class:`AdditiveCipherError`.
    """
    stream, ones = _stream(text, key), b"\x7f" * len(text)
    # All bytes at once: two bytes below 128 add up to less than 256, so none carries over.
    total = int.from_bytes(text, "big") + int.from_bytes(stream, "big")
    return (total & int.from_bytes(ones, "big")).to_bytes(len(text), "big")


def subtract(text: bytes, key: bytes) -> bytes:
    """Return ``text`` moved back by ``key``, the reverse of :func:`add`.

    Raises :class:`AdditiveCipherError`.
    """
    stream, ones = _stream(text, key), b"\x7f" * len(text)
    # The eighth bit, set first, is what each byte borrows from instead of its neighbour.
    borrow = int.from_bytes(b"\x80" * len(text), "big")
    total = (int.from_bytes(text, "big") | borrow) - int.from_bytes(stream, "big")
    return (total & int.from_bytes(ones, "big")).to_bytes(len(text), "big")


def _stream(text: bytes, key: bytes) -> bytes:
    """Return the key as it lies over ``text``: its last character first, then repeated."""
    if not key or not key.isascii() or not text.isascii():
        raise AdditiveCipherError("only ASCII can be enciphered, under a key that is not empty")
    turned = key[-1:] + key[:-1]
    return (turned * (len(text) // len(key) + 1))[: len(text)]
