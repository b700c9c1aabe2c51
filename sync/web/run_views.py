"""Pages of what ran, for staff: the history of runs, the same as CSV, and the cycles."""

from __future__ import annotations

from datetime import UTC

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from partners.gate import database_now
from partners.rights import staff_only
from sync.web import cycles as cycle_selector
from sync.web.run_filters import filters_read
from sync.web.run_page import run_csv, run_history

BAD_REQUEST = 400


@never_cache
@require_GET
def runs(request: HttpRequest) -> HttpResponse:
    staff_only(request.user)
    return _runs_page(request)


def _runs_page(request: HttpRequest) -> HttpResponse:
    shown = run_history(filters_read(request.GET), now=database_now())
    context = {"shown": shown, "banner": shown.banner, "section": "operations"}
    return render(request, "operations/runs.html", context, status=BAD_REQUEST if shown.problems else None)


@never_cache
@require_GET
def runs_csv(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """The runs of these filters; where they are wrong, the page that says so."""
    staff_only(request.user)
    filters = filters_read(request.GET)
    if filters.problems:
        return _runs_page(request)
    name = f"runs-{database_now().astimezone(UTC):%Y-%m-%d-%H%M}-utc.csv"
    return StreamingHttpResponse(
        run_csv(filters.wanted, before=filters.before),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@never_cache
@require_GET
def cycles(request: HttpRequest) -> HttpResponse:
    staff_only(request.user)
    shown = cycle_selector.cycle_history(query=request.GET, now=database_now())
    context = {"shown": shown, "banner": shown.banner, "section": "operations"}
    return render(request, "operations/cycles.html", context, status=BAD_REQUEST if shown.problems else None)
