"""Elastic stretching of a key's periods: LOW first, then MEDIUM, then HIGH; floors stay; the sum fits the key."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partners.budget import HOUR
from sync.core.pace import (
    LONGEST_LOW,
    LONGEST_MEDIUM,
    Demand,
    calls_per_visit,
    pace_of,
    usable_per_hour,
    wanted_per_hour,
)
from sync.core.policy import DEFAULT_POLICY, Tier

MINUTE = timedelta(minutes=1)


def pace(rate: int = 1000, **races: int):
    return pace_of(Demand(**{"high": 0, "medium": 0, "low": 0, **races}), rate=rate, policy=DEFAULT_POLICY)


def test_a_key_with_room_keeps_every_period():
    found = pace(high=10, medium=10, low=30)
    assert not found.overloaded
    assert found.periods == {tier: DEFAULT_POLICY.rule(tier).period for tier in Tier}


def test_low_gives_first_then_medium_then_high():
    # 12 HIGH races want 864 calls an hour; what LOW and MEDIUM add decides who has to give.
    low_gives = pace(high=12, medium=2, low=75)
    assert low_gives.periods[Tier.LOW] > timedelta(hours=1)
    assert low_gives.periods[Tier.MEDIUM] == timedelta(minutes=5)
    assert low_gives.periods[Tier.HIGH] == MINUTE
    medium_gives = pace(high=13, medium=8, low=60)
    assert medium_gives.periods[Tier.LOW] == LONGEST_LOW
    assert timedelta(minutes=5) < medium_gives.periods[Tier.MEDIUM] <= LONGEST_MEDIUM
    assert medium_gives.periods[Tier.HIGH] == MINUTE
    high_gives = pace(high=18, medium=8, low=60)
    assert high_gives.periods[Tier.MEDIUM] == LONGEST_MEDIUM
    assert high_gives.periods[Tier.HIGH] > MINUTE


def test_eighteen_races_in_their_last_four_hours_are_synced_about_every_eighty_seconds():
    found = pace(high=18)
    assert timedelta(seconds=70) < found.periods[Tier.HIGH] < timedelta(seconds=85)


def test_races_about_to_start_are_stretched_last():
    found = pace(high=18, final=6)
    assert found.period(Tier.HIGH, is_final=True) == MINUTE
    assert found.period(Tier.HIGH, is_final=False) > MINUTE
    crowded = pace(high=30, final=30)
    assert crowded.period(Tier.HIGH, is_final=True) > MINUTE


races = st.integers(min_value=0, max_value=60)


@given(high=races, medium=races, low=st.integers(0, 400), final=races, rate=st.integers(10, 3000))
def test_what_is_stretched_always_fits_the_key_and_the_urgent_never_wait_longer(high, medium, low, final, rate):
    counts = {Tier.HIGH: high, Tier.MEDIUM: medium, Tier.LOW: low}
    final = min(final, high)
    found = pace(rate=rate, high=high, medium=medium, low=low, final=final)
    policy_periods = {tier: DEFAULT_POLICY.rule(tier).period for tier in Tier}
    if not found.overloaded:
        assert found.periods == policy_periods
        return
    assert all(found.periods[tier] >= policy_periods[tier] for tier in Tier)
    assert policy_periods[Tier.HIGH] <= found.final <= found.periods[Tier.HIGH]
    used = [found.periods[tier] for tier in Tier if counts[tier]]
    assert used == sorted(used)

    def load(periods) -> float:
        calls = sum(counts[tier] * per_hour(tier, periods[tier]) for tier in Tier)
        return calls + final * (per_hour(Tier.HIGH, found.final) - per_hour(Tier.HIGH, periods[Tier.HIGH]))

    def per_hour(tier: Tier, period: timedelta) -> float:
        return calls_per_visit(tier, overloaded=True) * HOUR / period.total_seconds()

    assert load(found.periods) <= usable_per_hour(rate) * 1.001
    # The bounds of MEDIUM and LOW hold whenever a key can keep them, with HIGH as rare as MEDIUM.
    floors = {Tier.HIGH: LONGEST_MEDIUM, Tier.MEDIUM: LONGEST_MEDIUM, Tier.LOW: LONGEST_LOW}
    if sum(counts[tier] * per_hour(tier, floors[tier]) for tier in Tier) <= usable_per_hour(rate):
        assert all(found.periods[tier] <= floors[tier] for tier in Tier)


def test_a_key_too_small_for_the_bounds_serves_its_races_in_turn_and_the_urgent_no_later():
    in_turn = pace(rate=60, high=1, medium=14)
    assert in_turn.periods[Tier.HIGH] == in_turn.periods[Tier.MEDIUM] == in_turn.final > LONGEST_MEDIUM
    everybody = pace(rate=10, high=1, medium=20, low=30)
    assert set(everybody.periods.values()) == {everybody.final}
    assert everybody.final > LONGEST_LOW


def test_a_policy_slower_than_the_bounds_is_never_made_faster_by_stretching():
    slow = replace(DEFAULT_POLICY, low=replace(DEFAULT_POLICY.low, period=timedelta(hours=6)))
    found = pace_of(Demand(high=30, medium=0, low=10), rate=1000, policy=slow)
    assert found.periods[Tier.LOW] == timedelta(hours=6)


@pytest.mark.parametrize("tier", list(Tier))
def test_wanted_calls_count_the_look_for_withdrawals(tier):
    demand = Demand(**{"high": 0, "medium": 0, "low": 0, tier.value.lower(): 1})
    per_hour = HOUR / DEFAULT_POLICY.rule(tier).period.total_seconds()
    assert wanted_per_hour(demand, policy=DEFAULT_POLICY) == per_hour * calls_per_visit(tier)
