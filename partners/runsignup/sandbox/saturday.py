"""The Saturday on which 120 events are HIGH at once, and one key wants more calls than it may make."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from random import Random

from partners.runsignup.sandbox.seeding import make_races, make_world, people_the_world, share_out
from partners.runsignup.sandbox.starts import HIGH, MEDIUM, RacePlan, plan_far, plan_near
from partners.runsignup.sandbox.world import World

# Of each key: its events that start within four hours, and the races that they are of. A race is a call or more a
# minute, so that the eighteen of the first key want more than its 1,000 calls an hour; the others fit.
HIGH_EVENTS = (42, 25, 13, 8, 6, 5, 4, 4, 3, 3, 3, 2, 2)
HIGH_RACES = (18, 8, 5, 3, 3, 3, 1, 2, 1, 2, 1, 1, 1)
MEDIUM_EVENTS, MEDIUM_RACES = 60, 26
LOW_EVENTS, LOW_RACES = 464, 156
PARTICIPANTS = 20_000
# Seconds: what a call of the provider takes.
LATENCY = 1.5

# Minutes after the anchor. All that is HIGH stays so for an hour and longer; what is MEDIUM becomes HIGH no sooner.
_HIGH_WINDOW = (125, 235)
_MEDIUM_WINDOW = (330, 1400)
# From two months on, some events have nobody yet.
_LOW_DAYS = 45


def build_saturday(
    *,
    seed: int = 1,
    anchor: datetime | None = None,
    participants: int = PARTICIPANTS,
    hourly_limit: int = 1000,
    clock: Callable[[], float] = time.time,
) -> World:
    """120 events HIGH, 60 MEDIUM and 464 LOW at `anchor` (default: the clock's now), on 13 keys, all with people.

    Raises ValueError with a sentence for fewer people than events, or no calls.
    """
    events = sum(HIGH_EVENTS) + MEDIUM_EVENTS + LOW_EVENTS
    if participants < 10 * events:
        raise ValueError(f"The Saturday has {events} events: at least {10 * events} people, not {participants}.")
    if hourly_limit < 1:
        raise ValueError(f"A key must be allowed at least one call an hour, not {hourly_limit}.")
    moment = anchor or datetime.fromtimestamp(clock(), UTC)
    rng = Random(f"saturday|{seed}|{moment.timestamp():.0f}")  # noqa: S311 - invented data, the same for the same seed
    plans, owners = zip(*_plans_of_keys(rng=rng, anchor=moment), strict=True)
    races = make_races(rng=rng, anchor=moment, plans=list(plans))
    shares: list[list[int]] = [[] for _ in HIGH_EVENTS]
    for race, owner in zip(races, owners, strict=True):
        shares[owner].append(race.race_id)
    world = make_world(seed=seed, anchor=moment, races=races, shares=shares, hourly_limit=hourly_limit, clock=clock)
    people_the_world(world, rng=rng, plans=list(plans), participants=participants)
    return world


def _plans_of_keys(*, rng: Random, anchor: datetime) -> Iterator[tuple[RacePlan, int]]:
    """Each race to be, and the position of its key."""
    keys = len(HIGH_EVENTS)
    for key, (events, races) in enumerate(zip(HIGH_EVENTS, HIGH_RACES, strict=True)):
        counts = _evenly(events, races)
        for plan in plan_near(rng=rng, anchor=anchor, counts=counts, soon=HIGH, window=_HIGH_WINDOW):
            yield plan, key
    medium = _evenly(MEDIUM_EVENTS, MEDIUM_RACES)
    for number, plan in enumerate(plan_near(rng=rng, anchor=anchor, counts=medium, soon=MEDIUM, window=_MEDIUM_WINDOW)):
        yield plan, number % keys
    low = _evenly(LOW_EVENTS, LOW_RACES)
    for number, plan in enumerate(plan_far(rng=rng, anchor=anchor, counts=low, days=_LOW_DAYS)):
        yield plan, number % keys


def _evenly(total: int, parts: int) -> list[int]:
    return share_out(total, [1.0] * parts)
