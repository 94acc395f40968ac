"""What a partner is handed: the bundle of the contract, and what else is for them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.urls import reverse

from crypto_schemes import keys
from crypto_schemes.keys import PurposeSpec
from crypto_schemes.options import Options
from tenants.models import Flow


@dataclass(frozen=True, slots=True)
class HandedText:
    """One secret as text: ``plain`` as every contract writes it (AES in base64, RSA as the PEM of
    the public half), ``written`` as the options of this flow have it, and the name of that.
    """

    spec: PurposeSpec
    plain: str = field(repr=False)
    written: str = field(repr=False)
    written_name: str

    @property
    def members(self) -> dict[str, str]:
        """Return it under a name for each way it is written."""
        return {self.spec.credential_name: self.plain, self.written_name: self.written}


def text_of(flow: Flow, spec: PurposeSpec, material: bytes, options: Options) -> HandedText:
    """Return ``material`` as it is handed over under ``options``. Raises KeyMaterialError."""
    name = flow.contract.written_name(spec, options)
    written = flow.contract.material_to_text(spec, material, options)
    is_plain = name == spec.credential_name
    plain = written if is_plain else keys.material_to_text(spec, material)
    return HandedText(spec=spec, plain=plain, written=written, written_name=name)


@dataclass(frozen=True, slots=True)
class Extra:
    """A secret for the partner that the contract's bundle has no member for."""

    name: str
    title: str
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class PartnerBundle:
    """``credentials`` are members of the contract's bundle, in its order."""

    credentials: Mapping[str, str] = field(repr=False)
    extra: tuple[Extra, ...] = field(repr=False)

    def document(self, flow: Flow) -> dict[str, Any]:
        """Return all of it, and where it is used: the one object that partners get.

        Raises OptionsError.
        """
        everything = {**self.credentials, **{item.name: item.value for item in self.extra}}
        document: dict[str, Any] = {
            "scheme": flow.scheme,
            "url": url_of(flow),
            "documentation": documentation_of(flow),
            "credentials": everything,
        }
        if agreed := agreed_of(flow):
            document["agreed"] = agreed
        return document

    def as_json(self, flow: Flow) -> str:
        """Return :meth:`document` as text. Raises OptionsError."""
        return json.dumps(self.document(flow), indent=2, ensure_ascii=False)


def url_of(flow: Flow) -> str:
    """Return where the partner's main operation is. Raises OptionsError."""
    return f"{settings.PUBLIC_URL}{flow.main_path}"


def documentation_of(flow: Flow) -> str:
    """Return where the page of the flow's contract is."""
    return f"{settings.PUBLIC_URL}{reverse('docs-contract', args=[flow.scheme])}"


def agreed_of(flow: Flow) -> dict[str, Any]:
    """Return the options of ``flow`` that its partner has to know: those that are no default.

    They are no secrets. Raises OptionsError.
    """
    options = flow.contract.options_type
    usual = options().model_dump(mode="json")
    said = options.from_mapping(flow.options).model_dump(mode="json")
    return {name: said[name] for name in flow.contract.agreed if said[name] != usual[name]}


def is_for_partner(spec: PurposeSpec) -> bool:
    """Return whether a secret of ``spec`` may be handed to a partner."""
    return spec.shared and not spec.for_own_service


def bundle_of(flow: Flow, texts: Iterable[HandedText]) -> PartnerBundle:
    """Return the public names of ``flow`` with ``texts``, those that are for the partner."""
    given = [text for text in texts if is_for_partner(text.spec)]
    members = dict(flow.identity) | {text.spec.credential_name: text.plain for text in given}
    credentials = {name: members[name] for name in flow.contract.bundle if name in members}
    known = set(credentials.values())
    extra = tuple(
        Extra(
            name=text.written_name,
            title=text.spec.title,
            value=text.written,
        )
        for text in given
        if text.written not in known
    )
    return PartnerBundle(credentials=credentials, extra=extra)
