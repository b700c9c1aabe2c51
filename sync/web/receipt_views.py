"""The page of a receipt."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from partners.gate import database_now
from races.access import visible_races
from races.models import Event
from sync.services.policies import policy_now
from sync.web.event_page import events_with_race
from sync.web.receipt_page import receipt_page


@never_cache
@require_GET
def event_receipt(request: HttpRequest, race_pk: int, event_pk: int) -> HttpResponse:
    events = Event.objects.filter(race_id=race_pk, race__in=visible_races(request.user))
    event = get_object_or_404(events_with_race(events), pk=event_pk)
    shown = receipt_page(event=event, now=database_now(), policy=policy_now())
    return render(request, "races/receipt.html", {"shown": shown, "section": "races"})
