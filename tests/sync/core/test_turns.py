"""Whose turn it is in a key: what has waited longest has one cycle of a few, and then goes by its due time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from sync.core import turns
from sync.core.planning import Candidate, KeyState, Verdict, plan
from sync.core.policy import DEFAULT_POLICY, Tier
from sync.core.turns import ONE_OF, has_turn, place_in_line

NOW = datetime(2026, 6, 6, 10, 0, tzinfo=UTC)
CYCLE = DEFAULT_POLICY.cycle
LATE = timedelta(hours=1)


def turns_of(key: int, *, cycles: int, late: timedelta = LATE) -> list[int]:
    moments = [NOW + number * CYCLE for number in range(cycles)]
    return [
        number for number, now in enumerate(moments) if has_turn(key, due_at=now - late, now=now, policy=DEFAULT_POLICY)
    ]


@pytest.mark.parametrize("key", [1, 2, 77])
def test_what_has_waited_longest_has_one_cycle_of_each_few_and_never_waits_for_two_rounds(key):
    found = turns_of(key, cycles=200 * ONE_OF)
    assert len(found) == pytest.approx(200, abs=1)
    assert max(b - a for a, b in pairwise(found)) < 2 * ONE_OF
    assert turns_of(key, cycles=200 * ONE_OF, late=LATE - timedelta(seconds=1)) == []


@pytest.mark.parametrize("every", [2, 3, ONE_OF, 40])
def test_calls_that_come_free_at_even_intervals_meet_a_turn(every):
    """A key of ten calls an hour has one every 40 cycles; a fixed place among them would never meet it."""
    for key in range(5):
        met = [number for number in turns_of(key, cycles=20 * ONE_OF * every) if number % every == 0]
        assert len(met) > 5


def test_a_turn_lasts_for_its_whole_cycle():
    number = turns_of(1, cycles=ONE_OF)[0]
    for part in (0, 5, 9.9):
        now = NOW + number * CYCLE + timedelta(seconds=part)
        assert has_turn(1, due_at=now - LATE, now=now, policy=DEFAULT_POLICY)


def test_in_a_turn_the_oldest_due_time_goes_first_and_else_high(monkeypatch):
    due = {Tier.HIGH: NOW - LATE * 1.5, Tier.MEDIUM: NOW - LATE * 0.9, Tier.LOW: NOW - LATE * 2}

    def in_line():
        return sorted(due, key=lambda tier: place_in_line(1, tier, due_at=due[tier], now=NOW, policy=DEFAULT_POLICY))

    monkeypatch.setattr(turns, "ONE_OF", 1)
    assert in_line() == [Tier.LOW, Tier.HIGH, Tier.MEDIUM]
    monkeypatch.setattr(turns, "ONE_OF", 10**9)
    assert in_line() == list(Tier)


@pytest.mark.parametrize(("one_of", "first"), [(1, 2), (10**9, 1)])
def test_the_plan_gives_the_last_call_to_what_has_its_turn(monkeypatch, one_of, first):
    monkeypatch.setattr(turns, "ONE_OF", one_of)
    candidates = [
        Candidate(event_id=n, race_id=n, credential_id=1, partner_id=1, tier=tier, due_at=NOW - late)
        for n, tier, late in ((1, Tier.HIGH, LATE), (2, Tier.LOW, LATE * 2), (3, Tier.LOW, LATE))
    ]
    keys = {1: KeyState(credential_id=1, free=1, limit=1000)}
    for order in (candidates, candidates[::-1]):
        decisions = plan(order, keys, now=NOW, policy=DEFAULT_POLICY)
        assert [decision.event_id for decision in decisions if decision.verdict is Verdict.RUN] == [first]
        assert {decision.event_id for decision in decisions} == {1, 2, 3}
