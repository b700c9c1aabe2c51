"""The line in front of a key: which races are visited before another one, and about when that one begins. Pure."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from partners.budget import Bucket, reserve
from sync.core.cadence import REMOVALS_EVERY
from sync.core.policy import Policy, Tier
from sync.core.turns import place_in_line

# A call of the provider takes about a second, and most visits make one or two.
VISIT_TAKES = timedelta(seconds=2)
# A forecast to the second would change at every look and still be wrong.
STEP = timedelta(seconds=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class InLine:
    """An event that waits for its key. `picked`: it is with the key's lane already, and no cycle has to plan it."""

    race_id: int
    event_id: int
    tier: Tier
    due_at: datetime
    picked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPlace:
    """`number`: 1 is the next race to be visited, unless one is `visiting` now. `begins_in`: whole tens of seconds."""

    number: int
    begins_in: timedelta


def places_in_line(
    waiting: Iterable[InLine], *, key_id: int, visiting: Collection[int], free: int, rate: int, now: datetime,
    policy: Policy,
) -> dict[int, KeyPlace]:  # fmt: skip
    """The place of each race that waits, by its id. `waiting` without the events that are being visited; `visiting`:
    the races of these; `free`, `rate`: the calls that the key has now and may make in an hour."""

    def order(event: InLine) -> tuple[bool, tuple[int, datetime], int]:
        line = place_in_line(key_id, event.tier, due_at=event.due_at, now=now, policy=policy)
        return not event.picked, line, event.event_id

    places: dict[int, KeyPlace] = {}
    calls = float(len(visiting))
    for event in sorted(waiting, key=order):
        if event.race_id in places:
            continue
        kept = reserve(event.tier.value, rate=rate, reserves=policy.reserves)
        for_calls = max(0.0, calls + kept + 1 - free) * Bucket.of(rate).interval
        for_lane = (len(places) + len(visiting)) * VISIT_TAKES.total_seconds()
        for_cycle = 0.0 if event.picked else policy.cycle.total_seconds()
        seconds = max(for_calls, for_lane) + for_cycle
        places[event.race_id] = KeyPlace(number=len(places) + 1, begins_in=_stepped(seconds))
        calls += 1 + 1 / REMOVALS_EVERY[event.tier]
    return places


def _stepped(seconds: float) -> timedelta:
    return max(1, math.ceil(seconds / STEP.total_seconds())) * STEP


def place_text(place: KeyPlace) -> str:
    """ "3rd for this key, in about 20 s"; "next for this key, within 10 s"."""
    number = "next" if place.number == 1 else _ordinal(place.number)
    return f"{number} for this key, {begins_text(place)}"


def begins_text(place: KeyPlace) -> str:
    """ "within 10 s", "in about 20 s", "in about 4 min"."""
    when = "within" if place.begins_in <= STEP else "in about"
    seconds = int(place.begins_in.total_seconds())
    span = f"{seconds} s" if seconds < 120 else f"{math.ceil(seconds / 60)} min"
    return f"{when} {span}"


def _ordinal(number: int) -> str:
    """ "1st", "2nd", "11th", "23rd"."""
    ending = "th" if number % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
