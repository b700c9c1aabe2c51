"""Whatever a small world looks like: nobody is forgotten, no cap or limit is exceeded, and order does not matter."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from project88 import settings as installed
from sync.core.pace import LONGEST_MEDIUM, Demand, calls_per_visit, pace_of, usable_per_hour
from sync.core.policy import DEFAULT_POLICY, Tier
from sync.core.tiers import StartWindow, finished_after, tier_at
from sync.services import lanes
from sync.simulation import lane, machine
from sync.simulation.report import busiest_hour, report_of
from sync.simulation.run import Way, simulate
from sync.simulation.world import Key, PlannedEvent, World

BEGINS = datetime(2026, 6, 6, 4, 0, tzinfo=UTC)
LENGTH = timedelta(hours=6)
CYCLE = DEFAULT_POLICY.cycle.total_seconds()

# From the least that the admin takes.
LIMITS = st.integers(10, 1000)


@st.composite
def worlds(draw, limits=LIMITS, most=30):
    keys = [
        Key(key_id=n, partner_id=n, name=f"key {n}", limit=draw(limits)) for n in range(1, draw(st.integers(1, 3)) + 1)
    ]
    races = draw(st.lists(st.tuples(st.sampled_from(keys), st.integers(-60, 40 * 60)), min_size=1, max_size=most // 2))
    events = []
    for race_id, (key, minutes) in enumerate(races, start=1):
        start = BEGINS + timedelta(minutes=minutes)
        for _ in range(draw(st.integers(1, 3))):
            window = StartWindow(earliest=start, latest=start)
            events.append(PlannedEvent(event_id=len(events) + 1, race_id=race_id, key_id=key.key_id, window=window))
    return World(name="small", keys=tuple(keys), events=tuple(events), begins=BEGINS, ends=BEGINS + LENGTH)


def longest_promised(world: World, key: Key) -> timedelta:
    """Four hours and a cycle where the key can keep the bounds of MEDIUM and LOW; else beside them what its races take
    in turn.

    Reckoned with all races MEDIUM, as most of them are at some time, and with a half more for those that change tiers.
    """
    races = {event.race_id for event in world.events if event.key_id == key.key_id}
    found = pace_of(Demand(high=0, medium=len(races), low=0), rate=key.limit, policy=DEFAULT_POLICY)
    in_turn = found.periods[Tier.MEDIUM] * 1.5
    fits = in_turn <= LONGEST_MEDIUM * 1.5
    return timedelta(hours=4) + DEFAULT_POLICY.cycle + (timedelta(0) if fits else in_turn)


@settings(max_examples=25, deadline=None)
@given(worlds(), st.sampled_from([0.2, 1.5, 4.0]))
def test_no_event_is_forgotten_and_no_cap_or_limit_exceeded(world, latency):
    history = simulate(world, Way.PROJECT88, latency=latency)
    promised = {key.key_id: longest_promised(world, key) for key in world.keys}
    for event in world.events:
        # Whatever is asked of its key: within four hours, or until it was over.
        until = min(world.ends, finished_after(event.window, policy=DEFAULT_POLICY))
        moments = [world.begins, *(sync.started for sync in history.syncs[event.event_id]), until]
        assert max(b - a for a, b in pairwise(moments)) <= promised[event.key_id]
    for tier in Tier:
        assert history.most_picked[tier] <= DEFAULT_POLICY.rule(tier).cap
    for key in world.keys:
        assert busiest_hour(history.calls[key.key_id]) <= key.limit


@settings(max_examples=15, deadline=None)
@given(
    limit=st.integers(30, 1000),
    high=st.integers(0, 25),
    medium=st.integers(0, 12),
    low=st.integers(1, 25),
    latency=st.floats(0.2, 3.0),
)
def test_low_waits_four_hours_and_a_cycle_at_most_however_crowded_its_key(limit, high, medium, low, latency):
    # Four fifths of what the key sustains are enough for the bounds of MEDIUM and LOW: what exceeds is HIGH's.
    floors = medium * 4 * calls_per_visit(Tier.MEDIUM) + low * calls_per_visit(Tier.LOW) / 3.75
    assume(floors <= usable_per_hour(limit) * 0.8)
    starts = [timedelta(hours=4)] * high + [timedelta(hours=14)] * medium + [timedelta(days=8)] * low
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
    world = World(name="one key", keys=(key,), events=events, begins=BEGINS, ends=BEGINS + timedelta(hours=9))
    report = report_of(world, simulate(world, Way.PROJECT88, latency=latency), policy=DEFAULT_POLICY)
    assert report.low_wait <= 4 * 3600 + CYCLE


@settings(max_examples=15, deadline=None)
@given(worlds(limits=st.integers(600, 3000), most=16), st.sampled_from([0.5, 1.5, 2.0]))
def test_with_calls_that_take_time_what_fits_is_late_by_the_calls_of_its_own_key_at_most(world, latency):
    history = simulate(world, Way.PROJECT88, latency=latency)
    report = report_of(world, history, policy=DEFAULT_POLICY)
    fits = {key.key_id for key, found in zip(world.keys, report.keys, strict=True) if not found.over_budget}
    for event in world.events:
        if event.key_id not in fits:
            continue
        # In a lane the races of a key wait for each other: two calls each, three where a list is compared in full.
        races = len({other.race_id for other in world.events if other.key_id == event.key_id})
        for before, after in pairwise(history.syncs[event.event_id]):
            period = DEFAULT_POLICY.rule(before.tier).period.total_seconds()
            assert (after.started - before.started).total_seconds() <= period + CYCLE + races * 3 * latency


@settings(max_examples=25, deadline=None)
@given(worlds(limits=st.just(1000), most=16))
def test_what_fits_its_keys_budget_is_synced_within_its_period_and_a_cycle(world):
    # Calls that take no time: in a lane the races of a key wait for each other, a second or two each.
    history = simulate(world, Way.PROJECT88, latency=0.0)
    report = report_of(world, history, policy=DEFAULT_POLICY)
    assert not any(key.over_budget for key in report.keys)
    for event in world.events:
        for before, after in pairwise(history.syncs[event.event_id]):
            period = DEFAULT_POLICY.rule(before.tier).period.total_seconds()
            assert (after.started - before.started).total_seconds() <= period + CYCLE
    assert report.low_wait is None or report.low_wait <= 3600 + CYCLE


@settings(max_examples=10, deadline=None)
@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_the_events_does_not_matter(world, chance):
    shuffled = list(world.events)
    chance.shuffle(shuffled)
    one, other = (simulate(replace(world, events=tuple(events)), Way.PROJECT88) for events in (world.events, shuffled))
    assert dict(one.syncs) == dict(other.syncs)
    assert dict(one.calls) == dict(other.calls)


def world_of(*, races: int, limit: int, start: timedelta, length: timedelta = LENGTH) -> World:
    window = StartWindow(earliest=BEGINS + start, latest=BEGINS + start)
    events = tuple(PlannedEvent(event_id=n, race_id=n, key_id=1, window=window) for n in range(1, races + 1))
    key = Key(key_id=1, partner_id=1, name="key 1", limit=limit)
    return World(name="one key", keys=(key,), events=events, begins=BEGINS, ends=BEGINS + length)


def test_the_caps_hold_when_everything_is_due_at_once():
    world = world_of(races=200, limit=1000, start=timedelta(hours=2))
    due = tuple(replace(event, due_at=BEGINS, key_id=1 + event.event_id % 40) for event in world.events)
    keys = tuple(replace(world.keys[0], key_id=n, partner_id=n) for n in range(1, 41))
    history = simulate(replace(world, keys=keys, events=due, ends=BEGINS + timedelta(minutes=10)), Way.PROJECT88)
    assert history.most_picked[Tier.HIGH] == 50
    assert {event.event_id for event in due} == set(history.syncs)


def test_low_of_a_crowded_key_is_served_within_four_hours_and_a_cycle():
    crowd = world_of(races=18, limit=1000, start=timedelta(hours=30), length=timedelta(hours=31))
    low = tuple(
        replace(event, event_id=100 + event.event_id, race_id=100 + event.event_id, window=None)
        for event in crowd.events
    )
    world = replace(crowd, events=crowd.events + low)
    report = report_of(world, simulate(world, Way.PROJECT88), policy=DEFAULT_POLICY)
    assert report.keys[0].over_budget
    assert report.low_wait <= 4 * 3600 + CYCLE


def test_after_the_last_high_moment_an_event_is_left_alone():
    world = world_of(races=2, limit=1000, start=timedelta(hours=1))
    history = simulate(world, Way.PROJECT88)
    last = max(sync.started for syncs in history.syncs.values() for sync in syncs)
    assert timedelta(0) <= last - (BEGINS + timedelta(hours=2)) <= DEFAULT_POLICY.cycle
    assert tier_at(world.events[0].window, now=world.ends, policy=DEFAULT_POLICY) is None


@pytest.mark.parametrize("way", list(Way))
def test_a_call_of_no_time_and_a_world_of_no_time_end(way):
    world = world_of(races=3, limit=20, start=timedelta(hours=1), length=timedelta(minutes=30))
    assert simulate(world, way, latency=0.0).syncs
    assert simulate(replace(world, ends=world.begins), way) is not None


def test_the_lane_is_the_one_of_production():
    for name in ("LANE_SECONDS", "FIRST_CALL_PATIENCE", "LATER_CALL_PATIENCE", "LOOK_EVERY"):
        assert getattr(lane, name) == getattr(lanes, name)
    assert installed.Q_CLUSTER["ALT_CLUSTERS"]["sync"]["workers"] == machine.WORKERS


def test_progress_is_told_and_never_goes_back():
    told: list[float] = []
    simulate(world_of(races=2, limit=1000, start=timedelta(hours=3)), Way.PROJECT88, progress=told.append)
    assert told == sorted(told)
    assert told
    assert told[-1] <= 1


def test_the_busiest_hour_does_not_count_the_call_exactly_an_hour_before():
    assert busiest_hour([0.0, 1.0, 3599.9, 3600.0]) == 3
    assert busiest_hour([]) == 0
    chance = random.Random(1)
    moments = [chance.random() * 10_000 for _ in range(200)]
    assert busiest_hour(moments) == max(sum(a <= b < a + 3600 for b in moments) for a in moments)
