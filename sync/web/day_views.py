"""The polled picture of an event's last day."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_GET

from partners.gate import database_now
from races.access import visible_races
from races.models import Event
from sync.web.event_day import event_day
from sync.web.live import part, polled
from sync.web.stamps import stamped


@require_GET
@polled
@stamped
def event_day_live(request: HttpRequest, race_pk: int, event_pk: int) -> HttpResponse:
    events = Event.objects.filter(race_id=race_pk, race__in=visible_races(request.user)).select_related("race")
    event = get_object_or_404(events.defer("raw", "race__raw"), pk=event_pk)
    context = {
        "day": event_day(event=event, now=database_now()),
        "back_text": event.name,
        "back_url": reverse("event_page", args=[race_pk, event_pk]),
        "section": "races",
    }
    return part(request, "races/_event_day.html", context)
