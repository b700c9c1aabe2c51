"""One search over everything that the reader may see: races, events, people, and for staff timing partners."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet

from partners.models import TimingPartner
from races.models import Event, Race
from sync.web.name_search import folded, search_words
from sync.web.people_search import LEAST_LETTERS, PersonFound, people_found, start_day
from sync.web.race_list import coming_first, races_found

SEARCH_CHARACTERS = 80
# Of each kind; who sees "more" adds a word.
SHOWN = 10
# Events and people are looked for in so many events: those to come, then the latest ones. Each costs a few looks at an
# index, whatever number of people it has.
EVENTS_LOOKED_IN = 1000
# A race of this morning is still of interest in the evening.
STILL_COMING = timedelta(hours=36)
# 18 digits fit the database's integers; a longer number is nobody's id.
ID_DIGITS = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class RaceFound:
    pk: int
    name: str
    place: str
    provider_race_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFound:
    """`timezone`: the race's."""

    pk: int
    name: str
    starts_at: datetime | None
    race_pk: int
    race: str
    timezone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLine:
    """An event as the page shows it; `day`: race-local."""

    pk: int
    name: str
    race_pk: int
    race: str
    day: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerFound:
    slug: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """At most SHOWN of each kind; `more_…`: there are more. `search`: what was looked for, cut to what is searched.
    `is_short`: too short to look for names; `is_partial`: there are more events than were looked in."""

    search: str
    races: tuple[RaceFound, ...] = ()
    more_races: bool = False
    events: tuple[EventLine, ...] = ()
    more_events: bool = False
    people: tuple[PersonFound, ...] = ()
    more_people: bool = False
    partners: tuple[PartnerFound, ...] = ()
    more_partners: bool = False
    is_short: bool = False
    is_partial: bool = False

    @property
    def is_empty(self) -> bool:
        return not (self.races or self.events or self.people or self.partners)


def search_all(search: str, *, races: QuerySet[Race], with_partners: bool, now: datetime) -> SearchResult:
    """`races`: those that the reader may see; `with_partners`: whether timing partners are looked for, too."""
    search = " ".join(search.replace("\x00", "").split())[:SEARCH_CHARACTERS].strip()
    if not search:
        return SearchResult(search="")
    number = int(search) if search.isascii() and search.isdigit() and len(search) <= ID_DIGITS else None
    near = _near_events(races, now=now)
    looked_in = near[:EVENTS_LOOKED_IN]
    found_races = coming_first(races_found(races, search), first=0, end=SHOWN + 1, now=now)
    found_events = _events(search, number, looked_in, races=races)
    people = people_found(
        search, number=number, event_ids=[event.pk for event in looked_in], races=races, limit=SHOWN + 1, now=now
    )
    partners = _partners(search) if with_partners else []
    return SearchResult(
        search=search,
        races=tuple(_race(race) for race in found_races[:SHOWN]),
        more_races=len(found_races) > SHOWN,
        events=tuple(_line(event, now=now) for event in found_events[:SHOWN]),
        more_events=len(found_events) > SHOWN,
        people=people[:SHOWN],
        more_people=len(people) > SHOWN,
        partners=tuple(PartnerFound(slug=partner.slug, name=partner.name) for partner in partners[:SHOWN]),
        more_partners=len(partners) > SHOWN,
        is_short=number is None and all(len(word) < LEAST_LETTERS for word in search_words(search)),
        is_partial=len(near) > EVENTS_LOOKED_IN,
    )


def _near_events(races: QuerySet[Race], *, now: datetime) -> list[EventFound]:
    """One more than are looked in. Those to come by their start, then the others, the latest first: both in the order
    of the index event_by_start."""
    since, most = now - STILL_COMING, EVENTS_LOOKED_IN + 1
    events = Event.objects.filter(race__in=races)
    coming = _found_events(events.filter(starts_at__gte=since).order_by("starts_at", "pk")[:most])
    if len(coming) == most:
        return coming
    past = events.filter(Q(starts_at__lt=since) | Q(starts_at=None)).order_by("-starts_at", "-pk")
    return coming + _found_events(past[: most - len(coming)])


def _found_events(events: QuerySet[Event]) -> list[EventFound]:
    # Plain columns: a thousand rows of models cost more than all the rest of the search.
    rows = events.values_list("pk", "name", "starts_at", "race_id", "race__name", "race__timezone")
    return [
        EventFound(pk=pk, name=name, starts_at=at, race_pk=race_pk, race=race, timezone=timezone)
        for pk, name, at, race_pk, race, timezone in rows
    ]


def _events(
    search: str, number: int | None, looked_in: Sequence[EventFound], *, races: QuerySet[Race]
) -> list[EventFound]:
    """By the provider's id wherever it is; by name in `looked_in`: all words in the names of event and race, and one of
    them in the event's own, or each race would be found once more with all its events."""
    found: list[EventFound] = []
    if number is not None:
        by_id = Event.objects.filter(provider_event_id=number, race__in=races).order_by("pk")
        found += _found_events(by_id[: SHOWN + 1])
    words = search_words(search)
    for event in looked_in:
        if len(found) > SHOWN:
            break
        own = folded(event.name)
        if any(word in own for word in words) and all(word in f"{own} {folded(event.race)}" for word in words):
            found.append(event)
    return list({event.pk: event for event in found}.values())


def _partners(search: str) -> list[TimingPartner]:
    partners = TimingPartner.objects.order_by("name", "pk")
    for word in search.split():
        partners = partners.filter(Q(name__icontains=word) | Q(slug__icontains=word))
    return list(partners[: SHOWN + 1])


def _race(race: Race) -> RaceFound:
    return RaceFound(
        pk=race.pk,
        name=race.name,
        place=", ".join(part for part in (race.city, race.state) if part),
        provider_race_id=race.provider_race_id,
    )


def _line(event: EventFound, *, now: datetime) -> EventLine:
    day = start_day(event.starts_at, timezone=event.timezone, now=now)
    return EventLine(pk=event.pk, name=event.name, race_pk=event.race_pk, race=event.race, day=day)
