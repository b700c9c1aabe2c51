"""The arithmetic of the call budget, for any order of calls. Times are seconds, rates calls an hour."""

from __future__ import annotations

from bisect import bisect_right

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partners import budget
from partners.budget import HOUR, Bucket

PURPOSES = ["HIGH", "MEDIUM", "LOW", "background"]
limits = st.integers(min_value=10, max_value=5000)
pauses = st.one_of(st.just(0.0), st.floats(min_value=0, max_value=30), st.floats(min_value=0, max_value=4000))


def most_in_an_hour(times: list[float]) -> int:
    return max((position - bisect_right(times, at - HOUR) + 1 for position, at in enumerate(times)), default=0)


class Key:
    """A key whose callers ask as they like; the budget decides."""

    def __init__(self, limit: int) -> None:
        self.limit = self.rate = limit
        self.arrival = self.now = 0.0
        self.slowed_at: float | None = None
        self.paused_until = 0.0
        self.calls: list[float] = []

    def ask(self, purpose: str = "HIGH") -> bool:
        if self.now < self.paused_until:
            return False
        if self.slowed_at is not None:
            since = self.now - max(self.slowed_at, self.paused_until)
            raised = budget.raised(rate=self.rate, limit=self.limit, since_change=since)
            if raised != self.rate:
                self.rate, self.slowed_at = raised, self.now
        self.arrival, wait = budget.spend(rate=self.rate, arrival=self.arrival, now=self.now, purpose=purpose)
        if wait:
            return False
        self.calls.append(self.now)
        return True

    def throttled(self, retry_after: float | None) -> None:
        self.rate, self.slowed_at = budget.slowed(rate=self.rate), self.now
        self.paused_until = self.now + budget.pause(retry_after=retry_after)


@given(limit=limits, steps=st.lists(st.tuples(pauses, st.integers(1, 40), st.sampled_from(PURPOSES)), max_size=60))
def test_no_sliding_hour_exceeds_the_limit_whatever_the_order_of_calls(limit, steps):
    key = Key(limit)
    for pause, asked, purpose in steps:
        key.now += pause
        for _ in range(asked):
            key.ask(purpose)
    assert most_in_an_hour(key.calls) <= limit


@given(
    limit=limits,
    steps=st.lists(
        st.tuples(st.floats(0, 600), st.integers(1, 30), st.one_of(st.none(), st.just(0.0), st.floats(0, 500))),
        max_size=60,
    ),
)
def test_no_sliding_hour_exceeds_the_limit_while_a_key_is_slowed_and_recovers(limit, steps):
    key = Key(limit)
    for pause, asked, retry_after in steps:
        key.now += pause
        for _ in range(asked):
            key.ask()
        if retry_after is not None and key.now >= key.paused_until:
            key.throttled(retry_after or None)
    assert most_in_an_hour(key.calls) <= limit


@pytest.mark.parametrize("limit", [10, 120, 1000])
def test_a_caller_who_never_stops_asking_gets_exactly_the_limit_in_the_first_hour(limit):
    key = Key(limit)
    while key.now < HOUR:
        if not key.ask():
            _arrival, wait = budget.spend(rate=limit, arrival=key.arrival, now=key.now, purpose="HIGH")
            key.now += wait
    assert len([at for at in key.calls if at < HOUR]) == pytest.approx(limit, abs=1)
    assert most_in_an_hour(key.calls) <= limit


@given(limit=limits, spent=st.integers(0, 30), purpose=st.sampled_from(PURPOSES))
def test_a_refused_caller_may_call_after_the_wait_it_was_told_and_not_before(limit, spent, purpose):
    key = Key(limit)
    for _ in range(spent):
        key.ask()
    _arrival, wait = budget.spend(rate=limit, arrival=key.arrival, now=0.0, purpose=purpose)
    if wait:
        assert budget.spend(rate=limit, arrival=key.arrival, now=wait * 0.99 - 1e-6, purpose=purpose)[1] > 0
    assert budget.spend(rate=limit, arrival=key.arrival, now=wait, purpose=purpose)[1] == 0


@pytest.mark.parametrize(("purpose", "calls"), [("HIGH", 20), ("MEDIUM", 17), ("LOW", 13), ("background", 9)])
def test_the_less_urgent_leave_calls_for_the_more_urgent(purpose, calls):
    key = Key(1000)
    assert [key.ask(purpose) for _ in range(25)].count(True) == calls


@given(limit=limits)
def test_even_a_small_key_serves_every_purpose(limit):
    assert all(Key(limit).ask(purpose) for purpose in PURPOSES)


def test_free_calls_are_those_that_could_be_made_at_once():
    key = Key(1000)
    free = []
    for _ in range(22):
        free.append(budget.free_calls(rate=1000, arrival=key.arrival, now=0.0))
        key.ask()
    assert free == [*range(20, 0, -1), 0, 0]
    assert budget.free_calls(rate=1000, arrival=key.arrival, now=Bucket.of(1000).interval) == 1


def test_throttling_slows_a_key_by_three_tenths_and_never_below_120_an_hour():
    rates = [1000]
    for _ in range(8):
        rates.append(budget.slowed(rate=rates[-1]))
    assert rates == [1000, 700, 489, 342, 239, 167, 120, 120, 120]
    assert budget.slowed(rate=60) == 60


def test_a_pause_is_what_the_provider_asked_but_at_least_a_minute_and_at_most_an_hour():
    asked = [None, 0.0, 30.0, 600.0, 86_400.0]
    assert [budget.pause(retry_after=seconds) for seconds in asked] == [60, 60, 60, 600, 3600]


def test_a_slowed_key_gains_25_an_hour_every_five_minutes_up_to_its_limit():
    gained = [budget.raised(rate=700, limit=1000, since_change=seconds) for seconds in (0, 299, 300, 900, 100_000)]
    assert gained == [700, 700, 725, 775, 1000]


def test_a_limit_that_cannot_be_kept_is_refused():
    with pytest.raises(ValueError, match="at least 2"):
        Bucket.of(1)


def test_fault_16_an_arrival_that_only_a_clock_set_back_explains_is_not_waited_for():
    full = budget.believable_arrival(rate=1000, arrival=1_000_000 + 3600, now=1_000_000)
    assert budget.spend(rate=1000, arrival=full, now=1_000_000, purpose="HIGH")[1] < 5
    # What spending alone can have brought about stays as it is.
    spent = 0.0
    arrival = 1_000_000.0
    while not spent:
        arrival, spent = budget.spend(rate=1000, arrival=arrival, now=1_000_000, purpose="HIGH")
    assert budget.believable_arrival(rate=1000, arrival=arrival, now=1_000_000) == arrival
