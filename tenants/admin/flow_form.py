"""The forms a flow is made and edited with; the options' fields are the contract's."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, ClassVar, Final

from django import forms
from django.core.exceptions import ValidationError

from crypto_schemes import registry
from crypto_schemes.options import Options
from tenants.admin.look import dress
from tenants.admin.option_fields import (
    PREFIX,
    LinesField,
    clean_options,
    initial_options,
    option_fields,
)
from tenants.flow_checks import check_backend, taken_paths
from tenants.lifecycle import WHERE_DATA_GOES
from tenants.models import Client, Flow

if TYPE_CHECKING:
    FlowModelForm = forms.ModelForm[Flow]
else:
    FlowModelForm = forms.ModelForm

_BACKEND: Final = ("backend", "backend_class", "upstream_url")
SETTINGS: Final = (*_BACKEND, "callback_url", "allowed_networks")
_EDITABLE: Final = ("is_enabled", *SETTINGS)
_WIDE: Final = forms.TextInput(attrs={"size": 80})


class FlowForm(FlowModelForm):
    """What can be set about a flow of one contract. Subclassed by :func:`form_for`."""

    scheme: ClassVar[str]
    options_type: ClassVar[type[Options]]

    allowed_networks = LinesField(
        required=False,
        label="Allowed networks",
        help_text="Who may call: one network a line, such as 203.0.113.0/24 or 2001:db8::/32. "
        "Empty: any address.",
    )

    class Meta:
        model = Flow
        fields: tuple[str, ...] = _EDITABLE
        labels = {"upstream_url": "Upstream URL", "callback_url": "Callback URL"}
        widgets = {"backend_class": _WIDE, "upstream_url": _WIDE, "callback_url": _WIDE}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        stored = kwargs["instance"].options if kwargs.get("instance") else {}
        initial = initial_options(self.options_type, stored)
        kwargs["initial"] = initial | (kwargs.get("initial") or {})
        super().__init__(*args, **kwargs)
        self._stored = stored
        dress(self.fields.values())

    def clean(self) -> dict[str, Any]:
        """Check options and backend together; errors land on the field that is wrong."""
        cleaned = super().clean() or {}
        # What is not touched is not checked: a flow whose backend class is gone, or whose options
        # another version of the product stored, can still be switched off.
        self.said_options = dict(self._stored)
        if any(name.startswith(PREFIX) for name in self.changed_data):
            self.said_options = clean_options(self, self.options_type, self._stored)
            for name, what in self._taken_paths().items():
                self.add_error(PREFIX + name, what)
        else:
            for name in [name for name in self.errors if name.startswith(PREFIX)]:
                del self.errors[name]
        touched = set(_BACKEND) & set(self.changed_data)
        if touched and not any(name in self.errors for name in _BACKEND):
            said = {name: self.cleaned_data.get(name, "") for name in _BACKEND}
            try:
                check_backend(Flow(**said))
            except ValidationError as error:
                self.add_error(None, error)
        return cleaned

    def _taken_paths(self) -> dict[str, str]:
        """Return what is wrong with paths among valid options."""
        if any(name.startswith(PREFIX) for name in self.errors):
            return {}
        options = self.options_type.from_mapping(self.said_options)
        return taken_paths(self.scheme, options)

    def changes(self) -> dict[str, Any]:
        """Return what the form says otherwise than it showed, ready for ``update_flow``."""
        said = {name: self.cleaned_data[name] for name in self.changed_data if name in _EDITABLE}
        if any(name.startswith(PREFIX) for name in self.changed_data):
            said["options"] = self.said_options
        return said


class GuardedFlowForm(FlowForm):
    """The settings of a flow whose client needs two people. Subclassed by :func:`form_for`."""

    reason = forms.CharField(
        required=False,
        max_length=200,
        widget=_WIDE,
        help_text="For a change of backend, upstream URL, callback URL or allowed networks: what "
        "is saved with it is asked for, and another person decides by this.",
    )

    def clean(self) -> dict[str, Any]:
        """Check that who changes where data goes says why."""
        cleaned = super().clean()
        if WHERE_DATA_GOES & set(self.changed_data) and not cleaned.get("reason"):
            self.add_error("reason", "Say why: another person decides by it.")
        return cleaned


class NewFlowForm(FlowForm):
    """What is fixed once and for all, and the rest. Subclassed by :func:`form_for`."""

    #: The primary key of the flow to be: the same form sent twice makes one flow.
    new_id = forms.UUIDField(widget=forms.HiddenInput)
    client = forms.ModelChoiceField(Client.objects.all())
    address = forms.CharField(
        required=False,
        max_length=64,
        help_text="Unique within the contract; part of the URL or of the partner's user id. "
        "Cannot be changed later. Empty: one is made.",
    )

    class Meta(FlowForm.Meta):
        fields = SETTINGS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["initial"] = {"new_id": uuid.uuid4()} | (kwargs.get("initial") or {})
        super().__init__(*args, **kwargs)


def form_for(scheme: str, base: type[FlowForm]) -> type[FlowForm]:
    """Return ``base`` with the options of ``scheme``."""
    options = registry.get(scheme).options_type
    members: dict[str, Any] = {"options_type": options, **option_fields(options)}
    members["scheme"] = scheme
    name = f"{scheme.title().replace('_', '')}{base.__name__}"
    metaclass: Any = type(base)
    form: type[FlowForm] = metaclass(name, (base,), members)
    return form


def fieldsets(scheme: str, fixed: tuple[str, ...]) -> list[tuple[str | None, dict[str, Any]]]:
    """Return the sections of the form; ``fixed`` are the fields of the first."""
    contract = registry.get(scheme)
    names = [PREFIX + name for name in contract.options_type.model_fields]
    return [
        (None, {"fields": fixed}),
        ("Options of the contract", {"fields": names}),
        ("Who does the business", {"fields": _BACKEND}),
        ("Callbacks and callers", {"fields": ["callback_url", "allowed_networks"]}),
    ]
