"""The event page: its state, its runs, and its start list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.core.paginator import Page, Paginator
from django.db.models import Q, QuerySet

from races.models import Event, Participant
from sync.core.tiers import zone_of
from sync.models import SyncRun
from sync.web.event_status import EventStatus, event_statuses, with_state
from sync.web.race_sentence import Sentence, race_sentence
from sync.web.race_status import RaceHeader, race_header
from sync.web.runs import RunRow, run_row
from sync.web.scheduler import banner_text, last_beat
from sync.web.times import Moment, moment
from sync.web.words import REMOVED_REASONS

PEOPLE_PER_PAGE = 100
RUNS_PER_PAGE = 25
# Words beyond these are not searched: each one is another scan of the event's people.
SEARCH_WORDS = 4
SEARCH_CHARACTERS = 80

# What a start list needs, and nothing else: no address, no mail, no phone, no date of birth.
SHOWN = (
    "registration_id", "bib", "first_name", "middle_name", "last_name", "gender", "age", "city", "state", "team_name",
    "is_anonymous", "removed_at", "removed_reason",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A line of the start list. `withdrawn`: when; `reason`: why, in words; both empty for who is registered."""

    bib: str
    name: str
    gender: str
    age: str
    place: str
    team: str
    is_anonymous: bool
    withdrawn: Moment | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventHead:
    """The live part of the page."""

    race: RaceHeader
    event: EventStatus
    sentence: Sentence
    banner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPage:
    """`search`: what was looked for, cut to what is searched."""

    head: EventHead
    people: tuple[Person, ...]
    people_page: Page[Participant]
    runs: tuple[RunRow, ...]
    runs_page: Page[SyncRun]
    search: str


def event_head(*, event: Event, now: datetime) -> EventHead:
    """`event` from `with_state`."""
    beat = last_beat(now=now)
    zone = zone_of(event.race.timezone)
    (status,) = event_statuses([event], beat=beat, now=now)
    return EventHead(
        race=race_header(event.race, now=now),
        event=status,
        sentence=race_sentence([status], beat=beat, zone=zone, now=now),
        banner=banner_text(beat, zone=zone, now=now),
    )


def event_page(
    *, event: Event, search: str, people_number: str | None, runs_number: str | None, now: datetime
) -> EventPage:
    zone = zone_of(event.race.timezone)
    search = search.replace("\x00", "").strip()[:SEARCH_CHARACTERS]
    people_page = Paginator(_people(event, search), PEOPLE_PER_PAGE).get_page(people_number)
    runs = SyncRun.objects.filter(event=event).order_by("-started_at", "-pk")
    runs_page = Paginator(runs, RUNS_PER_PAGE).get_page(runs_number)
    return EventPage(
        head=event_head(event=event, now=now),
        people=tuple(_person(row, event=event, now=now) for row in people_page.object_list),
        people_page=people_page,
        runs=tuple(run_row(run, zone=zone, now=now) for run in runs_page.object_list),
        runs_page=runs_page,
        search=search,
    )


def events_with_race(events: QuerySet[Event]) -> QuerySet[Event]:
    """What both functions above need, the race's partner for the header included."""
    return with_state(events).select_related("race__partner")


def _people(event: Event, search: str) -> QuerySet[Participant]:
    people = Participant.objects.filter(event=event).only(*SHOWN)
    for word in search.split()[:SEARCH_WORDS]:
        people = people.filter(Q(bib__istartswith=word) | Q(first_name__icontains=word) | Q(last_name__icontains=word))
    return people.order_by("last_name", "first_name", "registration_id")


def _person(row: Participant, *, event: Event, now: datetime) -> Person:
    names: Sequence[str] = (row.first_name, row.middle_name, row.last_name)
    return Person(
        bib=row.bib,
        name=" ".join(name for name in names if name) or f"Registration {row.registration_id}",
        gender=row.gender,
        age="" if row.age is None else str(row.age),
        place=", ".join(part for part in (row.city, row.state) if part),
        team=row.team_name,
        is_anonymous=row.is_anonymous,
        withdrawn=moment(row.removed_at, zone=zone_of(event.race.timezone), now=now),
        reason=REMOVED_REASONS.get(row.removed_reason, row.removed_reason),
    )
