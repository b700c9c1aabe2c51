"""The staff page of a weekend: every race of it as a board by partner and as a table, and what is open before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from django.core.paginator import Page, Paginator

from races.models import Event, Race
from sync.core.policy import Policy
from sync.core.tiers import FALLBACK_ZONE, StartWindow, zone_of
from sync.services.event_schedule import believed_window, window_of
from sync.services.forecast import KeyOutlook, outlooks_of
from sync.services.policies import policy_now
from sync.web.scheduler import banner_text, last_beat
from sync.web.times import Moment, moment
from sync.web.weekend_board import Board, board, forecast_days
from sync.web.weekend_races import WeekendRow, coming_races, counts_of, weekend_rows

RACES_PER_PAGE = 200
FRIDAY = 4
WEEKEND = timedelta(days=3)
WEEK = timedelta(days=7)
# A local day may begin and end this much before or after the UTC day of the same date.
ZONES_DIFFER_BY = timedelta(hours=14)


@dataclass(frozen=True, slots=True, kw_only=True)
class NextWeekend:
    """The next one with races: an ISO date of it, and its Friday to Sunday in words."""

    asked: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Weekend:
    """Friday to Sunday, race-local; `previous`, `following`: other Fridays, as ISO dates. `refused`: a date that could
    not be read. `rows`: the races of this page by their start; `counts`: (words, how many of them). `ahead`: the next
    weekend with races, looked for only when this one has none."""

    title: str
    saturday: str
    board: Board
    rows: tuple[WeekendRow, ...]
    page: Page[int]
    counts: tuple[tuple[str, int], ...]
    previous: str
    following: str
    asked: str
    refused: str
    ahead: NextWeekend | None
    as_of: Moment | None
    banner: str


def weekend(*, asked: str, page_number: str | None, now: datetime) -> Weekend:
    """The coming Friday to Sunday, or those seen from the ISO date `asked`; during a weekend that one itself."""
    day, refused = _day(asked, now=now)
    friday = _friday(day)
    policy = policy_now()
    starts = _starts(friday)
    page = Paginator(_by_partner(starts), RACES_PER_PAGE).get_page(page_number)
    races = _races(starts, list(page))
    ahead = coming_races(races, now=now, policy=policy)
    outlooks = _outlooks(ahead, friday, now=now, policy=policy)
    rows = weekend_rows(races, ahead=ahead, outlooks=outlooks, now=now, policy=policy)
    beat = last_beat(now=now, policy=policy)
    return Weekend(
        title=_title(friday, now=now),
        saturday=_iso(friday, timedelta(days=1)),
        board=board(list(zip(races, rows, strict=True)), friday=friday, outlooks=outlooks, now=now, policy=policy),
        rows=tuple(sorted(rows, key=lambda row: (row.first or now, row.pk))),
        page=page,
        counts=counts_of(rows),
        previous=_iso(friday, -WEEK),
        following=_iso(friday, WEEK),
        asked=asked if not refused else "",
        refused=refused,
        ahead=None if rows else _next_weekend(friday, now=now),
        as_of=moment(now, zone=UTC, now=now),
        banner=banner_text(beat, zone=UTC, now=now),
    )


def _title(friday: date, *, now: datetime) -> str:
    """With the year when it is not this one."""
    sunday = _sunday(friday)
    year = f", {sunday.year}" if sunday.year != now.year else ""
    return f"{friday:%a %b} {friday.day} – {sunday:%a %b} {sunday.day}{year}"


def _by_partner(starts: Sequence[_Start]) -> list[int]:
    """The races, each once: by their partner, then by their start."""
    by_partner = sorted(starts, key=lambda start: (start.partner_name.casefold(), start.partner_id))
    return list(dict.fromkeys(start.race_id for start in by_partner))


def _races(starts: Sequence[_Start], wanted: Sequence[int]) -> list[list[Event]]:
    """The events of each race of `wanted`, by their start and with all that a row needs: as `with_state`, but each race
    is read once, and not again with each of its events."""
    complete = Race.objects.select_related("credential__partner", "credential__budget").defer(
        "raw", "credential__api_secret", "credential__api_key"
    )
    races = complete.in_bulk(wanted)
    by_race: dict[int, list[Event]] = {pk: [] for pk in wanted}
    pks = [start.pk for start in starts if start.race_id in races]
    for event in Event.objects.filter(pk__in=pks).select_related("sync").defer("raw"):
        event.race = races[event.race_id]
        by_race[event.race_id].append(event)
    return [sorted(mine, key=_order) for mine in by_race.values() if mine]


def _order(event: Event) -> tuple[datetime, int]:
    return _earliest(window_of(event)), event.pk


def _earliest(window: StartWindow | None) -> datetime:
    return window.earliest if window else datetime.max.replace(tzinfo=UTC)


def _outlooks(
    ahead: Mapping[Race, Sequence[Event]], friday: date, *, now: datetime, policy: Policy
) -> dict[int, KeyOutlook]:
    """By key: the forecasts of the keys of what lies ahead."""
    keys = {race.credential_id: events[0].race.credential for race, events in ahead.items()}
    return outlooks_of(keys.values(), now=now, days=forecast_days(friday, now=now), policy=policy) if keys else {}


def _next_weekend(friday: date, *, now: datetime) -> NextWeekend | None:
    """Of the next start that is known on a Saturday or Sunday of UTC: in America that is Friday evening to Sunday."""
    after = datetime.combine(friday, time(0), UTC) + WEEKEND + ZONES_DIFFER_BY
    starts = Event.objects.filter(starts_at__gte=after, gone_at=None, race__gone_at=None)
    on_weekends = starts.filter(starts_at__iso_week_day__in=(6, 7)).order_by("starts_at")
    found = on_weekends.select_related("race").only("starts_at", "race__timezone").first()
    if found is None or found.starts_at is None:
        return None
    following = _friday(found.starts_at.astimezone(zone_of(found.race.timezone)).date())
    return NextWeekend(asked=following.isoformat(), title=_title(following, now=now))


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


class _Start(NamedTuple):
    """An event as it is sorted into races and pages."""

    pk: int
    race_id: int
    starts_at: datetime | None
    is_placeholder: bool
    timezone: str
    partner_id: int
    partner_name: str

    @property
    def day(self) -> date:
        assert self.starts_at is not None  # noqa: S101 - looked for by its start
        return self.starts_at.astimezone(zone_of(self.timezone)).date()

    @property
    def order(self) -> tuple[datetime, int, int]:
        return _earliest(believed_window(self.starts_at, self.is_placeholder, self.timezone)), self.race_id, self.pk


def _starts(friday: date) -> list[_Start]:
    """Those on its race-local days, the first one first: read from the index of the starts."""
    begins = datetime.combine(friday, time(0), UTC)
    near = Event.objects.filter(
        starts_at__gte=begins - ZONES_DIFFER_BY, starts_at__lt=begins + WEEKEND + ZONES_DIFFER_BY, gone_at=None
    )
    columns = near.filter(race__gone_at=None).values_list(
        "pk",
        "race_id",
        "starts_at",
        "start_is_placeholder",
        "race__timezone",
        "race__partner_id",
        "race__partner__name",
    )
    starts = (_Start(*row) for row in columns)
    return sorted((start for start in starts if friday <= start.day <= _sunday(friday)), key=lambda start: start.order)
