"""The staff page of a timing partner and the parts of it that are looked at again."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from partners.gate import database_now
from partners.models import TimingPartner
from partners.rights import staff_only
from sync.core.tiers import zone_of
from sync.services.policies import policy_now
from sync.web import partner_page as selector
from sync.web.live import fragment, part, polled
from sync.web.race_list import race_list
from sync.web.stamps import not_modified


def _partner(request: HttpRequest, slug: str) -> TimingPartner:
    staff_only(request.user)
    return get_object_or_404(selector.partners_with_people(), slug=slug)


@never_cache
@require_GET
def partner_page(request: HttpRequest, slug: str) -> HttpResponse:
    partner, now = _partner(request, slug), database_now()
    shown = selector.partner_page(partner=partner, now=now, policy=policy_now())
    context = {
        **_context(partner),
        "shown": shown.now,
        "ahead": shown.ahead,
        "missing": shown.missing,
        "audit": shown.audit,
        "banner": shown.now.banner,
        "timezone": zone_of(partner.timezone).key,
    }
    return render(request, "partners/partner_page.html", context)


@require_GET
@polled
def partner_live(request: HttpRequest, slug: str) -> HttpResponse:
    partner = _partner(request, slug)
    shown = selector.partner_now(partner=partner, now=database_now(), policy=policy_now())
    context = {**_context(partner), "shown": shown, "banner": shown.banner}
    return fragment(request, "partners/_partner_live.html", context)


@require_GET
@polled
def partner_ahead(request: HttpRequest, slug: str) -> HttpResponse:
    partner = _partner(request, slug)
    ahead = selector.partner_forecast(partner=partner, now=database_now(), policy=policy_now())
    return part(request, "partners/_partner_ahead.html", {**_context(partner), "ahead": ahead})


@require_GET
@polled
def partner_races(request: HttpRequest, slug: str) -> HttpResponse:
    partner = _partner(request, slug)
    now = database_now()
    page = selector.partner_races(partner=partner, page_number=request.GET.get("page"), now=now)
    if unchanged := not_modified(request, page.stamp(now=now), reader=request.user.pk):
        return unchanged
    listed = race_list(page, now=now)
    return part(request, "partners/_partner_races.html", {**_context(partner), "listed": listed})


def _context(partner: TimingPartner) -> dict[str, Any]:
    """With what `part` needs of the page that a part belongs to."""
    url = reverse("partner_page", args=[partner.slug])
    return {"partner": partner, "back_text": partner.name, "back_url": url, "section": "operations"}
