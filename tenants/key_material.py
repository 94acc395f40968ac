"""Opening the material of a key version; what cannot be opened is called by its name."""

from __future__ import annotations

from tenants import at_rest
from tenants.at_rest import AtRestError
from tenants.models import Key


def open_material(key: Key) -> bytes:
    """Return the material in stored form.

    Raises AtRestError, which says which version of which flow it was, by its fingerprint.
    """
    try:
        return at_rest.open_sealed(key.material, key.at_rest_context)
    except AtRestError as error:
        raise AtRestError(error.code, f"{key} of {key.flow}: {error.what}") from None
