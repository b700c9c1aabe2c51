"""The plan of one cycle: caps, order, budget, and a reason for everything that does not run."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partners.budget import reserve
from sync.core.planning import Candidate, KeyState, Verdict, plan
from sync.core.policy import DEFAULT_POLICY, Tier
from sync.core.spending import need_not_leave_after

NOW = datetime(2026, 6, 6, 10, 0, tzinfo=UTC)


def candidate(
    event: int, *, race: int | None = None, key: int = 1, partner: int | None = None, late: int = 0, tier=Tier.HIGH
):
    return Candidate(
        event_id=event,
        race_id=event if race is None else race,
        credential_id=key,
        partner_id=key if partner is None else partner,
        tier=tier,
        due_at=NOW - timedelta(seconds=late),
    )


def keys(*numbers: int, free: int = 20, **more):
    return {number: KeyState(credential_id=number, free=free, limit=1000, **more) for number in numbers}


def run_ids(decisions):
    return [decision.event_id for decision in decisions if decision.verdict is Verdict.RUN]


def decide(candidates, key_states):
    return plan(candidates, key_states, now=NOW, policy=DEFAULT_POLICY)


def test_a_cycle_takes_at_most_the_cap_of_each_tier():
    candidates = [
        candidate(number, race=number % 3, key=number % 7, tier=tier)
        for position, tier in enumerate(Tier)
        for number in range(position * 1000, position * 1000 + 80)
    ]
    decisions = decide(candidates, keys(*range(7)))
    for tier, cap in ((Tier.HIGH, 50), (Tier.MEDIUM, 20), (Tier.LOW, 10)):
        assert sum(d.tier is tier and d.verdict is Verdict.RUN for d in decisions) == cap
    deferred = next(d for d in decisions if d.verdict is Verdict.DEFER)
    assert "already took 50" in deferred.reason


def test_the_most_overdue_runs_first_and_partners_take_turns():
    big = [candidate(number, race=1, key=1, late=500 - number) for number in range(60)]
    small = [candidate(100 + number, race=2, key=2, late=10) for number in range(5)]
    ran = run_ids(decide(big + small, keys(1, 2)))
    assert set(range(100, 105)) <= set(ran)
    assert [event for event in ran if event < 60] == list(range(45))


def test_a_race_costs_one_call_however_many_of_its_events_are_due():
    ran = run_ids(decide([candidate(number, race=7) for number in range(5)], keys(1, free=1)))
    assert len(ran) == 5


def test_less_urgent_tiers_leave_a_reserve_for_high():
    for tier, free in ((Tier.HIGH, 1), (Tier.MEDIUM, 4), (Tier.LOW, 8)):
        assert run_ids(decide([candidate(1, tier=tier)], keys(1, free=free)))
        refused = decide([candidate(1, tier=tier)], keys(1, free=free - 1))[0]
        assert refused.verdict is Verdict.DEFER
        assert "calls free" in refused.reason


def test_a_refused_key_blocks_and_a_paused_one_defers_with_the_reason():
    blocked = decide([candidate(1)], keys(1, blocked_reason="the key is paused by staff"))[0]
    assert (blocked.verdict, blocked.reason) == (Verdict.BLOCKED, "the key is paused by staff")
    paused = decide([candidate(1)], keys(1, paused_until=NOW + timedelta(minutes=1)))[0]
    assert paused.verdict is Verdict.DEFER
    assert paused.facts["paused_until"] == NOW + timedelta(minutes=1)


def test_what_is_not_due_waits():
    assert decide([candidate(1, late=-1)], keys(1))[0].verdict is Verdict.WAIT


def has_waited_long(candidate: Candidate) -> bool:
    return NOW - candidate.due_at >= need_not_leave_after(candidate.tier, policy=DEFAULT_POLICY)


@pytest.mark.parametrize(("tier", "seconds"), [(Tier.MEDIUM, 30), (Tier.LOW, 360)])
def test_what_has_waited_a_tenth_of_its_period_need_not_leave_a_reserve(tier, seconds):
    assert run_ids(decide([candidate(1, tier=tier, late=seconds)], keys(1, free=1))) == [1]
    assert run_ids(decide([candidate(1, tier=tier, late=seconds - 1)], keys(1, free=1))) == []
    # HIGH still goes first, and without any call nobody does.
    assert run_ids(decide([candidate(1, tier=tier, late=seconds), candidate(2)], keys(1, free=1))) == [2]
    assert run_ids(decide([candidate(1, tier=tier, late=seconds)], keys(1, free=0))) == []


events = st.lists(
    st.builds(
        candidate,
        event=st.integers(0, 200),
        race=st.integers(0, 40),
        key=st.integers(1, 5),
        late=st.integers(-5, 4000) | st.sampled_from([10, 400]),
        tier=st.sampled_from(Tier),
    ),
    max_size=150,
    unique_by=lambda item: item.event_id,
)


@given(events, st.integers(0, 20), st.randoms())
def test_the_plan_forgets_nobody_and_keeps_caps_and_budgets_in_any_order(candidates, free, rng: random.Random):
    states = keys(1, 2, 3, 4, free=free)
    decisions = decide(candidates, states)
    assert {d.event_id for d in decisions} == {c.event_id for c in candidates}
    assert all(d.reason for d in decisions)
    shuffled = list(candidates)
    rng.shuffle(shuffled)
    assert decide(shuffled, states) == decisions
    by_id = {c.event_id: c for c in candidates}
    for tier in Tier:
        assert sum(d.tier is tier and d.verdict is Verdict.RUN for d in decisions) <= DEFAULT_POLICY.rule(tier).cap
    for key in (1, 2, 3, 4):
        races = {by_id[event].race_id for event in run_ids(decisions) if by_id[event].credential_id == key}
        assert len(races) <= free
    ran = [by_id[event] for event in run_ids(decisions)]
    # What has not waited long leaves LOW's reserve, unless another event of its race pays for the call.
    paid = {(c.credential_id, c.race_id) for c in ran if c.tier is not Tier.LOW or has_waited_long(c)}
    if any(c.tier is Tier.LOW and (c.credential_id, c.race_id) not in paid for c in ran):
        assert free > reserve("LOW", rate=1000)
