"""Which races of a partner are synced: all, but for those that somebody unticks."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import transaction
from django.db.models import Count, Q

from partners.audit import Action, Actor, audit_note_all
from partners.models import TimingPartner
from races.models import Race
from sync.services.race_switch import races_switch

# As on the race's page: one that started in the last day still counts.
STILL_ON = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class RaceChoice:
    """`coming`: its events to come."""

    pk: int
    provider_id: int
    name: str
    place: str
    next_date: date | None
    coming: int
    is_on: bool


def race_choices(*, partner: TimingPartner, now: datetime) -> tuple[RaceChoice, ...]:
    """Those with events to come first. One query."""
    coming = Count("events", filter=Q(events__starts_at__gte=now - STILL_ON, events__gone_at=None))
    races = Race.objects.filter(partner=partner, gone_at=None).annotate(coming=coming)
    rows = races.values_list("pk", "provider_race_id", "name", "city", "state", "next_date", "coming", "sync_enabled")
    choices = (
        RaceChoice(
            pk=pk,
            provider_id=provider_id,
            name=name,
            place=", ".join(part for part in (city, state) if part),
            next_date=next_date,
            coming=number,
            is_on=is_on,
        )
        for pk, provider_id, name, city, state, next_date, number, is_on in rows
    )
    return tuple(sorted(choices, key=lambda race: (not race.coming, race.next_date or date.max, race.name)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Switched:
    on: int
    off: int


def races_choose(
    *, partner: TimingPartner, shown: Collection[int], ticked: Collection[int], by: Actor, now: datetime
) -> Switched:
    """Switch the races of the form as it was sent. One that was found meanwhile was not shown, and stays on."""
    mine = set(Race.objects.filter(partner=partner, pk__in=shown).values_list("pk", flat=True))
    on = mine & set(ticked)
    with transaction.atomic():
        resumed = races_switch(race_ids=on, on=True, now=now)
        paused = races_switch(race_ids=mine - on, on=False, now=now)
        for action, switched in ((Action.RACE_RESUMED, resumed), (Action.RACE_PAUSED, paused)):
            rows = Race.objects.filter(pk__in=switched).defer("raw").order_by("name", "pk")
            audit_note_all(action=action, by=by, targets=rows, now=now)
    return Switched(on=len(resumed), off=len(paused))
