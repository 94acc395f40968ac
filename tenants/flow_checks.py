"""What of a flow is checked beyond its single fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.urls import Resolver404, resolve
from django.utils.module_loading import import_string

from crypto_schemes import registry
from crypto_schemes.errors import OptionsError
from crypto_schemes.options import Options
from tenants.models import Backend, Flow
from tenants.validators import validate_storable

_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+", re.ASCII)
_PRODUCT: Final = "the product itself"


def check_options(scheme: str, options: Any) -> dict[str, Any]:
    """Return the options that were set, in the JSON form that is stored.

    Options left out stay out, so that they follow the contract's defaults. Raises
    ValidationError (field ``options``) that names each bad one and what would do.
    """
    if not isinstance(options, Mapping):
        raise ValidationError({"options": "Options are a JSON object."})
    try:
        validate_storable(options)
        parsed = registry.get(scheme).options_type.from_mapping(options)
    except OptionsError as error:
        raise ValidationError({"options": error.what}) from None
    except ValidationError as error:
        raise ValidationError({"options": error.messages}) from None
    taken = taken_paths(scheme, parsed)
    if taken:
        raise ValidationError({"options": [f"{name}: {what}" for name, what in taken.items()]})
    return parsed.model_dump(mode="json", exclude_unset=True)


def taken_paths(scheme: str, options: Options) -> dict[str, str]:
    """Return what is wrong with each option that is an address of something else.

    Requests there would never reach the flow: another contract or the product answers them.
    """
    found = {}
    for name, path in options.served_paths.items():
        # With a slash too: what a proxy or a person takes for the admin is no contract's.
        owners = {_owner(path), _owner(f"{path}/")} - {_contract(scheme), ""}
        if owners:
            found[name] = f"{path} is an address of {min(owners)}. Choose another path."
    return found


def _owner(path: str) -> str:
    """Return who answers at ``path``: a contract's name, the product, or nobody (empty)."""
    if path.startswith(settings.STATIC_URL):
        return _PRODUCT
    try:
        view = resolve(path).func
    except Resolver404:
        return ""
    protocol = getattr(getattr(view, "view_class", None), "protocol", None)
    return _contract(protocol.scheme_name) if protocol else _PRODUCT


def _contract(scheme: str) -> str:
    return f"the contract {scheme}"


def check_backend(flow: Flow) -> None:
    """Refuse a backend without what it needs, and a class that cannot be loaded.

    Raises ValidationError on the field that is wrong.
    """
    if flow.backend == Backend.UPSTREAM and not flow.upstream_url:
        raise ValidationError({"upstream_url": "The upstream backend needs an upstream URL."})
    if flow.backend != Backend.PYTHON:
        return
    path = flow.backend_class
    if not _DOTTED.fullmatch(path):
        raise ValidationError(
            {"backend_class": "Write a dotted path, such as company.sealgate.Orders."}
        )
    try:
        import_string(settings.BACKEND_LOADER)(path)
    except (ImportError, TypeError) as error:
        raise ValidationError({"backend_class": str(error)}) from None
    except Exception as error:  # noqa: BLE001 - the module is not ours and may raise anything
        raise ValidationError(
            {"backend_class": f"{path} cannot be loaded: {type(error).__name__}."}
        ) from None
