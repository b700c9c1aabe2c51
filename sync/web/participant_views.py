"""The page of a participant. Rights are those of its race."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from partners.gate import database_now
from races.access import visible_races
from races.models import Participant
from sync.web import participant_page as selector


@never_cache
@require_GET
def participant_page(request: HttpRequest, race_pk: int, participant_pk: int) -> HttpResponse:
    people = Participant.objects.filter(event__race=race_pk, event__race__in=visible_races(request.user))
    person = get_object_or_404(selector.people_with_event(people), pk=participant_pk)
    shown = selector.participant_page(person=person, page_number=request.GET.get("page"), now=database_now())
    context = {"shown": shown, "banner": shown.banner, "section": "races"}
    return render(request, "races/participant_page.html", context)
