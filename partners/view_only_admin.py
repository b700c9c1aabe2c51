"""What the admins of the mirror and of the machine share: look, search fast, change nothing."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, cast

from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse

from partners.models import TimingPartner

# An exact count of millions of rows would cost more than the page.
COUNTED = 10_000
# A sidebar with more links helps nobody; the search takes a partner's slug in the address too.
MOST_CHOICES = 100


class CappedPaginator(Paginator):
    """Counts to 10,000 and no further; the rest is found by filter and search."""

    @cached_property
    def count(self) -> int:
        rows = cast("QuerySet[Any]", self.object_list)
        return rows.order_by()[:COUNTED].count()


class PartnerFilter(admin.SimpleListFilter):
    """By timing partner. Django's own filter would load every column of every partner."""

    title = "timing partner"
    parameter_name = "partner"
    path = "partner"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        partners = TimingPartner.objects.order_by("name").values_list("slug", "name")
        return list(partners[:MOST_CHOICES])

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(**{f"{self.path}__slug": self.value()}) if self.value() else queryset


class ViewOnlyAdmin(admin.ModelAdmin):
    """Records that the machine writes and people only read.

    `id_search`: fields that are compared when the search term is a number (`search_fields` by text would scan).
    `only_within`: lookups of which the list needs one, for tables that are too large to be listed as a whole.
    """

    show_full_result_count = False
    paginator = CappedPaginator
    list_per_page = 50
    actions: Sequence[str] | None = None
    id_search: tuple[str, ...] = ()
    only_within: tuple[str, ...] = ()
    within_hint = ""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        # 18 digits fit the database's integers; a longer number is no id of anybody.
        if not (self.id_search and term.isascii() and term.isdigit() and len(term) <= 18):
            return super().get_search_results(request, queryset, search_term)
        matches = Q()
        for field in self.id_search:
            matches |= Q(**{field: int(term)})
        return queryset.filter(matches), False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if self._too_wide(request):
            messages.info(request, self.within_hint)
        return super().changelist_view(request, extra_context)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        queryset = super().get_queryset(request)
        return queryset.none() if self.is_list(request) and self._too_wide(request) else queryset

    def is_list(self, request: HttpRequest) -> bool:
        match = request.resolver_match
        return match is not None and (match.url_name or "").endswith("_changelist")

    def _too_wide(self, request: HttpRequest) -> bool:
        return bool(self.only_within) and not any(request.GET.get(lookup) for lookup in self.only_within)
