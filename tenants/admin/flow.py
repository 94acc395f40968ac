"""Flows in the admin: made for a contract, and edited."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from crypto_schemes import registry
from crypto_schemes.errors import OptionsError
from crypto_schemes.scheme import UPSTREAM_SIGNING
from tenants import lifecycle
from tenants.actors import Actor, NotAllowedError
from tenants.admin.approval import asked_for, guarded_context
from tenants.admin.base import RefusedError, answering, sent_back
from tenants.admin.flow_form import (
    FlowForm,
    GuardedFlowForm,
    NewFlowForm,
    fieldsets,
    form_for,
)
from tenants.admin.flow_keys import FlowKeyPages
from tenants.admin.fresh import (
    FORM_SECONDS,
    FRESH_SECONDS,
    NotFreshError,
    ask_again,
    is_fresh,
    require_fresh,
)
from tenants.admin.handover_panel import handover_context
from tenants.admin.issued import issued_page
from tenants.admin.key_panel import OVERRIDE_PHRASE, purpose_rows
from tenants.flow_panels import panel_of
from tenants.lifecycle import IssuedFlow, LifecycleError, approvals
from tenants.models import ApprovalRequest, Flow

_FIXED: Final = (
    *("client", "scheme", "address", "identity_list", "url", "documentation", "created_at"),
)
#: How many requests and callbacks the page of a flow shows.
_LATEST: Final = 8
_Fieldsets = list[tuple[str | None, dict[str, Any]]]


def _page(flow_id: uuid.UUID) -> str:
    return reverse("admin:tenants_flow_change", args=[flow_id])


@admin.register(Flow)
class FlowAdmin(FlowKeyPages):
    """Integrations: contract first, then its options; keys on the flow's page."""

    list_display = ("address", "scheme", "client", "backend", "is_enabled", "created_at")
    list_filter = ("scheme", "backend", "is_enabled")
    list_select_related = ("client",)
    search_fields = ("address", "wire_id", "client__slug", "client__name")
    readonly_fields = (*_FIXED, "option_list")
    change_form_template = "admin/tenants/flow_change.html"

    # -- making one --------------------------------------------------------------------------

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Ask for the contract, then for the rest; show the secrets in answer to the POST.

        Not the stock view: that holds a transaction open while keys are made, and redirects
        afterwards, for which the secrets would have to be kept somewhere.
        """
        if not self.has_add_permission(request):
            raise PermissionDenied
        scheme = request.GET.get("scheme", "")
        if scheme not in registry.NAMES:
            return self._choose(request)
        if not is_fresh(request, FORM_SECONDS if request.method == "POST" else FRESH_SECONDS):
            return ask_again(request.get_full_path())
        initial = {"client": request.GET.get("client", "")}
        form = form_for(scheme, NewFlowForm)(
            request.POST if request.method == "POST" else None, initial=initial
        )
        if request.method == "POST" and form.is_valid():
            made = Flow.objects.filter(pk=form.cleaned_data["new_id"])
            issued = None if made.exists() else self._create(request, scheme, form)
            if issued is not None:
                return self._issued_flow(request, issued)
            if made.exists():  # by this form's first sending, which may have been at work just now
                text = "This form was sent before. Its flow is made, its secrets were shown once."
                messages.warning(request, text)
                return HttpResponseRedirect(_page(form.cleaned_data["new_id"]))
        return self._add_form(request, scheme, form)

    def _choose(self, request: HttpRequest) -> HttpResponse:
        query = request.GET.copy()
        choices = []
        for scheme in registry.all_schemes():
            query["scheme"] = scheme.name
            choices.append((scheme, f"?{query.urlencode()}"))
        context = {
            **self.admin_site.each_context(request),
            "title": "Choose the contract",
            "opts": self.opts,
            "choices": choices,
        }
        return TemplateResponse(request, "admin/tenants/flow_choose.html", context)

    def _create(
        self, request: HttpRequest, scheme: str, form: forms.ModelForm[Flow]
    ) -> IssuedFlow | None:
        """Make the flow of a valid form, or put what is wrong on the form and return None."""
        said = dict(form.cleaned_data)
        try:
            issued = lifecycle.create_flow(
                Actor.from_request(request),
                said["client"],
                scheme,
                id=said["new_id"],
                address=said["address"],
                options=form.said_options,  # type: ignore[attr-defined]
                **{name: said[name] for name in form._meta.fields or ()},
            )
        except NotAllowedError as error:
            raise PermissionDenied(str(error)) from None
        except LifecycleError as error:
            form.add_error("address", str(error))
        except ValidationError as error:
            known = not hasattr(error, "error_dict") or set(error.error_dict) <= set(form.fields)
            form.add_error(None, error if known else error.messages)
        else:
            self.log_addition(request, issued.flow, [{"added": {}}])
            return issued
        return None

    def _issued_flow(self, request: HttpRequest, issued: IssuedFlow) -> HttpResponse:
        return issued_page(
            request,
            self.admin_site,
            issued.flow,
            title=f"The flow {issued.flow} is made",
            credentials=issued.credentials,
            url=self.url(issued.flow),
            extra=issued.extra,
            own_service={UPSTREAM_SIGNING.credential_name: issued.upstream_secret},
            keys=[item.key for item in issued.keys],
        )

    def _add_form(
        self, request: HttpRequest, scheme: str, form: forms.ModelForm[Flow]
    ) -> HttpResponse:
        sections = fieldsets(scheme, ("new_id", "client", "address"))
        admin_form = helpers.AdminForm(form, sections, {}, (), model_admin=self)
        contract = registry.get(scheme)
        context = {
            **self.admin_site.each_context(request),
            "title": f"Add a flow: {contract.title}",
            "subtitle": None,
            "promise": contract.promise,
            "adminform": admin_form,
            "errors": helpers.AdminErrorList(form, []),
            "media": self.media + admin_form.media,
            "inline_admin_formsets": [],
            "is_popup": False,
            "show_save_and_add_another": False,
            "show_save_and_continue": False,
            "preserved_filters": "",
        }
        return self.render_change_form(request, context, add=True)

    # -- editing one -------------------------------------------------------------------------

    def get_fieldsets(self, request: HttpRequest, obj: Flow | None = None) -> Any:
        """Return the sections of the page; who may only look sees the options as a list."""
        if obj is None:
            return ()
        sections: _Fieldsets = fieldsets(obj.scheme, (*_FIXED, "is_enabled"))
        if not self.has_change_permission(request, obj):
            sections[1][1]["fields"] = ["option_list"]
        elif obj.client.needs_second_person:
            sections.append(("Two people", {"fields": ["reason"]}))
        return sections

    def get_form(
        self,
        request: HttpRequest,
        obj: Flow | None = None,
        change: bool = False,  # noqa: FBT001 - Django's signature
        **kwargs: Any,
    ) -> Any:
        """Return the form of the flow's contract."""
        if obj is not None:
            is_guarded = obj.client.needs_second_person
            kwargs["form"] = form_for(obj.scheme, GuardedFlowForm if is_guarded else FlowForm)
        return super().get_form(request, obj, change=change, **kwargs)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Serve the page of a flow, with its keys."""
        context: dict[str, Any] = {
            "show_save_and_add_another": False,
            "may_see_keys": request.user.has_perm("tenants.view_key")
            or request.user.has_perm("tenants.change_key"),
            "may_add_key": request.user.has_perm("tenants.add_key"),
            "overlap": lifecycle.DEFAULT_OVERLAP.days,
            "longest_overlap": lifecycle.LONGEST_OVERLAP.days,
            "override_phrase": OVERRIDE_PHRASE,
            "wait": lifecycle.DEFAULT_WAIT.days,
            "shortest_wait": lifecycle.SHORTEST_WAIT.days,
            "longest_wait": lifecycle.LONGEST_WAIT.days,
            "tomorrow": timezone.now().date() + timedelta(days=1),
        }
        flow = self.get_object(request, object_id)
        if flow is not None:
            if context["may_see_keys"]:
                context["purposes"] = purpose_rows(flow, request.user)
            context |= handover_context(flow, request)
            context |= guarded_context(flow, request)
            context["panel"] = panel_of(flow, request)
            context |= _latest(flow, request)
        try:
            return super().change_view(
                request, object_id, form_url, {**context, **(extra_context or {})}
            )
        except RefusedError as refused:
            return sent_back(request, refused, request.get_full_path())
        except NotFreshError:
            return ask_again(request.get_full_path())

    def save_model(
        self,
        request: HttpRequest,
        obj: Flow,
        form: Any,
        change: bool,  # noqa: FBT001 - Django's signature
    ) -> None:
        """Have the lifecycle write what the form changed, or ask a second person for it."""
        changes, reason = form.changes(), form.cleaned_data.get("reason", "")
        if changes:
            require_fresh(request)
        with answering():
            done = approvals.do_or_ask(
                Actor.from_request(request),
                lambda actor: lifecycle.update_flow(actor, obj, changes, reason=reason),
                reason=reason,
            )
        obj.asked = done if isinstance(done, ApprovalRequest) else None  # type: ignore[attr-defined]

    def log_change(self, request: HttpRequest, obj: Flow, message: Any) -> Any:
        """Note who changed the flow; nothing where they only asked."""
        if obj.asked is None:  # type: ignore[attr-defined]
            return super().log_change(request, obj, message)
        return None

    def response_change(self, request: HttpRequest, obj: Flow) -> HttpResponse:
        """Say what was done, or asked for."""
        asked: ApprovalRequest | None = obj.asked  # type: ignore[attr-defined]
        if asked is None:
            return super().response_change(request, obj)
        messages.success(request, asked_for(asked))
        return HttpResponseRedirect(_page(obj.pk))

    # -- what the page shows -----------------------------------------------------------------

    @admin.display(description="Public names")
    def identity_list(self, flow: Flow) -> SafeString:
        """Return the names of the contract, such as the user id."""
        titles = {item.name: item.title for item in flow.contract.identity}
        rows = [(titles.get(name, name), value) for name, value in flow.identity.items()]
        return format_html_join("", "<div>{}: <code>{}</code></div>", rows) or SafeString("-")

    @admin.display(description="URL")
    def url(self, flow: Flow) -> str:
        """Return where the partner's main operation is, with a button that copies it."""
        try:
            url = lifecycle.url_of(flow)
        except OptionsError as error:
            return error.what
        return format_html(
            '<code id="flow-url" class="sg-code">{}</code> '
            '<button type="button" class="text-link underline cursor-pointer" '
            'data-copy="flow-url">Copy</button>',
            url,
        )

    @admin.display(description="How to call")
    def documentation(self, flow: Flow) -> SafeString:
        """Return a link to what the partner reads; it opens without a log-in."""
        return format_html(
            '<a class="text-link underline" href="{}">The page of {} for partners</a>',
            reverse("docs-contract", args=[flow.scheme]),
            flow.contract.label,
        )

    @admin.display(description="Options")
    def option_list(self, flow: Flow) -> SafeString:
        """Return the options as a list, for who may only look."""
        fields = flow.contract.options_type.model_fields
        default = flow.contract.options_type().model_dump(mode="json")
        shown = default | flow.options
        rows = [(info.title or name, str(shown[name])) for name, info in fields.items()]
        return format_html_join("", "<div>{}: <code>{}</code></div>", rows)


def _latest(flow: Flow, request: HttpRequest) -> dict[str, Any]:
    """Return the last requests and callbacks, each None for who may not see them.

    ``endpoints`` are those the callbacks went to.
    """
    may_see = request.user.has_perm
    deliveries = None
    if may_see("callbacks.view_delivery"):
        rows = flow.deliveries.select_related("endpoint").defer("body")
        deliveries = list(rows.order_by("-created_at")[:_LATEST])
    endpoints = {row.endpoint_id: row.endpoint for row in deliveries or ()}
    return {
        "exchanges": (
            list(flow.exchanges.order_by("-at")[:_LATEST])
            if may_see("flows_endpoint.view_exchangerow")
            else None
        ),
        "deliveries": deliveries,
        "endpoints": list(endpoints.values()) if may_see("callbacks.view_endpoint") else [],
    }
