"""What a key will be asked for: exact, because it is known in advance when each event changes its tier.

A lower bound all the same: events that are announced later are not in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from enum import StrEnum
from itertools import groupby
from operator import itemgetter

from sync.core.pace import Demand, Pace, pace_of
from sync.core.policy import Policy, Tier
from sync.core.tiers import StartWindow, finished_after, tier_begins
from sync.core.time_words import counted, span_words, weekday, zone_name

HOUR = timedelta(hours=1)
MOMENT = timedelta(microseconds=1)
# Above this share of what a key can sustain it has little room for what nobody knows yet.
NEARLY_FULL = 0.83
LOWER_BOUND = "Events that are not known yet come on top: this is the least that will be wanted."

_Change = tuple[datetime, int, int, int]


class Colour(StrEnum):
    """How full a key is: up to 83 % of what it can sustain, up to all of it, more than it can."""

    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventStart:
    """A scheduled event of a key. `window` None: it has no start, and stays LOW."""

    race_id: int
    window: StartWindow | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A time in which nothing changes: aware UTC, `ends` is not part of it. `demand.final` is always 0: `high_period`
    is the even share of all HIGH races, of which those about to start keep their minute the longest."""

    begins: datetime
    ends: datetime
    demand: Demand
    pace: Pace

    @property
    def wanted(self) -> float:
        """Calls an hour when nothing is stretched."""
        return self.pace.wanted

    @property
    def high_period(self) -> timedelta:
        return self.pace.periods[Tier.HIGH]

    def is_stretched(self, tier: Tier, *, policy: Policy) -> bool:
        """By a second at least: less is nothing that anybody would notice."""
        return self.pace.periods[tier] - policy.rule(tier).period >= timedelta(seconds=1)

    @property
    def colour(self) -> Colour:
        share = self.pace.wanted / self.pace.usable
        if share <= NEARLY_FULL:
            return Colour.GREEN
        return Colour.RED if self.pace.overloaded else Colour.YELLOW


@dataclass(frozen=True, slots=True, kw_only=True)
class BusyHour:
    """A clock hour of the zone and the calls wanted in it; the first one of a forecast is what is left of its hour, and
    `wanted` then the calls an hour in that part."""

    begins: datetime
    ends: datetime
    wanted: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Overload:
    """Intervals in a row that want more than the key can sustain; `worst` is the one that wants most."""

    begins: datetime
    ends: datetime
    worst: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyForecast:
    """`intervals` follow each other without gaps from `begins` to `ends`; `limit`: calls an hour that the key may make,
    `usable`: what of it can be planned with."""

    begins: datetime
    ends: datetime
    limit: int
    usable: float
    intervals: tuple[Interval, ...]
    busiest: BusyHour

    @property
    def colour(self) -> Colour:
        """The worst of any moment."""
        colours = {interval.colour for interval in self.intervals}
        return next(colour for colour in (Colour.RED, Colour.YELLOW, Colour.GREEN) if colour in colours)

    @property
    def overloads(self) -> tuple[Overload, ...]:
        rows = groupby(self.intervals, key=lambda interval: interval.pace.overloaded)
        crowded = [list(row) for overloaded, row in rows if overloaded]
        return tuple(
            Overload(begins=row[0].begins, ends=row[-1].ends, worst=max(row, key=lambda interval: interval.wanted))
            for row in crowded
        )


def forecast(
    starts: Iterable[EventStart], *, begins: datetime, ends: datetime, limit: int, zone: tzinfo, policy: Policy
) -> KeyForecast:
    """What the events of one key will want between two moments, aware UTC. A race counts once, in the most urgent tier
    of its events. ValueError when `ends` is not after `begins`."""
    if ends <= begins:
        raise ValueError("A forecast must end after it begins.")
    changes = sorted(change for start in starts for change in _changes(start, begins, ends, policy))
    paces: dict[Demand, Pace] = {}
    intervals: list[Interval] = []
    for at, until, demand in _demands(changes, begins, ends):
        pace = paces.get(demand) or paces.setdefault(demand, pace_of(demand, rate=limit, policy=policy))
        intervals.append(Interval(begins=at, ends=until, demand=demand, pace=pace))
    return KeyForecast(
        begins=begins,
        ends=ends,
        limit=limit,
        usable=intervals[0].pace.usable,
        intervals=tuple(intervals),
        busiest=max(_hours(intervals, begins, ends, zone), key=lambda hour: hour.wanted),
    )


_RANKS = {tier: rank for rank, tier in enumerate(Tier)}


def _changes(start: EventStart, begins: datetime, ends: datetime, policy: Policy) -> Iterator[_Change]:
    """(when, race, rank of a tier, +1 or -1): an event enters and leaves each of its tiers."""
    for tier, since, until in _tiers(start.window, begins, ends, policy):
        since, until = max(since, begins), min(until, ends)
        if since < until:
            yield since, start.race_id, _RANKS[tier], 1
            yield until, start.race_id, _RANKS[tier], -1


def _tiers(
    window: StartWindow | None, begins: datetime, ends: datetime, policy: Policy
) -> Iterator[tuple[Tier, datetime, datetime]]:
    if window is None:
        yield Tier.LOW, begins, ends
        return
    medium = tier_begins(window, Tier.MEDIUM, policy=policy)
    high = tier_begins(window, Tier.HIGH, policy=policy)
    yield Tier.LOW, begins, medium
    yield Tier.MEDIUM, medium, high
    yield Tier.HIGH, high, finished_after(window, policy=policy)


def _demands(changes: list[_Change], begins: datetime, ends: datetime) -> Iterator[tuple[datetime, datetime, Demand]]:
    """Sweep over the changes; neighbours with the same demand are one."""
    events_of: dict[int, list[int]] = {}
    races = [0] * len(_RANKS)
    since, current = begins, Demand(high=0, medium=0, low=0)
    for at, group in groupby(changes, key=itemgetter(0)):
        if at >= ends:
            break
        for _, race_id, rank, step in group:
            events = events_of.setdefault(race_id, [0] * len(_RANKS))
            _move(races, _most_urgent(events), -1)
            events[rank] += step
            _move(races, _most_urgent(events), 1)
        following = Demand(high=races[0], medium=races[1], low=races[2])
        if following == current:
            continue
        if since < at:
            yield since, at, current
        since, current = at, following
    yield since, ends, current


def _most_urgent(events: list[int]) -> int | None:
    return next((rank for rank, number in enumerate(events) if number), None)


def _move(races: list[int], rank: int | None, step: int) -> None:
    if rank is not None:
        races[rank] += step


def _hours(intervals: list[Interval], begins: datetime, ends: datetime, zone: tzinfo) -> Iterator[BusyHour]:
    """The zone's clock hours with the calls wanted in each."""
    local = begins.astimezone(zone)
    # Taken off the moment itself: the hour that a clock change repeats is two hours.
    since = begins - timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    place = 0
    while since < ends:
        first, last = max(since, begins), min(since + HOUR, ends)
        wanted = 0.0
        while True:
            interval = intervals[place]
            wanted += interval.wanted * ((min(interval.ends, last) - max(interval.begins, first)) / HOUR)
            if interval.ends >= last:
                break
            place += 1
        if intervals[place].ends == last and place + 1 < len(intervals):
            place += 1
        yield BusyHour(begins=first, ends=last, wanted=wanted / ((last - first) / HOUR))
        since += HOUR


def worst_by_day(found: KeyForecast, *, zone: tzinfo) -> tuple[tuple[date, Interval], ...]:
    """The zone's days, each with the interval that wants most in it."""
    worst: dict[date, Interval] = {}
    for interval in found.intervals:
        day = interval.begins.astimezone(zone).date()
        last = (interval.ends - MOMENT).astimezone(zone).date()
        while day <= last:
            if day not in worst or interval.wanted > worst[day].wanted:
                worst[day] = interval
            day += timedelta(days=1)
    return tuple(sorted(worst.items()))


def busiest_sentence(found: KeyForecast, *, zone: tzinfo, now: datetime) -> str:
    """ "Saturday 06:00 EDT, 1,380 calls wanted"."""
    if not found.busiest.wanted:
        return f"none in the next {span_words(found.ends - found.begins)}: nothing is scheduled"
    begins = found.busiest.begins
    local = begins.astimezone(zone)
    if found.begins == begins and local.minute:
        return f"now, {found.busiest.wanted:,.0f} calls an hour wanted"
    when = f"{weekday(begins, zone=zone, now=now)} {local:%H:%M} {zone_name(local)}"
    return f"{when}, {found.busiest.wanted:,.0f} calls wanted"


def overload_sentence(overload: Overload, found: KeyForecast, *, zone: tzinfo, now: datetime, policy: Policy) -> str:
    """What will be late, when and by how much, before it happens."""
    worst = overload.worst
    races, consequence = _consequence(worst, policy=policy)
    allowed = f"{found.limit:,} allowed"
    if worst.wanted <= found.limit:
        # Otherwise the sentence would complain about less than what is allowed.
        allowed = f"{found.usable:,.0f} of {found.limit:,} allowed can be planned with"
    return (
        f"{_when(overload, found, zone=zone, now=now)}: {worst.wanted:,.0f} calls/h wanted ({counted(races, 'race')}), "
        f"{allowed}; {consequence}; nothing is lost, it arrives later."
    )


def _consequence(worst: Interval, *, policy: Policy) -> tuple[int, str]:
    """The most urgent tier that is stretched, as the number of races up to it and as words."""
    demand, periods = worst.demand, worst.pace.periods
    minute = f"race-day races keep their {span_words(policy.high.period)}"
    if worst.is_stretched(Tier.HIGH, policy=policy):
        return demand.high, f"race-day races will sync about every {span_words(periods[Tier.HIGH])}"
    if worst.is_stretched(Tier.MEDIUM, policy=policy):
        lead = f"within {span_words(policy.medium.lead)}" if policy.medium.lead else "soon"
        words = f"{minute}, those that start {lead} will sync about every {span_words(periods[Tier.MEDIUM])}"
        return demand.high + demand.medium, words
    races = demand.high + demand.medium + demand.low
    return races, f"{minute}, those further ahead will sync about every {span_words(periods[Tier.LOW])}"


def _when(overload: Overload, found: KeyForecast, *, zone: tzinfo, now: datetime) -> str:
    """ "Saturday 04:00–09:15 EDT"; both days and both abbreviations where they differ."""
    begins, ends = overload.begins.astimezone(zone), overload.ends.astimezone(zone)
    since = "now" if overload.begins == found.begins else f"{weekday(begins, zone=zone, now=now)} {begins:%H:%M}"
    if overload.begins != found.begins and zone_name(begins) != zone_name(ends):
        since = f"{since} {zone_name(begins)}"
    until = f"{ends:%H:%M} {zone_name(ends)}"
    if overload.ends == found.ends:
        return f"{since} – after {weekday(ends, zone=zone, now=now)} {until}"
    first_day = now.astimezone(zone).date() if since == "now" else begins.date()
    return f"{since}–{until}" if first_day == ends.date() else f"{since} – {weekday(ends, zone=zone, now=now)} {until}"
