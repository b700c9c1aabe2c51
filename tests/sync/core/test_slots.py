"""Due times: the 540 syncs of a race day, phases, tier changes and back-off."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.core.policy import DEFAULT_POLICY, Tier
from sync.core.slots import comes_along, entry_due, next_due, phase, retry_due, slot_at_or_after
from sync.core.tiers import StartWindow

MINUTE = timedelta(minutes=1)


def window_at(start: datetime) -> StartWindow:
    return StartWindow(earliest=start, latest=start)


def visits(start: datetime, *, race_id: int) -> list[datetime]:
    """When an event is visited from 30 hours before its start on, each visit taking no time."""
    window = window_at(start)
    moment: datetime | None = start - timedelta(hours=30)
    found = []
    while moment is not None:
        found.append(moment)
        moment = next_due(window=window, race_id=race_id, now=moment, policy=DEFAULT_POLICY)
    return found


@pytest.mark.parametrize(
    ("local_start", "zone"),
    [
        (datetime(2026, 6, 6, 8, 0), "America/New_York"),
        (datetime(2026, 3, 8, 8, 0), "America/New_York"),  # the clocks go forward that night
        (datetime(2026, 11, 1, 8, 0), "America/New_York"),  # and back
        (datetime(2026, 11, 1, 1, 30), "America/New_York"),  # a start in the hour that comes twice
        (datetime(2026, 3, 29, 9, 0), "Europe/Berlin"),
        (datetime(2026, 10, 25, 2, 30), "Europe/Berlin"),
        (datetime(2026, 10, 4, 7, 0), "Australia/Lord_Howe"),  # by half an hour
    ],
)
@pytest.mark.parametrize("race_id", [974559, 1, 88])
def test_a_race_day_has_540_syncs_also_when_the_clocks_change(local_start, zone, race_id):
    start = local_start.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    day = [at for at in visits(start, race_id=race_id) if at >= start - timedelta(hours=24)]
    assert abs(len(day) - 540) <= 2
    high = [at for at in day if at >= start - timedelta(hours=4)]
    gaps = [later - earlier for earlier, later in pairwise(high)]
    assert max(gaps) <= MINUTE


def test_a_low_event_is_due_again_at_the_moment_it_becomes_medium():
    start = datetime(2026, 6, 6, 12, 0, tzinfo=UTC)
    due = next_due(
        window=window_at(start), race_id=5, now=start - timedelta(hours=24, minutes=10), policy=DEFAULT_POLICY
    )
    assert due is not None
    assert due <= start - timedelta(hours=24)


def test_the_last_visit_falls_on_the_last_moment_of_high():
    start = datetime(2026, 6, 6, 12, 0, tzinfo=UTC)
    assert visits(start, race_id=3)[-1] == start + timedelta(hours=1)


def test_an_outage_is_followed_by_one_visit_not_by_sixty():
    start = datetime(2026, 6, 6, 12, 0, tzinfo=UTC)
    back = start - timedelta(hours=2)
    due = next_due(window=window_at(start), race_id=3, now=back, policy=DEFAULT_POLICY)
    assert due is not None
    assert back < due <= back + MINUTE


def test_races_that_enter_high_together_are_spread_over_the_cycles_of_a_minute():
    entry = datetime(2026, 6, 6, 8, 0, tzinfo=UTC)
    firsts = [entry_due(tier=Tier.HIGH, race_id=race, at=entry, policy=DEFAULT_POLICY) for race in range(120)]
    assert max(firsts.count(moment) for moment in firsts) <= 35
    assert set(firsts) == {entry + cycle * DEFAULT_POLICY.cycle for cycle in range(6)}


@given(st.integers(min_value=1, max_value=10**9), st.integers(min_value=0, max_value=2**32))
def test_slots_of_a_race_keep_their_phase(race_id, seconds):
    moment = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    cycle = DEFAULT_POLICY.cycle
    slot = slot_at_or_after(moment, race_id=race_id, period=MINUTE, cycle=cycle)
    assert moment <= slot < moment + MINUTE
    following = slot_at_or_after(slot + timedelta(microseconds=1), race_id=race_id, period=MINUTE, cycle=cycle)
    assert following == slot + MINUTE
    assert timedelta(0) <= phase(race_id, period=MINUTE, cycle=cycle) < MINUTE


@given(st.integers(min_value=1, max_value=10**9), st.sampled_from([1, 5, 10, 12, 30, 60]), st.sampled_from(list(Tier)))
def test_a_slot_is_a_moment_at_which_a_cycle_begins(race_id, seconds, tier):
    """Otherwise each visit of the race would begin late by the same part of a cycle, for ever."""
    cycle, moment = timedelta(seconds=seconds), datetime(2026, 6, 6, 8, 0, 7, tzinfo=UTC)
    slot = slot_at_or_after(moment, race_id=race_id, period=DEFAULT_POLICY.rule(tier).period, cycle=cycle)
    assert (slot - datetime(1970, 1, 1, tzinfo=UTC)) % cycle == timedelta(0)


@given(
    failures=st.integers(min_value=1, max_value=10_000),
    jitter=st.floats(min_value=0, max_value=1, exclude_max=True),
    hours=st.sampled_from([2, 10, 100]),
)
def test_back_off_stays_below_the_bound_of_its_tier(failures, jitter, hours):
    start = datetime(2026, 6, 6, 12, 0, tzinfo=UTC)
    now = start - timedelta(hours=hours)
    due = retry_due(window=window_at(start), now=now, failures=failures, policy=DEFAULT_POLICY, jitter=jitter)
    bound = {2: timedelta(minutes=5), 10: timedelta(minutes=30), 100: timedelta(hours=4)}[hours]
    assert due is not None
    assert now <= due <= now + bound


def test_one_failure_is_retried_within_the_period():
    start = datetime(2026, 6, 6, 12, 0, tzinfo=UTC)
    due = retry_due(window=window_at(start), now=start, failures=1, policy=DEFAULT_POLICY, jitter=0.999)
    assert due is not None
    assert due < start + MINUTE


def test_an_event_due_within_half_its_period_comes_along():
    now = datetime(2026, 6, 6, 12, 0, tzinfo=UTC)
    for tier, seconds in ((Tier.HIGH, 30), (Tier.MEDIUM, 150), (Tier.LOW, 1800)):
        near, far = now + timedelta(seconds=seconds), now + timedelta(seconds=seconds + 1)
        assert comes_along(due_at=near, now=now, tier=tier, policy=DEFAULT_POLICY)
        assert not comes_along(due_at=far, now=now, tier=tier, policy=DEFAULT_POLICY)


def test_a_stretched_event_is_due_a_stretched_period_after_it_was_due_however_late_the_visit_was():
    was_due = datetime(2026, 6, 6, 8, 0, tzinfo=UTC)
    window = window_at(was_due + timedelta(hours=2))

    def due_after(stretched: int, *, visited: float) -> float:
        due = next_due(
            window=window,
            race_id=1,
            now=was_due + timedelta(seconds=visited),
            policy=DEFAULT_POLICY,
            stretched=timedelta(seconds=stretched),
            due_at=was_due,
        )
        assert due is not None
        return (due - was_due).total_seconds()

    # What the cycle and the lane took does not add up.
    assert due_after(80, visited=3) == due_after(80, visited=14) == 80
    # After an outage one visit, and then the tier's own period again (a cycle may come up to a cycle later).
    assert due_after(80, visited=600) == 600 + 50


def test_a_stretched_event_that_came_along_before_it_was_due_is_due_a_stretched_period_later():
    now = datetime(2026, 6, 6, 8, 0, tzinfo=UTC)
    due = next_due(
        window=window_at(now + timedelta(hours=2)),
        race_id=1,
        now=now,
        policy=DEFAULT_POLICY,
        came_along=True,
        stretched=timedelta(seconds=80),
        due_at=now + timedelta(seconds=25),
    )
    assert due == now + timedelta(seconds=80)
