"""How things look in the admin: form fields in the clothes of the theme, names in words."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django import forms
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold import widgets

from crypto_schemes import registry
from tenants.models import Flow


def flow_name(flow: Flow) -> SafeString:
    """Return how lists call a flow: contract, and the address below."""
    return format_html("{}<br>{}", registry.label(flow.scheme), flow.address)


def at_minute(moment: datetime) -> SafeString:
    """Return a time as lists show it: to the minute, and never broken."""
    return format_html('<span class="sg-at">{}</span>', f"{moment:%Y-%m-%d %H:%M}")


def dress(fields: Iterable[forms.Field]) -> None:
    """Give each field the theme's widget for what it is; keep its attributes."""
    for field in fields:
        made = _widget(field)
        if made is not None:
            made.is_required = field.widget.is_required
            made.is_localized = field.widget.is_localized
            field.widget = made


def _widget(field: forms.Field) -> forms.Widget | None:
    """Return the theme's widget, or None where the field's own is already right."""
    worn = field.widget
    if worn.is_hidden or type(worn).__module__.startswith("unfold."):
        return None
    attrs = {name: value for name, value in worn.attrs.items() if name not in {"size", "class"}}
    made: forms.Widget | None = None
    if isinstance(field, forms.ModelChoiceField | forms.ChoiceField):
        made = widgets.UnfoldAdminSelectWidget(attrs, choices=field.choices)
    elif isinstance(worn, forms.Textarea):
        made = widgets.UnfoldAdminTextareaWidget(attrs)
    elif isinstance(worn, forms.CheckboxInput):
        made = widgets.UnfoldBooleanSwitchWidget(attrs)
    elif isinstance(worn, forms.PasswordInput):
        made = widgets.UnfoldAdminPasswordWidget(attrs)
    elif isinstance(worn, forms.DateInput):
        made = widgets.UnfoldAdminSingleDateWidget(attrs)
    elif isinstance(worn, forms.NumberInput):
        made = widgets.UnfoldAdminIntegerFieldWidget(attrs)
    elif isinstance(worn, forms.TextInput):
        made = widgets.UnfoldAdminTextInputWidget(attrs)
    return made
