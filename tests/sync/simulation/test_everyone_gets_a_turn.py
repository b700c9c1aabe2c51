"""No event is ever forgotten, also in a key that is asked for far more than it can do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from partners.budget import HOUR
from sync.core import turns
from sync.core.pace import LONGEST_LOW, Demand, pace_of, usable_per_hour
from sync.core.policy import DEFAULT_POLICY
from sync.core.tiers import StartWindow, finished_after
from sync.simulation.history import History
from sync.simulation.run import Way, simulate
from sync.simulation.world import Key, PlannedEvent, World

BEGINS = datetime(2026, 6, 6, 4, 0, tzinfo=UTC)
# HIGH lasts five hours; as many races follow each time, so that it never ends.
HIGH_LASTS = timedelta(hours=5)
# The list, what changed, and who left: the most calls of a visit whose lists fit a page.
MOST_CALLS = 3


def crowded(*, limit: int, high: int, low: int, hours: int) -> World:
    waves = range(hours // 5 + 1)
    starts = [timedelta(hours=4) + wave * HIGH_LASTS for wave in waves for _ in range(high)]
    starts += [timedelta(days=8)] * low
    events = tuple(
        PlannedEvent(
            event_id=n,
            race_id=n,
            key_id=1,
            window=StartWindow(earliest=BEGINS + start, latest=BEGINS + start),
            visits=n,
            reconciled_at=BEGINS - timedelta(hours=n % 24),
        )
        for n, start in enumerate(starts, start=1)
    )
    key = Key(key_id=1, partner_id=1, name="key 1", limit=limit)
    return World(name="crowded", keys=(key,), events=events, begins=BEGINS, ends=BEGINS + timedelta(hours=hours))


def longest_waits(world: World, history: History) -> list[float]:
    """Of each event, in hours: before its first sync, between two, and after its last one."""
    waits = []
    for event in world.events:
        ends = min(world.ends, finished_after(event.window, policy=DEFAULT_POLICY))
        moments = [world.begins, *(sync.started for sync in history.syncs[event.event_id]), ends]
        waits.append(max((after - before).total_seconds() for before, after in pairwise(moments)) / HOUR)
    return waits


def bound(world: World, *, latency: float) -> float:
    """Hours. Its stretched period, until it is late enough for a turn, and then one visit of each other race: what was
    visited meanwhile has a later due time. Of the time, one cycle of `ONE_OF` is for that, two rounds where it is
    unlucky; in it a call takes as long as the key's rate or the call itself does, whichever is slower."""
    (key,) = world.keys
    races = len({event.race_id for event in world.events})
    pace = pace_of(Demand(high=0, medium=0, low=races), rate=key.limit, policy=DEFAULT_POLICY)
    period = max(LONGEST_LOW, *pace.periods.values()).total_seconds() / HOUR
    call = max(1 / usable_per_hour(key.limit), latency / HOUR)
    return period + 1 + 2 * turns.ONE_OF * MOST_CALLS * races * call


@pytest.mark.parametrize(
    ("limit", "high", "low", "latency"),
    [
        (65, 15, 4, 1.5),  # a tenth of some 600 races at 650 calls an hour
        (1090, 18, 4, 4.0),  # a lane slower than its limit
    ],
)
def test_in_a_key_asked_for_far_too_much_low_is_not_forgotten(limit, high, low, latency):
    world = crowded(limit=limit, high=high, low=low, hours=12)
    assert max(longest_waits(world, simulate(world, Way.PROJECT88, latency=latency))[-low:]) <= 10


def test_without_its_turn_low_gets_nothing_from_a_lane_slower_than_its_limit(monkeypatch):
    world = crowded(limit=1090, high=18, low=4, hours=6)
    monkeypatch.setattr(turns, "ONE_OF", 10**9)
    assert max(longest_waits(world, simulate(world, Way.PROJECT88, latency=4.0))[-4:]) > 5


@settings(max_examples=3, deadline=None)
@given(
    limit=st.integers(600, 1100), high=st.integers(3, 4), low=st.integers(1, 3), latency=st.sampled_from([15.0, 20.0])
)
def test_everything_waits_at_most_for_its_period_and_a_turn_of_all_others(limit, high, low, latency):
    # Calls so slow that the lane never comes to the end of what is HIGH.
    world = crowded(limit=limit, high=high, low=low, hours=20)
    longest = bound(world, latency=latency)
    assert longest < 20
    assert max(longest_waits(world, simulate(world, Way.PROJECT88, latency=latency))) <= longest
