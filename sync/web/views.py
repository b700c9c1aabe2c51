"""The pages. A view reads the clock once, asks one selector and shows its answer."""

from __future__ import annotations

from datetime import datetime

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.templatetags.static import static
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from partners.audit import actor_of
from partners.gate import database_now
from races.access import may_sync, visible_races
from races.models import Event, Race
from sync.core.tiers import zone_of
from sync.services import sync_now as service
from sync.services.event_schedule import RACE_OFF
from sync.services.policies import policy_now
from sync.web import event_page as event_selector
from sync.web import event_why as why_selector
from sync.web import race_checks as checks_selector
from sync.web import race_list as list_selector
from sync.web import race_status
from sync.web.asked import is_asked
from sync.web.event_runs import run_filter
from sync.web.exports import export_section
from sync.web.live import fragment, part, polled
from sync.web.runs import last_runs
from sync.web.stamps import not_modified, stamped
from sync.web.times import moment


def _race(request: HttpRequest, pk: int) -> Race:
    return get_object_or_404(race_status.with_switches(visible_races(request.user)), pk=pk)


def _event(request: HttpRequest, race_pk: int, pk: int) -> Event:
    events = Event.objects.filter(race_id=race_pk, race__in=visible_races(request.user))
    return get_object_or_404(event_selector.events_with_race(events), pk=pk)


@never_cache
@require_GET
def race_list(request: HttpRequest) -> HttpResponse:
    now = database_now()
    return render(
        request, "races/race_list.html", _race_list_context(_listed_races(request, now=now, is_polled=False), now=now)
    )


@require_GET
@polled
def race_list_live(request: HttpRequest) -> HttpResponse:
    now = database_now()
    page = _listed_races(request, now=now, is_polled=True)
    if unchanged := not_modified(request, page.stamp(now=now), reader=request.user.pk):
        return unchanged
    return fragment(request, "races/_race_list_live.html", _race_list_context(page, now=now))


def _listed_races(request: HttpRequest, *, now: datetime, is_polled: bool) -> list_selector.ListedRaces:
    search, page_number = request.GET.get("q", ""), request.GET.get("page")
    return list_selector.listed_races(
        races=visible_races(request.user), search=search, page_number=page_number, now=now, is_polled=is_polled
    )


def _race_list_context(page: list_selector.ListedRaces, *, now: datetime) -> dict[str, object]:
    listed = list_selector.race_list(page, now=now)
    return {"listed": listed, "banner": listed.banner, "section": "races"}


@never_cache
@require_GET
def race_page(request: HttpRequest, race_pk: int) -> HttpResponse:
    race, now, policy = _race(request, race_pk), database_now(), policy_now()
    events = race_status.events_now(race, now=now)
    status = race_status.race_page(race=race, events=events, now=now, policy=policy)
    context = {
        **_race_context(status),
        "loaded": moment(now, zone=zone_of(race.timezone), now=now),
        "exports": export_section(race=race, event=None, statuses=status.events, now=now),
        "may_sync": may_sync(request.user, race),
        "checks": checks_selector.checks_place(events, status.events, now=now, policy=policy),
    }
    return render(request, "races/race_page.html", context)


@require_GET
@polled
@stamped
def race_checks(request: HttpRequest, race_pk: int) -> HttpResponse:
    race = _race(request, race_pk)
    readiness = checks_selector.race_checks(race=race, now=database_now(), policy=policy_now())
    nothing = "" if readiness else "Nothing has to be ready yet."
    context = {"readiness": readiness, "nothing": nothing, **_part_of(race)}
    return part(request, "races/_race_checks.html", context)


@require_GET
@polled
@stamped
def race_doubts(request: HttpRequest, race_pk: int) -> HttpResponse:
    race = _race(request, race_pk)
    found = checks_selector.race_doubts(race=race, now=database_now(), policy=policy_now())
    context = {"found": found, "nothing": "" if found.events else "No doubts.", **_part_of(race)}
    return part(request, "races/_race_doubts.html", context)


@require_GET
@polled
@stamped
def race_live(request: HttpRequest, race_pk: int) -> HttpResponse:
    race, now = _race(request, race_pk), database_now()
    events = race_status.events_now(race, now=now)
    status = race_status.race_page(race=race, events=events, now=now, policy=policy_now())
    return fragment(request, "races/_race_live.html", _race_context(status))


def _part_of(whole: Race | Event) -> dict[str, object]:
    """What `part` needs of the page that a part belongs to."""
    if isinstance(whole, Event):
        url = reverse("event_page", args=[whole.race_id, whole.pk])
    else:
        url = reverse("race_page", args=[whole.pk])
    return {"back_text": whole.name, "back_url": url, "section": "races"}


def _race_context(status: race_status.RacePage) -> dict[str, object]:
    return {"status": status, "banner": status.banner, "section": "races"}


@never_cache
@require_GET
def event_page(request: HttpRequest, race_pk: int, event_pk: int) -> HttpResponse:
    event, now = _event(request, race_pk, event_pk), database_now()
    shown = event_selector.event_page(
        event=event,
        search=request.GET.get("q", ""),
        people_number=request.GET.get("page"),
        runs_number=request.GET.get("runs"),
        run=request.GET.get("run"),
        run_filter=run_filter(outcome=request.GET.get("outcome", ""), trigger=request.GET.get("trigger", "")),
        now=now,
        policy=policy_now(),
    )
    context = {
        "shown": shown,
        "list": shown.start_list,
        "head": shown.head,
        "may_sync": may_sync(request.user, event.race),
        "exports": export_section(race=event.race, event=event, statuses=[shown.head.event], now=now),
        "banner": shown.head.banner,
        "loaded": moment(now, zone=zone_of(event.race.timezone), now=now),
        "section": "races",
    }
    return render(request, "races/event_page.html", context)


@require_GET
@polled
@stamped
def event_live(request: HttpRequest, race_pk: int, event_pk: int) -> HttpResponse:
    event = _event(request, race_pk, event_pk)
    head = event_selector.event_head(event=event, now=database_now(), policy=policy_now())
    return fragment(request, "races/_event_live.html", {"head": head, "banner": head.banner})


@require_GET
@polled
@stamped
def event_runs(request: HttpRequest, race_pk: int, event_pk: int) -> HttpResponse:
    """The runs of its strip, once somebody opens them."""
    event, now = _event(request, race_pk, event_pk), database_now()
    context = {"event": event, "runs": last_runs(event, now=now), **_part_of(event)}
    return part(request, "races/_event_runs.html", context)


@require_GET
@polled
def event_why(request: HttpRequest, race_pk: int, event_pk: int) -> HttpResponse:
    event = _event(request, race_pk, event_pk)
    why = why_selector.event_why(event=event, now=database_now(), policy=policy_now())
    return part(request, "races/_event_why.html", {"why": why, **_part_of(event)})


@require_GET
@polled
@stamped
def event_doubts(request: HttpRequest, race_pk: int, event_pk: int) -> HttpResponse:
    event = _event(request, race_pk, event_pk)
    found = event_selector.event_doubts(event=event, now=database_now(), policy=policy_now())
    context = {"found": found, "nothing": "" if found.doubts else "No doubts.", **_part_of(event)}
    return part(request, "races/_event_doubts.html", context)


@require_POST
def sync_now(request: HttpRequest, race_pk: int, event_pk: int | None = None) -> HttpResponse:
    """Ask for a sync, of the whole race or of one event; back to the page that asked. Its live part says that it is
    being synced and what came back; a message says only what that part cannot know."""
    race = _race(request, race_pk)
    if not may_sync(request.user, race):
        raise PermissionDenied
    events = None if event_pk is None else [_event(request, race_pk, event_pk).pk]
    try:
        answer = service.request(race=race, by=actor_of(request), now=database_now(), event_ids=events)
    except service.NothingToSync as reason:
        messages.warning(request, race_status.why_no_sync(race) if str(reason) == RACE_OFF else str(reason))
    else:
        if not is_asked(race_pk=race_pk, event_ids=events):
            messages.success(request, answer)
    return redirect("race_page", race_pk) if event_pk is None else redirect("event_page", race_pk, event_pk)


@login_not_required
@require_GET
def favicon(_request: HttpRequest) -> HttpResponse:
    """Browsers ask for this path on pages that name no icon, such as the admin's."""
    return redirect(static("favicon.svg"))
