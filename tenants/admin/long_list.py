"""Lists that grow without end: read along an index from where the last page ended.

A page number costs the database every row before it; a place in the list costs nothing. So these
lists have no page numbers: each page knows its first and last row, and the links lead to what is
older and newer than those. They stand in the order of time and in no other, for any other would
sort everything. Nothing is counted beyond a bound.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, reduce
from itertools import product
from typing import TYPE_CHECKING, Any, Final

from django.contrib.admin.options import IncorrectLookupParameters, ShowFacets
from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from tenants.admin.base import ReadOnlyAdmin
from tenants.indexes import newest_first, oldest_first

if TYPE_CHECKING:
    from django.contrib.admin.views.main import ChangeList
else:
    from unfold.views import ChangeList

#: Names in the address: rows before or after a place (``TIME`` or ``TIME~KEY``). An empty *after*
#: is the far end.
BEFORE: Final = "before"
AFTER: Final = "after"
#: Counted no further than this.
MOST: Final = 500


@dataclass(frozen=True, slots=True)
class Pages:
    """What the foot of a list shows: how many rows, and where the other pages are."""

    count: int
    newest_url: str
    newer_url: str
    older_url: str
    oldest_url: str
    #: What the jump to a time must keep.
    hidden: Sequence[tuple[str, str]]
    # The theme and Django ask a paginator for these.
    template_name: str = "admin/tenants/keyset_pages.html"
    num_pages: int = 1

    @property
    def is_more(self) -> bool:
        """Return whether there are more rows than were counted."""
        return self.count > MOST


@dataclass(frozen=True, slots=True)
class _Place:
    """A place in the list; without ``key``, just before the first row of that time."""

    at: datetime
    key: Any = None

    def __str__(self) -> str:
        return f"{self.at.astimezone(UTC).isoformat()}~{self.key}"


class KeysetChangeList(ChangeList):
    """Serves the page that ``before`` or ``after`` in the address names."""

    model_admin: LongListAdmin

    def get_queryset(
        self, request: HttpRequest, exclude_parameters: Any = None
    ) -> QuerySet[Model, Model]:
        """Return the rows of all pages; the place on them is no filter."""
        for name in (BEFORE, AFTER):
            self.params.pop(name, None)
            self.filter_params.pop(name, None)
        return super().get_queryset(request, exclude_parameters)

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Model, Model]) -> list[Any]:
        """Return the only order there is, whatever the address asks for."""
        return [newest_first(self.model_admin.time_field, is_narrowed=self._is_narrowed), "-pk"]

    def get_results(self, request: HttpRequest) -> None:
        """Read one row more than a page, to know whether there is another."""
        is_backward = AFTER in request.GET
        text = request.GET.get(AFTER if is_backward else BEFORE, "")
        place = self._place(text) if text else None
        size = self.list_per_page
        rows = self._read(place, size + 1, is_backward=is_backward)
        is_more, rows = len(rows) > size, rows[:size]
        if is_backward:
            rows.reverse()
        is_whole = place is None and not is_more
        count = len(rows) if is_whole else self._count()
        # From a place one came from the other side, so there is something there.
        is_older = place is not None if is_backward else is_more
        is_newer = is_more if is_backward else place is not None
        self.paginator = Pages(
            count=count,
            newest_url=self.get_query_string() if is_newer else "",
            newer_url=self._url(AFTER, rows[:1]) if is_newer else "",
            older_url=self._url(BEFORE, rows[-1:]) if is_older else "",
            oldest_url=self.get_query_string({AFTER: ""}) if is_older else "",
            hidden=[(name, value) for name, all_ in self.filter_params.items() for value in all_],
        )
        self.result_list = rows
        # The heading says how many there are when the two differ; the foot of the list says it.
        self.result_count = self.full_result_count = min(count, MOST)
        self.show_full_result_count = self.show_admin_actions = False
        self.can_show_all = self.multi_page = False

    def _read(self, place: _Place | None, most: int, *, is_backward: bool) -> list[Any]:
        """Return the rows next to ``place``, nearest first."""
        time, found = self.model_admin.time_field, list[Any]()
        backward = (oldest_first(time, is_narrowed=self._is_narrowed), "pk")
        beyond = _beyond(time, place, "gt" if is_backward else "lt") if place else Q()
        for branch in self._branches:
            rows = branch.filter(beyond)
            found += (rows.order_by(*backward) if is_backward else rows)[:most]
        found.sort(key=lambda row: (getattr(row, time), row.pk), reverse=not is_backward)
        return found[:most]

    def _count(self) -> int:
        # In order, so that the database walks the index that the rows are read from.
        counts = (rows[: MOST + 1].count() for rows in self._branches)
        return min(sum(counts), MOST + 1)

    @property
    def _given(self) -> dict[str, str]:
        return {name: str(values[-1]) for name, values in self.filter_params.items()}

    @property
    def _is_narrowed(self) -> bool:
        return self.model_admin.is_narrowed(self._given)

    @cached_property
    def _branches(self) -> list[QuerySet[Any]]:
        """Return the rows in parts, of which each is read from one index."""
        given, term = self._given, self.query.strip()
        meanings = self._meanings(term, given) if term else [Q()]
        parts = self.model_admin.branches(given)
        return [self.queryset.filter(meaning & part) for meaning, part in product(meanings, parts)]

    def _meanings(self, term: str, given: Mapping[str, str]) -> list[Q]:
        """Return which of what ``term`` may mean there is, each without those before it.

        Each is tried by itself: no index serves an OR of columns, and a term is seldom two things.
        """
        every = self.model._default_manager.order_by()
        hits = [way for way in self.model_admin.meanings(term, given) if every.filter(way).exists()]
        return [
            reduce(lambda way, before: way & ~before, hits[:n], hit) for n, hit in enumerate(hits)
        ]

    def _url(self, name: str, edge: Sequence[Any]) -> str:
        """Return the address of the page beyond the row in ``edge``."""
        if not edge:
            return ""
        (row,) = edge
        return self.get_query_string(
            {name: _Place(getattr(row, self.model_admin.time_field), row.pk)}
        )

    def _place(self, text: str) -> _Place:
        """Return the place that ``text`` names. Raises IncorrectLookupParameters."""
        at, _, key = text.partition("~")
        try:
            moment = datetime.fromisoformat(at)
            if timezone.is_naive(moment):
                moment = moment.replace(tzinfo=UTC)
            moment = moment.astimezone(UTC)
            return _Place(moment, self.lookup_opts.pk.to_python(key) if key else None)
        except (ValueError, OverflowError, ValidationError) as error:
            raise IncorrectLookupParameters(error) from None


def _beyond(time: str, place: _Place, side: str) -> Q:
    if place.key is None:
        return Q(**{f"{time}__{side}": place.at})
    # The first condition is what an index finds; the second is for rows of the very same time.
    return Q(**{f"{time}__{side}e": place.at}) & (
        Q(**{f"{time}__{side}": place.at}) | Q(**{f"pk__{side}": place.key})
    )


class LongListAdmin(ReadOnlyAdmin):
    """Rows to look at, newest first, as fast with a million as with fifty."""

    #: The column that orders the list.
    time_field = "at"
    #: Names in the address of what narrows the list to few rows, for which there are indexes of
    #: their own (:class:`tenants.indexes.NewestFirst`).
    narrowing: frozenset[str] = frozenset({"q", "flow__id__exact"})
    sortable_by = ()
    show_facets = ShowFacets.NEVER

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[KeysetChangeList]:
        """Return the list that is read by places."""
        return KeysetChangeList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Return all rows: what is searched for is read in parts (:meth:`meanings`)."""
        return queryset, False

    def is_narrowed(self, given: Mapping[str, str]) -> bool:
        """Return whether what the address says (``given``) has such an index."""
        return not self.narrowing.isdisjoint(given)

    def meanings(self, term: str, given: Mapping[str, str]) -> Sequence[Q]:
        """Return what a search for ``term`` may look for, as conditions that have an index."""
        raise NotImplementedError

    def branches(self, given: Mapping[str, str]) -> Sequence[Q]:
        """Return conditions of which every row meets exactly one, for the filters ``given``.

        Each is read by itself, and what is found is merged: so one index over two columns
        serves who asks for the first alone.
        """
        return [Q()]
