"""The search that the head of every page leads to."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from partners.gate import database_now
from partners.rights import is_staff
from races.access import visible_races
from sync.web.search import search_all


@never_cache
@require_GET
def search(request: HttpRequest) -> HttpResponse:
    found = search_all(
        request.GET.get("q", ""),
        races=visible_races(request.user),
        with_partners=is_staff(request.user),
        now=database_now(),
    )
    return render(request, "search.html", {"found": found})
