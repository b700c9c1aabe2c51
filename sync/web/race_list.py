"""The race list: a line per race, the next starts first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import F, Max, Min, OuterRef, Q, QuerySet, Subquery

from races.models import Event, Race
from sync.core.policy import Tier
from sync.core.tiers import zone_of
from sync.services.editions import current_events
from sync.services.policies import policy_now
from sync.web.event_status import EventStatus, event_statuses, with_state
from sync.web.race_sentence import Sentence, race_sentence
from sync.web.race_status import RaceHeader, race_header, with_switches
from sync.web.scheduler import Beat, banner_text, last_beat
from sync.web.stamps import LASTS_SECONDS, with_rows
from sync.web.times import Moment, moment

RACES_PER_PAGE = 25
# People run a marathon for longer than its start list is synced, and results are asked for in the evening.
COMING_UNTIL = timedelta(hours=12)
SEARCH_WORDS = 4
SEARCH_CHARACTERS = 80
# 18 digits fit the database's integers; a longer number is no race's id.
ID_DIGITS = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class RaceRow:
    """A line of the race list. `registered`: None when no list was ever loaded; `tier`: its most urgent event's, ""
    when nothing is scheduled."""

    header: RaceHeader
    sentence: Sentence
    starts: Moment | None
    start_text: str
    registered: int | None
    tier: str
    events: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedRaces:
    """The races on a page, in their order; `search`: what was looked for, cut to what is searched. Of a page that is
    polled each race comes with its rows."""

    races: list[Any]
    page: Page[int]
    search: str

    def stamp(self, *, now: datetime) -> tuple[object, ...]:
        """What says whether a polled page changed. No query."""
        slot = int(now.timestamp() // LASTS_SECONDS)
        return slot, self.page.paginator.count, [(race.pk, race.rows) for race in self.races]


@dataclass(frozen=True, slots=True, kw_only=True)
class RaceList:
    """`search`: what was looked for, cut to what is searched."""

    rows: tuple[RaceRow, ...]
    page: Page[int]
    search: str
    banner: str


def listed_races(
    *, races: QuerySet[Race], search: str, page_number: str | None, now: datetime, is_polled: bool
) -> ListedRaces:
    """Of `races`, which are those that the reader may see, the ones that `search` finds."""
    search = search.replace("\x00", "").strip()[:SEARCH_CHARACTERS]
    races = races_found(races, search)
    page = Paginator(range(races.count()), RACES_PER_PAGE).get_page(page_number)
    first, end = page.start_index() - 1, page.end_index()
    shown = with_rows(races) if is_polled else races
    return ListedRaces(
        races=coming_first(shown, first=first, end=end, now=now) if page.object_list else [], page=page, search=search
    )


def race_list(listed: ListedRaces, *, now: datetime) -> RaceList:
    shown, policy = listed.races, policy_now()
    beat = last_beat(now=now, policy=policy)
    events = list(with_state(current_events([race.pk for race in shown], now=now)))
    statuses = event_statuses(events, beat=beat, now=now, runs=False, policy=policy)
    by_race: dict[int, list[EventStatus]] = {race.pk: [] for race in shown}
    starts: dict[int, list[datetime]] = {race.pk: [] for race in shown}
    for event, status in zip(events, statuses, strict=True):
        by_race[event.race_id].append(status)
        if event.starts_at is not None and not event.start_is_placeholder:
            starts[event.race_id].append(event.starts_at)
    rows = tuple(_row(race, by_race[race.pk], starts[race.pk], beat=beat, now=now) for race in shown)
    return RaceList(rows=rows, page=listed.page, search=listed.search, banner=banner_text(beat, zone=UTC, now=now))


def races_found(races: QuerySet[Race], search: str) -> QuerySet[Race]:
    """Each word is a part of the name or of the place, or the race's id at the provider."""
    for word in search.replace(",", " ").split()[:SEARCH_WORDS]:
        matches = Q(name__icontains=word) | Q(city__icontains=word) | Q(state__iexact=word)
        if word.isascii() and word.isdigit() and len(word) <= ID_DIGITS:
            matches |= Q(provider_race_id=int(word))
        races = races.filter(matches)
    return races


def coming_first(races: QuerySet[Race], *, first: int, end: int, now: datetime) -> list[Race]:
    """Places `first` to `end`: the races of today and of the time ahead by their start, then the others, the latest
    first. A race that started stays in its place for half a day after its last start.

    The order is read from the index of the starts: the first pages cost what lies ahead, not what ever was.
    """
    ahead = (
        Event.objects.filter(starts_at__gte=now - COMING_UNTIL, gone_at=None, race__in=races.values("pk"))
        .values("race_id")
        .annotate(start=Min("starts_at"))
        .order_by("start", "race_id")
    )
    ids = [row["race_id"] for row in ahead[first:end]]
    # Counted only behind the last of them: elsewhere this page says it.
    coming = ahead.count() if first and not ids else first + len(ids)
    complete = with_switches(races)
    found = complete.in_bulk(ids)
    last_start = Event.objects.filter(race=OuterRef("pk")).order_by().values("race").annotate(at=Max("starts_at"))
    others = (
        complete.exclude(pk__in=ahead.order_by().values("race_id"))
        .annotate(last_start=Subquery(last_start.values("at")))
        .order_by(F("last_start").desc(nulls_last=True), "name", "pk")
    )
    return [found[pk] for pk in ids if pk in found] + list(others[max(0, first - coming) : max(0, end - coming)])


def _row(
    race: Race, statuses: Sequence[EventStatus], starts: Sequence[datetime], *, beat: Beat, now: datetime
) -> RaceRow:
    zone = zone_of(race.timezone)
    # The next start; once all have started, the last one.
    start = min((at for at in starts if at >= now), default=max(starts, default=None))
    loaded = [status for status in statuses if status.is_loaded]
    tiers = {status.tier.name for status in statuses if status.tier}
    return RaceRow(
        header=race_header(race, now=now),
        sentence=race_sentence(statuses, beat=beat, zone=zone, now=now),
        starts=moment(start, zone=zone, now=now, seconds=False),
        start_text=next((status.start_text for status in statuses if status.start_text), "No date"),
        registered=sum(status.counts.registered for status in loaded) if loaded else None,
        tier=next((tier.value for tier in Tier if tier.value in tiers), ""),
        events=len(statuses),
    )
