"""The events of a race that matter now: its coming edition, or its last one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import F, Max, OuterRef, Q, QuerySet, Subquery

from races.models import Event

# A race of this morning is still of interest in the evening; and an edition may span a weekend.
STILL_COMING = timedelta(days=1)
ONE_EDITION = timedelta(days=2)


def current_events(race_ids: Sequence[int], *, now: datetime) -> QuerySet[Event]:
    """The edition that matters: all events from yesterday on, else the last edition; and those without a start."""
    latest = Event.objects.filter(race=OuterRef("race")).order_by().values("race").annotate(at=Max("starts_at"))
    return (
        Event.objects.filter(race_id__in=race_ids)
        .annotate(latest=Subquery(latest.values("at")))
        .filter(Q(starts_at=None) | Q(starts_at__gte=now - STILL_COMING) | Q(starts_at__gte=F("latest") - ONE_EDITION))
        .order_by(F("starts_at").asc(nulls_last=True), "name", "pk")
    )
