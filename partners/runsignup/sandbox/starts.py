"""When the seeded events start, relative to the anchor."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

from partners.runsignup.sandbox.names import TOWNS

HIGH = "HIGH"
MEDIUM = "MEDIUM"
LOW = "LOW"
PAST = "PAST"

# Minutes after the anchor within which the first and the last start of a race must lie. Well inside the tiers' borders,
# so that rounding to five minutes never moves an event over one.
_WINDOWS = {HIGH: (-50, 230), MEDIUM: (250, 1425)}


@dataclass(frozen=True, slots=True, kw_only=True)
class RacePlan:
    """One race to be: how many events, how soon, where, and the local starts of its coming (or only) edition."""

    events: int
    soon: str
    town: tuple[str, str, str, str]
    starts: tuple[datetime, ...]


def plan_races(*, rng: Random, anchor: datetime, upcoming: list[int], past: list[int]) -> list[RacePlan]:
    """The plans of the races, in a random order; `upcoming` and `past` are the numbers of events of each race."""
    total = sum(upcoming)
    waiting = list(upcoming)
    rng.shuffle(waiting)
    high = _take(waiting, round(total * 25 / 150))
    medium = _take(waiting, round(total * 35 / 150))
    plans = [
        *plan_near(rng=rng, anchor=anchor, counts=high, soon=HIGH, window=_WINDOWS[HIGH]),
        *plan_near(rng=rng, anchor=anchor, counts=medium, soon=MEDIUM, window=_WINDOWS[MEDIUM]),
        *plan_far(rng=rng, anchor=anchor, counts=waiting, days=150),
        *(_past(rng=rng, anchor=anchor, count=count) for count in past),
    ]
    rng.shuffle(plans)
    return plans


def a_year_before(start: datetime) -> datetime:
    """The same weekday of last year's edition, whose start is known even where this year's is not yet."""
    before = start - timedelta(weeks=52)
    return before.replace(hour=8) if (before.hour, before.minute) == (0, 0) else before


def _take(waiting: list[int], wanted: int) -> list[int]:
    """Whole races out of `waiting` until their events are `wanted`, or as near below as they fit."""
    taken: list[int] = []
    for count in list(waiting):
        if sum(taken) + count <= wanted:
            taken.append(count)
            waiting.remove(count)
    return taken


def plan_near(
    *, rng: Random, anchor: datetime, counts: list[int], soon: str, window: tuple[int, int]
) -> list[RacePlan]:
    """Races of these numbers of events; `window`: minutes after the anchor of the first and the last start."""
    first, last = window
    plans = []
    for number, count in enumerate(counts):
        offsets = _offsets(rng, count)
        room = last - first - offsets[-1]
        # Spread over the window, so that the starts differ and the tiers go on changing through the morning.
        base = first + int(room * (number + rng.random()) / len(counts)) // 5 * 5
        at = anchor.replace(minute=anchor.minute // 5 * 5, second=0, microsecond=0) + timedelta(minutes=base)
        town = min(rng.sample(TOWNS, 5), key=lambda town: _hours_from_morning(at, town[3]))
        local = at.astimezone(ZoneInfo(town[3])).replace(tzinfo=None)
        starts = tuple(_not_midnight(local + timedelta(minutes=offset)) for offset in offsets)
        plans.append(RacePlan(events=count, soon=soon, town=town, starts=starts))
    return plans


def plan_far(*, rng: Random, anchor: datetime, counts: list[int], days: int) -> list[RacePlan]:
    """Races of these numbers of events on the Saturdays of the next `days` days, the day after tomorrow at the soonest.

    One event of the first race has no time of day yet.
    """
    plans = []
    # Two zones without summer time are always there, whatever the seed.
    towns = [next(town for town in TOWNS if town[3] == zone) for zone in ("America/Phoenix", "Pacific/Honolulu")]
    for number, count in enumerate(counts):
        town = towns[number] if number < len(towns) else rng.choice(TOWNS)
        ahead = 2 + int(rng.random() ** 1.5 * days)
        starts = _morning(rng=rng, anchor=anchor, zone=town[3], days=ahead, count=count)
        if number == 0:
            # "Some time that day": what a director leaves who has not decided yet.
            starts = (*starts[:-1], starts[-1].replace(hour=0, minute=0))
        plans.append(RacePlan(events=count, soon=LOW, town=town, starts=starts))
    return plans


def _past(*, rng: Random, anchor: datetime, count: int) -> RacePlan:
    town = rng.choice(TOWNS)
    starts = _morning(rng=rng, anchor=anchor, zone=town[3], days=-rng.randint(20, 300), count=count)
    return RacePlan(events=count, soon=PAST, town=town, starts=starts)


def _morning(*, rng: Random, anchor: datetime, zone: str, days: int, count: int) -> tuple[datetime, ...]:
    day = anchor.astimezone(ZoneInfo(zone)).replace(tzinfo=None, second=0, microsecond=0) + timedelta(days=days)
    day += timedelta(days=(5 - day.weekday()) % 7)  # the Saturday that follows
    first = day.replace(hour=rng.choice((6, 7, 8, 9)), minute=rng.choice((0, 0, 15, 30)))
    starts = [first + timedelta(minutes=offset) for offset in _offsets(rng, count)]
    if count > 1 and rng.random() < 0.2:
        starts[-1] += timedelta(days=1)  # a weekend: the last event on Sunday
    return tuple(starts)


def _offsets(rng: Random, count: int) -> list[int]:
    offsets = [0]
    while len(offsets) < count:
        offsets.append(offsets[-1] + rng.choice((0, 10, 15, 30)))
    return offsets


def _hours_from_morning(at: datetime, zone: str) -> float:
    local = at.astimezone(ZoneInfo(zone))
    away = abs(local.hour + local.minute / 60 - 8)
    return min(away, 24 - away)


def _not_midnight(local: datetime) -> datetime:
    """00:00 would be read as "no time yet"."""
    return local + timedelta(minutes=5) if (local.hour, local.minute) == (0, 0) else local
