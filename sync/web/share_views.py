"""Sharing a race's status: links made and revoked by who may see the race, and the page for who has one."""

from __future__ import annotations

from datetime import datetime

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.cache import patch_cache_control
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from partners.audit import Action, actor_of, audit_note
from partners.gate import database_now
from races import share_links as service
from races.access import may_share, visible_races
from races.models import Race, ShareLink
from sync.core.tiers import zone_of
from sync.web import share_links as links_selector
from sync.web import share_page as selector
from sync.web.live import fragment
from sync.web.race_status import with_switches
from sync.web.stamps import not_modified, rows_of
from sync.web.times import moment


@never_cache
@require_http_methods(["GET", "POST"])
def share_links(request: HttpRequest, race_pk: int) -> HttpResponse:
    """The links of a race; POST makes one. Its address is in that answer and nowhere else, so no redirect follows."""
    race = get_object_or_404(with_switches(visible_races(request.user)), pk=race_pk)
    now, made, problem = database_now(), "", ""
    is_sharer = may_share(request.user, race)
    if request.method == "POST":
        if not is_sharer:
            raise PermissionDenied
        try:
            expires_at = links_selector.chosen_expiry(request.POST.get("until", ""), race=race, now=now)
        except ValueError:
            problem = "No link was made: choose a last day between today and the latest one."
        else:
            made = request.build_absolute_uri(
                reverse("share_page", args=[_link_made(request, race, expires_at, now=now)])
            )
    shown = links_selector.share_links_page(race=race, now=now)
    context = {"shown": shown, "made": made, "problem": problem, "may_share": is_sharer, "section": "races"}
    response = render(request, "races/share_links.html", context)
    # The address of a new link is on this page: nobody keeps it.
    patch_cache_control(response, no_store=True)
    return response


def _link_made(request: HttpRequest, race: Race, expires_at: datetime, *, now: datetime) -> str:
    """The token of a new link. Its label may name a person, so the audit says which link it is by its number."""
    with transaction.atomic():
        link, token = service.share_link_create(
            race=race,
            label=request.POST.get("label", ""),
            expires_at=expires_at,
            created_by=request.user,  # type: ignore[arg-type]
            now=now,
        )
        detail = {"link": link.pk, "until": f"{link.expires_at:%Y-%m-%d %H:%M} UTC"}
        audit_note(action=Action.LINK_MADE, by=actor_of(request), target=race, detail=detail, now=now)
    return token


@require_POST
def share_link_revoke(request: HttpRequest, race_pk: int, link_pk: int) -> HttpResponse:
    links = ShareLink.objects.filter(race_id=race_pk, race__in=visible_races(request.user)).select_related("race")
    link, now = get_object_or_404(links.defer("race__raw"), pk=link_pk), database_now()
    if not may_share(request.user, link.race):
        raise PermissionDenied
    with transaction.atomic():
        revoked = service.share_link_revoke(link=link, revoked_by=request.user, now=now)  # type: ignore[arg-type]
        if revoked:
            by, detail = actor_of(request), {"link": link.pk}
            audit_note(action=Action.LINK_REVOKED, by=by, target=link.race, detail=detail, now=now)
    if revoked:
        messages.success(request, f"Revoked: {link.label or 'the link'} shows nothing any more.")
    return redirect("share_links", race_pk)


@login_not_required
@require_GET
def share_page(request: HttpRequest, token: str) -> HttpResponse:
    now = database_now()
    link = service.share_link_find(token=token, now=now)
    if link is None:
        return _not_valid()
    service.share_link_used(link, now=now)
    race = _race(link)
    shown = selector.share_page(race=race, link=link, now=now)
    # Without the request: the page is the same whoever is logged in in this browser.
    loaded = moment(now, zone=zone_of(race.timezone), now=now)
    context = {
        "shown": shown,
        "status": shown.status,
        "banner": shown.status.banner,
        "loaded": loaded,
        "token": token,
    }
    return _unshared(HttpResponse(render_to_string("share/share_page.html", context)))


@login_not_required
@require_GET
def share_live(request: HttpRequest, token: str) -> HttpResponse:
    now = database_now()
    link = service.share_link_find(token=token, now=now)
    if link is None:
        response = _not_valid()
        # The open page loads itself again and says so as a whole.
        response["HX-Refresh"] = "true"
        return response
    # Whoever is logged in in this browser sees the same.
    if unchanged := not_modified(request, rows_of(Race.objects.filter(pk=link.race_id)), reader=None):
        return _unshared(unchanged)
    status = selector.share_status(race=_race(link), now=now)
    return _unshared(fragment(request, "share/_share_live.html", {"status": status, "banner": status.banner}))


def _race(link: ShareLink) -> Race:
    return with_switches(Race.objects.all()).get(pk=link.race_id)


def _not_valid() -> HttpResponse:
    """The same for a link that expired, was revoked or never was."""
    response = HttpResponse(render_to_string("share/not_valid.html"), status=404)
    response.is_own_page = True  # type: ignore[attr-defined]
    return _unshared(response)


def _unshared(response: HttpResponse) -> HttpResponse:
    """The address is the key: no cache keeps the page, no search engine lists it, no other site learns where the reader
    came from."""
    patch_cache_control(response, private=True, no_store=True)
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex, nofollow"
    return response
