"""The last day as planned syncs: complete where they were made, and with holes of the right length where not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sync.core.day_ticks import Length, State, day_of
from sync.core.policy import DEFAULT_POLICY, Tier
from sync.core.tiers import StartWindow

RACE = 974559
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
START = datetime(2026, 6, 6, 12, 0, tzinfo=UTC)
OVER = START + timedelta(hours=2)


def day(good, *, start=START, now=OVER, bad=(), known_since=LONG_AGO):
    return day_of(
        StartWindow(earliest=start, latest=start),
        race_id=RACE,
        good=good,
        bad=bad,
        known_since=known_since,
        now=now,
        policy=DEFAULT_POLICY,
    )


def planned(start=START):
    return [tick.at for tick in day([], start=start).ticks]


def made(late: float = 3.0, start=START):
    return [at + timedelta(seconds=late) for at in planned(start)]


@pytest.mark.parametrize(
    "start",
    [
        START,
        # The clocks of New York go forward and back in these nights.
        datetime(2026, 3, 8, 12, 0, tzinfo=UTC),
        datetime(2026, 11, 1, 13, 0, tzinfo=UTC),
    ],
)
def test_a_last_day_has_540_planned_syncs_whatever_the_clocks_do(start):
    ticks = day(made(start=start), start=start, now=start + timedelta(hours=2)).ticks

    assert len(ticks) == 540
    assert sum(tick.tier is Tier.HIGH for tick in ticks) == 300
    assert {tick.state for tick in ticks} == {State.DONE}


@pytest.mark.parametrize("late", [0.0, 9.9, 59.0])
def test_a_sync_that_begins_late_fills_the_tick_it_was_planned_for(late):
    assert day(made(late)).count(State.DONE) == 540


def test_three_syncs_that_were_not_made_are_one_overdue_gap_with_its_exact_length():
    good = made()
    gone = good[400:403]
    found = day(good[:400] + good[403:], bad=gone)

    missed = [tick for tick in found.ticks if tick.state is State.MISSED]
    (gap,) = {tick.gap for tick in missed}
    assert [tick.at for tick in missed] == planned()[400:403]
    assert (gap.begins, gap.lasted) == (good[399], timedelta(minutes=4))
    assert (gap.length, gap.tries, gap.is_open) == (Length.OVERDUE, 3, False)
    assert found.longest == gap
    assert (found.count(State.DONE), found.passed) == (537, 540)


@pytest.mark.parametrize(("missing", "length"), [(1, Length.SHORT), (2, Length.LATE), (3, Length.OVERDUE)])
def test_a_gap_is_named_as_the_status_pages_name_it(missing, length):
    good = made()
    minutes = day(good[:400] + good[400 + missing :])
    fives = day(good[:100] + good[100 + missing :])

    assert minutes.longest.length is length
    assert fives.longest.length is length


def test_what_lies_ahead_is_no_gap_and_what_just_passed_is_not_missed_yet():
    now = START - timedelta(hours=2)
    good = [at for at in made() if at < now - timedelta(seconds=90)]
    found = day(good, now=now)

    assert found.count(State.AHEAD) >= 180
    assert found.passed <= len(good) + 1
    assert found.longest.is_open or found.longest.length is Length.SHORT


def test_an_open_gap_goes_on_until_now():
    now = START - timedelta(hours=2)
    good = [at for at in made() if at < now - timedelta(minutes=10)]
    found = day(good, now=now)

    assert found.longest.is_open
    assert found.longest.ends == now
    assert found.longest.lasted > timedelta(minutes=10)


def test_the_time_before_an_event_was_known_is_no_gap():
    good = made()[300:]
    found = day(good, known_since=good[0])

    assert found.count(State.NOT_KNOWN) == 300
    assert found.count(State.MISSED) == 0
    assert found.longest.length is Length.SHORT


def test_of_a_day_of_which_nothing_is_recorded_nothing_is_claimed():
    found = day([], known_since=OVER)

    assert found.count(State.NOT_KNOWN) == 540
    assert (found.passed, found.longest) == (0, None)


def test_a_silent_day_is_missed_from_its_first_to_its_last_tick():
    found = day([])

    assert found.count(State.MISSED) == 540
    assert found.longest.lasted == timedelta(hours=25)
