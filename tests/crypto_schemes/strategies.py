"""What the property tests of the schemes draw from."""

from __future__ import annotations

from hypothesis import strategies as st

from crypto_schemes.json_text import JSONValue


def json_values(max_leaves: int = 25) -> st.SearchStrategy[JSONValue]:
    """Return any value of JSON text: finite numbers, no lone surrogates, shallow nesting."""
    scalars = (
        st.none()
        | st.booleans()
        | st.integers(min_value=-(2**80), max_value=2**80)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=40)
    )
    return st.recursive(
        scalars,
        lambda inner: (
            st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=12), inner, max_size=6)
        ),
        max_leaves=max_leaves,
    )
