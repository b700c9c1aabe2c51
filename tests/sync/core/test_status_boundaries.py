"""The words at their boundaries: exactly one period, exactly two, the last moment, whatever else holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sync.core.day_ticks import SLACK, Gap, Length
from sync.core.policy import DEFAULT_POLICY, Tier
from sync.core.slots import next_due
from sync.core.status import EventState, Word, status_of
from sync.core.tiers import finished_after, start_window, tier_at

NOW = datetime(2026, 6, 6, 10, 0, tzinfo=UTC)
SOON = timedelta(microseconds=1)
FRESH = EventState(
    tier=Tier.HIGH,
    due_at=NOW + timedelta(seconds=30),
    checked_at=NOW - timedelta(seconds=30),
    is_running=False,
    is_picked=False,
    failures=0,
    over=False,
)
# The clocks go forward and back on these days in New York; the third one is an ordinary one.
DAYS = [datetime(2026, 3, 8, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 6, 6, tzinfo=UTC)]

tiers = st.sampled_from(Tier)
spans = st.timedeltas(min_value=-timedelta(hours=2), max_value=timedelta(days=2))
reasons = st.sampled_from(["", "said by somebody"])
states = st.builds(
    EventState,
    tier=st.none() | tiers,
    due_at=st.none() | spans.map(lambda span: NOW - span),
    checked_at=st.none() | spans.map(lambda span: NOW - abs(span)),
    is_running=st.booleans(),
    is_picked=st.booleans(),
    failures=st.integers(0, 5),
    over=st.booleans(),
    off_reason=reasons,
    blocked_reason=reasons,
    held_reason=reasons,
    period=st.none() | st.timedeltas(min_value=timedelta(seconds=20), max_value=timedelta(hours=4)),
)


def word(state: EventState, *, now: datetime = NOW) -> Word:
    return status_of(state, now=now, policy=DEFAULT_POLICY).word


@settings(max_examples=40)
@given(tier=tiers, stretched=st.none() | st.integers(20, 20_000), periods=st.sampled_from([1, 2]))
def test_exactly_one_period_is_not_late_and_exactly_two_are_not_overdue(tier, stretched, periods):
    period = timedelta(seconds=stretched) if stretched else DEFAULT_POLICY.rule(tier).period
    state = replace(FRESH, tier=tier, period=timedelta(seconds=stretched) if stretched else None)
    before, after = {1: (Word.QUEUED, Word.LATE), 2: (Word.LATE, Word.OVERDUE)}[periods]

    assert word(replace(state, due_at=NOW - periods * period)) is before
    assert word(replace(state, due_at=NOW - periods * period - SOON)) is after


@settings(max_examples=40)
@given(state=states)
def test_every_state_has_a_word_and_a_word_that_needs_somebody_has_a_reason(state):
    status = status_of(state, now=NOW, policy=DEFAULT_POLICY)

    assert status.word in Word
    if status.word is Word.NEEDS_ACTION:
        assert status.reason
    if status.word in {Word.LATE, Word.OVERDUE}:
        assert state.due_at is not None
    if status.word is Word.FINISHED:
        assert state.over


@settings(max_examples=40)
@given(state=states, waited=st.timedeltas(min_value=timedelta(0), max_value=timedelta(hours=9)))
def test_waiting_alone_never_makes_a_word_better(state, waited):
    worse = [Word.ON_TIME, Word.QUEUED, Word.LATE, Word.OVERDUE]
    now, later = word(state), word(state, now=NOW + waited)

    if now in worse:
        assert later in worse
        assert worse.index(later) >= worse.index(now)


@settings(max_examples=40)
@given(state=states)
def test_what_is_switched_off_on_purpose_needs_nobody_until_it_is_over(state):
    off = replace(state, off_reason="The API key of this race is paused.", over=False)

    assert word(off) is Word.NOT_SCHEDULED


@settings(max_examples=40)
@given(state=states)
def test_a_refused_key_needs_somebody_whatever_else_is_known_and_nobody_once_the_event_is_over(state):
    refused = replace(state, off_reason="", held_reason="", blocked_reason="RunSignUp refuses the key")

    assert word(replace(refused, over=False)) is Word.NEEDS_ACTION
    assert word(replace(refused, over=True)) is not Word.NEEDS_ACTION


@settings(max_examples=40)
@given(state=states)
def test_a_held_list_is_decided_also_after_the_event(state):
    assert word(replace(state, off_reason="", held_reason="40 of 50 people are missing")) is Word.NEEDS_ACTION


def test_a_paused_partner_comes_before_the_key_that_is_refused_too():
    state = replace(FRESH, off_reason="Casco Bay Timing is switched off.", blocked_reason="RunSignUp refuses the key")

    assert word(state) is Word.NOT_SCHEDULED


@pytest.mark.parametrize("day", DAYS)
@pytest.mark.parametrize("is_placeholder", [False, True])
@settings(max_examples=40)
@given(away=st.integers(-30 * 3600, 30 * 3600), race_id=st.integers(1, 99))
def test_an_event_is_on_time_or_queued_until_its_last_moment_and_finished_after_it(day, is_placeholder, away, race_id):
    """Also on the two days of the year that are not 24 hours long, and when only the day of the start is known."""
    starts_at = day + (timedelta(hours=5) if is_placeholder else timedelta(hours=12))
    window = start_window(starts_at=starts_at, is_placeholder=is_placeholder, timezone="America/New_York")
    assert window is not None
    now = window.latest + timedelta(seconds=away)
    tier = tier_at(window, now=now, policy=DEFAULT_POLICY)
    ends = finished_after(window, policy=DEFAULT_POLICY)
    # The last visit is due at that very moment; who made it owes no other.
    assume(now != ends)
    over = now > ends
    due = next_due(window=window, race_id=race_id, now=now, policy=DEFAULT_POLICY)
    state = replace(FRESH, tier=tier, due_at=due if tier else None, checked_at=now, over=over)

    assert word(state, now=now) in ({Word.FINISHED} if over else {Word.ON_TIME, Word.QUEUED})
    if tier and due:
        period = DEFAULT_POLICY.rule(tier).period
        assert due - now <= period + DEFAULT_POLICY.cycle
        assert word(state, now=due + period) is Word.QUEUED
        assert word(state, now=due + period + SOON) is Word.LATE


@pytest.mark.parametrize(
    ("missed", "length"),
    [(0, Length.SHORT), (1, Length.SHORT), (1.01, Length.LATE), (2, Length.LATE), (2.01, Length.OVERDUE)],
)
def test_the_picture_of_the_day_calls_a_gap_late_when_the_pages_called_the_event_so(missed, length):
    """A gap of one period and so many more: the next sync was so many periods past its due time."""
    gap = Gap(begins=NOW, ends=NOW, periods=1 + missed + SLACK, is_open=False, tries=0)

    assert gap.length is length
