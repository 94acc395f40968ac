"""What the admin pages share: no deletion, lifecycle errors as answers, counts that are cheap."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from crypto_schemes.errors import SchemeError
from tenants.actors import NotAllowedError
from tenants.lifecycle import LifecycleError, UseNotConfirmedError

if TYPE_CHECKING:
    AnyModelAdmin = admin.ModelAdmin[Any]
    AnyPaginator = Paginator[Any]
else:
    from unfold.admin import ModelAdmin as AnyModelAdmin

    AnyPaginator = Paginator


class RefusedError(Exception):
    """A verb was refused; ``messages`` say why, in words for the page."""

    def __init__(self, messages: list[str]) -> None:
        super().__init__("; ".join(messages))
        self.messages = messages


@contextmanager
def answering() -> Iterator[None]:
    """Turn what a verb raises into PermissionDenied (403) or :class:`RefusedError`.

    UseNotConfirmedError passes: its answer is a page that asks.
    """
    try:
        yield
    except UseNotConfirmedError:
        raise
    except NotAllowedError as error:
        raise PermissionDenied(str(error)) from None
    except LifecycleError as error:
        raise RefusedError([str(error)]) from None
    except SchemeError as error:
        raise RefusedError([f"{error.what} {error.fix}".rstrip()]) from None
    except ValidationError as error:
        raise RefusedError(list(error.messages)) from None


def sent_back(request: HttpRequest, refused: RefusedError, url: str) -> HttpResponse:
    """Return the way to ``url``, where the page says what ``refused`` does."""
    for text in refused.messages:
        messages.error(request, text)
    return HttpResponseRedirect(url)


def no_store(response: HttpResponse) -> HttpResponse:
    """Forbid every cache, the browser's too, to keep ``response``."""
    response["Cache-Control"] = "no-store"
    # Not no-referrer: with it browsers send "Origin: null", and every form of the page is refused.
    response["Referrer-Policy"] = "same-origin"
    return response


class BoundedPaginator(AnyPaginator):
    """Counts no further than :attr:`most`: a COUNT(*) over millions of rows takes seconds."""

    most = 10_000

    @cached_property
    def count(self) -> int:
        """Return the number of rows, or ``most`` where there are more."""
        rows: QuerySet[Model] = self.object_list  # type: ignore[assignment]
        return rows.order_by()[: self.most].count()


class ListedFilter(admin.SimpleListFilter):
    """Offers values that are known beforehand: asking a long table for them takes seconds."""

    #: Name of the column, which is the name in the URL too.
    parameter_name: str
    values: tuple[str, ...]

    def lookups(self, request: HttpRequest, model_admin: AnyModelAdmin) -> list[tuple[str, str]]:
        """Return the values to choose from."""
        return [(value, value) for value in self.values]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows with the chosen value.

        Raises IncorrectLookupParameters for one that is not offered: PostgreSQL takes
        no NUL, for instance.
        """
        chosen = self.value()
        if not chosen:
            return queryset
        if chosen not in self.values:
            raise IncorrectLookupParameters
        return queryset.filter(**{self.parameter_name: chosen})


class UndeletableAdmin(AnyModelAdmin):
    """Rows stay: what was, stands in the audit trail and the exchange log."""

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Return False, whatever the user may elsewhere."""
        return False


class ReadOnlyAdmin(UndeletableAdmin):
    """Rows to look at. Lists are bounded, so they open as fast with many rows as with few."""

    paginator = BoundedPaginator
    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Return False."""
        return False
