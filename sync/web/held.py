"""Removals about which staff have to decide: those of one event, and all of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from django.db.models import OuterRef, QuerySet, Subquery

from races.models import Event, HeldRemoval
from sync.web.times import Moment, moment

# More than these at once is one cause, not so many: RunSignUp answers with too little.
MOST_HELD = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldRow:
    """Too many people of an event are missing at once. `missing`: "90 of 100"."""

    pk: int
    event_pk: int
    race_pk: int
    event: str
    race: str
    missing: str
    since: Moment | None


def with_open_held(events: QuerySet[Event]) -> QuerySet[Event]:
    """Each with `open_held`: the pk of what waits for a decision."""
    waiting = HeldRemoval.objects.filter(event=OuterRef("pk"), decided_at=None)
    return events.annotate(open_held=Subquery(waiting.values("pk")[:1]))


def held_rows(*, now: datetime) -> tuple[HeldRow, ...]:
    """The oldest first, at most MOST_HELD."""
    waiting = HeldRemoval.objects.filter(decided_at=None).select_related("event__race").order_by("found_at", "pk")
    return tuple(
        HeldRow(
            pk=held.pk,
            event_pk=held.event_id,
            race_pk=held.event.race_id,
            event=held.event.name,
            race=held.event.race.name,
            missing=f"{len(held.registration_ids):,} of {held.listed_before:,}",
            since=moment(held.found_at, zone=UTC, now=now),
        )
        for held in waiting.defer("event__raw", "event__race__raw")[:MOST_HELD]
    )
