"""The staff page of a weekend."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from partners.gate import database_now
from partners.rights import staff_only
from sync.web.weekend import weekend as weekend_selector


@never_cache
@require_GET
def weekend(request: HttpRequest) -> HttpResponse:
    staff_only(request.user)
    shown = weekend_selector(asked=request.GET.get("from", ""), page_number=request.GET.get("page"), now=database_now())
    context = {"weekend": shown, "banner": shown.banner, "section": "operations"}
    return render(request, "operations/weekend.html", context)
