"""People and roles in the admin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as StockGroupAdmin
from django.contrib.auth.admin import UserAdmin as StockUserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from tenants.admin.base import AnyModelAdmin

if TYPE_CHECKING:
    UserAdminBase = StockUserAdmin[User]
else:

    class UserAdminBase(StockUserAdmin, AnyModelAdmin):
        """Django's page of a user, under the theme."""


admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class PersonAdmin(UserAdminBase):
    """Who may sign in. Only a superuser may give out rights a role does not."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "is_active", "is_staff", "is_superuser", "last_login")

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

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Return False: a person who left is made inactive; the audit trail names them."""
        return False


@admin.register(Group)
class RoleAdmin(StockGroupAdmin, AnyModelAdmin):
    """Roles. Those made by the product are described in docs/administration.md."""

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        """Return False: people would lose their rights without a word."""
        return False
