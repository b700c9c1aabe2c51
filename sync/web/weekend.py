"""The staff page of a weekend: every race of it by its start, and what is open before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from django.core.paginator import Page, Paginator

from races.models import Event
from sync.core.findings import is_over
from sync.core.policy import Policy
from sync.core.tiers import FALLBACK_ZONE, zone_of
from sync.services.event_schedule import window_of
from sync.services.policies import policy_now
from sync.services.readiness import RaceReadiness, races_readiness
from sync.web.doubts import ReadinessView, readiness_view
from sync.web.event_status import with_state
from sync.web.scheduler import banner_text, last_beat
from sync.web.times import Moment, moment

RACES_PER_PAGE = 200
# As the words are counted: "2 with a problem, 3 ready".
WORDS = {"Problem": "with a problem", "Look": "to look at", "Ready": "ready", "Over": "over"}
FRIDAY = 4
WEEKEND = timedelta(days=3)
WEEK = timedelta(days=7)
# A local day may begin and end this much before or after the UTC day of the same date.
ZONES_DIFFER_BY = timedelta(hours=14)


@dataclass(frozen=True, slots=True, kw_only=True)
class WeekendRow:
    """`readiness` None: all its events are over."""

    pk: int
    name: str
    partner: str
    place: str
    starts: Moment | None
    events: int
    registered: int | None
    readiness: ReadinessView | None

    @property
    def word(self) -> str:
        return self.readiness.word if self.readiness else "Over"


@dataclass(frozen=True, slots=True, kw_only=True)
class Weekend:
    """`friday` to `sunday`, race-local; `previous`, `following`: other Fridays, as ISO dates. `refused`: a date that
    could not be read. `counts`: (word, how many races of this page)."""

    title: str
    rows: tuple[WeekendRow, ...]
    page: Page[int]
    counts: tuple[tuple[str, int], ...]
    previous: str
    following: str
    asked: str
    refused: str
    banner: str


def weekend(*, asked: str, page_number: str | None, now: datetime) -> Weekend:
    """The coming Friday to Sunday, or those seen from the ISO date `asked`; during a weekend that one itself."""
    day, refused = _day(asked, now=now)
    friday = _friday(day)
    policy = policy_now()
    events = _events(friday)
    races = list(dict.fromkeys(event.race_id for event in events))
    page = Paginator(races, RACES_PER_PAGE).get_page(page_number)
    wanted = set(page.object_list)
    by_race: dict[int, list[Event]] = {pk: [] for pk in page.object_list}
    for event in with_state(Event.objects.filter(pk__in=[each.pk for each in events if each.race_id in wanted])):
        by_race[event.race_id].append(event)
    complete = [sorted(mine, key=_start) for mine in by_race.values() if mine]
    ready = _ready(complete, now=now, policy=policy)
    rows = tuple(_row(mine, ready.get(mine[0].race_id), now=now) for mine in complete)
    words = [row.word for row in rows]
    beat = last_beat(now=now, policy=policy)
    return Weekend(
        title=f"{friday:%a %b} {friday.day} – {_sunday(friday):%a %b} {_sunday(friday).day}",
        rows=rows,
        page=page,
        counts=tuple((said, words.count(word)) for word, said in WORDS.items() if word in words),
        previous=_iso(friday, -WEEK),
        following=_iso(friday, WEEK),
        asked=asked if not refused else "",
        refused=refused,
        banner=banner_text(beat, zone=UTC, now=now),
    )


def _day(asked: str, *, now: datetime) -> tuple[date, str]:
    """(the day, what could not be read)."""
    today = now.astimezone(zone_of(FALLBACK_ZONE)).date()
    if not asked:
        return today, ""
    try:
        day = date.fromisoformat(asked)
    except ValueError:
        return today, asked[:40]
    # Around the ends of the calendar there is no next weekend.
    return (day, "") if 1900 < day.year < 2200 else (today, asked[:40])


def _friday(day: date) -> date:
    """The one of the weekend that `day` is in, else the next."""
    weekday = day.weekday()
    return day + timedelta(days=FRIDAY - weekday)


def _sunday(friday: date) -> date:
    return friday + timedelta(days=2)


def _iso(friday: date, away: timedelta) -> str:
    return (friday + away).isoformat()


def _events(friday: date) -> list[Event]:
    """Those that start on its race-local days, by their start: read from the index of the starts."""
    begins = datetime.combine(friday, time(0), UTC)
    near = Event.objects.filter(
        starts_at__gte=begins - ZONES_DIFFER_BY, starts_at__lt=begins + WEEKEND + ZONES_DIFFER_BY, gone_at=None
    )
    events = (
        near.filter(race__gone_at=None)
        .select_related("race")
        .only("race_id", "starts_at", "start_is_placeholder", "race__timezone")
    )
    return sorted((event for event in events if _is_in(event, friday)), key=_start)


def _is_in(event: Event, friday: date) -> bool:
    assert event.starts_at is not None  # noqa: S101 - looked for by its start
    return friday <= event.starts_at.astimezone(zone_of(event.race.timezone)).date() <= _sunday(friday)


def _start(event: Event) -> tuple[datetime, int, int]:
    window = window_of(event)
    return (window.earliest if window else datetime.max.replace(tzinfo=UTC)), event.race_id, event.pk


def _ready(races: Sequence[Sequence[Event]], *, now: datetime, policy: Policy) -> dict[int, RaceReadiness]:
    """By race, those that have events to come."""
    ahead = {}
    for mine in races:
        coming = [event for event in mine if not is_over(window_of(event), now=now, policy=policy)]
        if coming:
            ahead[coming[0].race] = coming
    return {found.race.pk: found for found in races_readiness(ahead, now=now, policy=policy)}


def _row(events: Sequence[Event], ready: RaceReadiness | None, *, now: datetime) -> WeekendRow:
    race, window = events[0].race, window_of(events[0])
    first = ready.first if ready else window.earliest if window else None
    return WeekendRow(
        pk=race.pk,
        name=race.name,
        partner=race.credential.partner.name,
        place=", ".join(part for part in (race.city, race.state) if part),
        starts=moment(first, zone=zone_of(race.timezone), now=now, seconds=False),
        events=len(events),
        registered=ready.registered if ready else None,
        readiness=readiness_view(ready.readiness) if ready else None,
    )
