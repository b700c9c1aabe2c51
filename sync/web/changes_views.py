"""The page of an event's history of changes. Rights are those of its race."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from partners.gate import database_now
from races.access import visible_races
from races.models import Event
from sync.web import event_changes as selector
from sync.web.event_page import events_with_race


@never_cache
@require_GET
def event_changes(request: HttpRequest, race_pk: int, event_pk: int) -> HttpResponse:
    events = Event.objects.filter(race_id=race_pk, race__in=visible_races(request.user))
    event = get_object_or_404(events_with_race(events), pk=event_pk)
    shown = selector.event_changes(event=event, page_number=request.GET.get("page"), now=database_now())
    return render(request, "races/event_changes.html", {"shown": shown, "banner": shown.banner, "section": "races"})
