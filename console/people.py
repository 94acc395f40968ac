"""People and roles in the admin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as StockGroupAdmin
from django.contrib.auth.admin import UserAdmin as StockUserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest, HttpResponse
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from console import access
from tenants.actors import Actor
from tenants.admin.base import AnyModelAdmin
from tenants.admin.fresh import ask_again, is_fresh

if TYPE_CHECKING:
    UserAdminBase = StockUserAdmin[User]
else:

    class UserAdminBase(StockUserAdmin, AnyModelAdmin):
        """Django's page of a user, under the theme."""


admin.site.unregister(User)
admin.site.unregister(Group)


class FreshFormsAdmin(AnyModelAdmin):
    """Forms that only somebody who has just shown who they are may send.

    Whoever finds a session open could else make an account, sign in with it, and be fresh.
    """

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Serve the form; for a new row it asks before anything is typed."""
        if (request.method == "POST" or object_id is None) and not is_fresh(request):
            return ask_again(request.get_full_path())
        return super().changeform_view(request, object_id, form_url, extra_context)


@admin.register(User)
class PersonAdmin(FreshFormsAdmin, UserAdminBase):
    """Who may sign in. Only a superuser may give out rights a role does not."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "is_active", "is_staff", "is_superuser", "last_login")

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Say of the roles what they are for, in the words of everywhere else."""
        if db_field.name == "groups":
            kwargs["help_text"] = "What the person may do: all that their roles allow."
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Fix what would let somebody give themselves more than they have."""
        if request.user.is_superuser:
            return super().get_readonly_fields(request, obj)
        return ("is_superuser", "user_permissions")

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Return whether the user may be changed; superusers by superusers alone.

        Whoever can set a superuser's password is one.
        """
        if obj is not None and obj.is_superuser and not request.user.is_superuser:
            return False
        return super().has_change_permission(request, obj)

    # Django calls these two in one transaction, the second once the roles are written too.

    def save_model(
        self,
        request: HttpRequest,
        obj: User,
        form: forms.ModelForm[User],
        change: bool,  # noqa: FBT001 - Django's signature
    ) -> None:
        """Write the person; remember how they were."""
        if change:
            stored = User.objects.select_for_update().get(pk=obj.pk)
            form.was = access.facts_of_person(stored)  # type: ignore[attr-defined]
        super().save_model(request, obj, form, change)

    def save_related(
        self,
        request: HttpRequest,
        form: forms.ModelForm[User],
        formsets: Any,
        change: bool,  # noqa: FBT001 - Django's signature
    ) -> None:
        """Write the person's roles, and what changed to the audit trail."""
        super().save_related(request, form, formsets, change)
        stored = User.objects.get(pk=form.instance.pk)
        access.note_person(Actor.from_request(request), stored, getattr(form, "was", None))

    def user_change_password(
        self,
        request: HttpRequest,
        id: str,  # noqa: A002 - Django's signature
        form_url: str = "",
    ) -> HttpResponse:
        """Serve the form for somebody's password; a change is written to the audit trail."""
        if not is_fresh(request):
            return ask_again(request.get_full_path())
        with access.noting_password(request, id):
            return super().user_change_password(request, id, form_url)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Return False: a person who left is made inactive; the audit trail names them."""
        return False


@admin.register(Group)
class RoleAdmin(FreshFormsAdmin, StockGroupAdmin):
    """Roles. Those made by the product are described in docs/administration.md."""

    def save_model(
        self,
        request: HttpRequest,
        obj: Group,
        form: forms.ModelForm[Group],
        change: bool,  # noqa: FBT001 - Django's signature
    ) -> None:
        """Write the role; remember what it gave."""
        if change:
            stored = Group.objects.select_for_update().get(pk=obj.pk)
            form.was = access.facts_of_role(stored)  # type: ignore[attr-defined]
        super().save_model(request, obj, form, change)

    def save_related(
        self,
        request: HttpRequest,
        form: forms.ModelForm[Group],
        formsets: Any,
        change: bool,  # noqa: FBT001 - Django's signature
    ) -> None:
        """Write what the role gives, and what changed to the audit trail."""
        super().save_related(request, form, formsets, change)
        access.note_role(Actor.from_request(request), form.instance, getattr(form, "was", None))

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        """Return False: people would lose their rights without a word."""
        return False
