"""The built-in worlds: the partners of today, one event among them, and a Saturday on which 120 start at once."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count

from sync.core.tiers import StartWindow
from sync.simulation.world import Key, PlannedEvent, World

NAMES = ("one-event", "seed", "saturday")
EVENTS = 644
RACES = 364
# How many of the Saturday's 120 events, in how many races, each of the 13 keys has; also how large the keys are.
SHARES = (42, 25, 13, 8, 6, 5, 4, 4, 3, 3, 3, 2, 2)
RACES_OF_SHARE = (18, 8, 5, 3, 3, 3, 1, 2, 1, 2, 1, 1, 1)
KEYS = len(SHARES)
HIGH_OF_SATURDAY = sum(SHARES)
MEDIUM_OF_SATURDAY = 60
# A Saturday; its races start at 08:00.
START = datetime(2026, 6, 6, 8, 0, tzinfo=UTC)
WARM_UP = timedelta(hours=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
# "Upcoming" reaches so far ahead.
WEEKS = 8
# Most races are on Saturdays and Sundays, a few on other days; days after Monday.
WEEKDAYS = (5, 5, 5, 5, 5, 5, 6, 6, 6, 3)
START_HOURS = (7, 7.5, 8, 8, 8, 8.5, 9, 9, 10, 17)


class NoSuchWorld(ValueError):
    """The world cannot be built as asked; the message is for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large a built-in world is. Raises NoSuchWorld for what cannot be."""

    events: int = EVENTS
    keys: int = KEYS
    limit: int = 1000
    seed: int = 1

    def __post_init__(self) -> None:
        if self.events < 1 or self.keys < 1:
            raise NoSuchWorld("A world needs at least one event and one key.")
        if self.keys > self.events:
            raise NoSuchWorld(f"{self.keys} keys cannot share {self.events} events: each key needs at least one.")
        if self.limit < 2:
            raise NoSuchWorld(f"A limit of {self.limit} calls an hour cannot be kept: it must be at least 2.")


def build(name: str, size: Size, *, start: datetime = START, days: float = 7) -> World:
    """The world of that name. `start`: when the one event, or the Saturday's 120, begin; `days`: length of "seed"."""
    match name:
        case "one-event":
            return _one_event(size, start=start)
        case "seed":
            return _seed(size, monday=_midnight(start) - timedelta(days=start.weekday()), days=days)
        case "saturday":
            return _saturday(size, start=start)
    raise NoSuchWorld(f"There is no world {name!r}. There are: {', '.join(NAMES)}.")


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _keys(size: Size) -> tuple[Key, ...]:
    width = len(str(size.keys))
    return tuple(
        Key(key_id=number, partner_id=number, name=f"key {number:0{width}}", limit=size.limit)
        for number in range(1, size.keys + 1)
    )


def _weights(keys: int, shares: Sequence[int]) -> list[int]:
    """As many as there are keys; further keys are as small as the smallest."""
    return [shares[index] if index < len(shares) else shares[-1] for index in range(keys)]


def _shared(total: int, weights: Sequence[int], *, at_least: int = 0) -> list[int]:
    """`total` split in proportion to `weights`, by largest remainder."""
    spare = total - at_least * len(weights)
    exact = [spare * weight / sum(weights) for weight in weights]
    shares = [at_least + int(part) for part in exact]
    by_remainder = sorted(range(len(weights)), key=lambda index: (int(exact[index]) - exact[index], index))
    for index in by_remainder[: total - sum(shares)]:
        shares[index] += 1
    return shares


@dataclass(slots=True)
class _Builder:
    """Numbers events and races, and gives each race a history that depends on the seed and its number only."""

    begins: datetime
    seed: int
    events: list[PlannedEvent]
    event_ids: Iterator[int]
    race_ids: Iterator[int]

    @classmethod
    def at(cls, begins: datetime, seed: int) -> _Builder:
        return cls(begins, seed, [], count(1), count(1))

    def races(self, key_id: int, *, events: int, races: int, starts: Sequence[datetime]) -> None:
        """`events` shared among `races` races of the key; `starts`: when the races start, repeated as needed."""
        races = min(races, events)
        for number in range(races):
            race_id = next(self.race_ids)
            chance = random.Random(f"{self.seed}:{race_id}")  # noqa: S311
            visits = chance.randrange(30)
            reconciled_at = self.begins - DAY * chance.random()
            start = starts[number % len(starts)]
            for _ in range(events // races + (number < events % races)):
                self.events.append(
                    PlannedEvent(
                        event_id=next(self.event_ids),
                        race_id=race_id,
                        key_id=key_id,
                        window=StartWindow(earliest=start, latest=start),
                        visits=visits,
                        reconciled_at=reconciled_at,
                    )
                )


def _spread(builder: _Builder, size: Size, *, events: int, monday: datetime) -> None:
    """Events of the coming weeks, mostly on weekends, shared among the keys by their size."""
    per_key = _shared(events, _weights(size.keys, SHARES), at_least=min(1, events // size.keys))
    chance = random.Random(f"{size.seed}:starts")  # noqa: S311
    for key_id, amount in enumerate(per_key, start=1):
        races = max(1, round(amount * RACES / EVENTS))
        starts = [
            monday
            + timedelta(weeks=chance.randrange(WEEKS), days=chance.choice(WEEKDAYS))
            + chance.choice(START_HOURS) * HOUR
            for _ in range(races)
        ]
        if amount:
            builder.races(key_id, events=amount, races=races, starts=starts)


def _seed(size: Size, *, monday: datetime, days: float) -> World:
    builder = _Builder.at(monday, size.seed)
    _spread(builder, size, events=size.events, monday=monday)
    return World(name="seed", keys=_keys(size), events=tuple(builder.events), begins=monday, ends=monday + days * DAY)


def _one_event(size: Size, *, start: datetime) -> World:
    """The partners of today, and one event of a middling key, whose whole last day is counted."""
    begins = start - DAY - WARM_UP
    builder = _Builder.at(begins, size.seed)
    if size.events > 1:
        monday = _midnight(start) - timedelta(days=start.weekday())
        _spread(builder, replace(size, keys=min(size.keys, size.events - 1)), events=size.events - 1, monday=monday)
    builder.races((size.keys + 1) // 2, events=1, races=1, starts=[start])
    events = tuple(event for event in builder.events if event.window and event.window.latest + HOUR >= begins)
    counted = events[-1].event_id
    return World(
        name="one-event", keys=_keys(size), events=events, begins=begins, ends=start + HOUR, counted_event=counted
    )


def _saturday(size: Size, *, start: datetime) -> World:
    """120 of 644 start at once, 60 are MEDIUM and the others LOW for the whole five hours, spread over the keys."""
    begins = start - 4 * HOUR
    builder = _Builder.at(begins, size.seed)
    high = max(1, round(size.events * HIGH_OF_SATURDAY / EVENTS))
    medium = min(size.events - high, round(size.events * MEDIUM_OF_SATURDAY / EVENTS))
    shares, races = _weights(size.keys, SHARES), _weights(size.keys, RACES_OF_SHARE)
    for key_id, amount in enumerate(_shared(high, shares), start=1):
        if amount:
            share, in_races = shares[key_id - 1], races[key_id - 1]
            builder.races(key_id, events=amount, races=max(1, round(amount * in_races / share)), starts=[start])
    per_race = (EVENTS - HIGH_OF_SATURDAY) / (RACES - sum(RACES_OF_SHARE))
    for total, ahead in ((medium, 10 * HOUR), (size.events - high - medium, 8 * DAY)):
        for key_id, amount in enumerate(_shared(total, [1] * size.keys), start=1):
            if amount:
                starts = [start + ahead]
                builder.races(key_id, events=amount, races=max(1, round(amount / per_race)), starts=starts)
    return World(name="saturday", keys=_keys(size), events=tuple(builder.events), begins=begins, ends=start + HOUR)
