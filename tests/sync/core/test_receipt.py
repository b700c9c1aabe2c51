"""The receipt's arithmetic: 540 planned for any start and zone, gaps measured by what they lacked."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.core.policy import DEFAULT_POLICY
from sync.core.receipt import (
    RunFact,
    day_parts,
    days_of,
    gaps_of,
    planned_syncs,
    receipt_of,
    receipt_text,
    worst,
)
from sync.core.tiers import StartWindow, start_window
from sync.core.time_words import Clock

NEW_YORK = ZoneInfo("America/New_York")
START = datetime(2026, 6, 6, 12, 0, tzinfo=UTC)
END = START + timedelta(hours=1)
ZONES = [
    "America/New_York", "America/Denver", "Europe/Berlin", "Australia/Lord_Howe", "Africa/Cairo", "America/Havana",
    "Asia/Kathmandu", "Pacific/Apia", "UTC",
]  # fmt: skip
# Both clock changes of New York in 2026, and of others at midnight.
CHANGES = [
    datetime(2026, 3, 8, 7, tzinfo=UTC),
    datetime(2026, 11, 1, 6, tzinfo=UTC),
    datetime(2026, 4, 23, 22, tzinfo=UTC),
]


def window_at(at: datetime) -> StartWindow:
    return StartWindow(earliest=at, latest=at)


def days(at: datetime, zone: ZoneInfo) -> list[tuple[date, int]]:
    window = window_at(at)
    return [
        (part.day, planned_syncs(window, begins=part.begins, ends=part.ends, policy=DEFAULT_POLICY))
        for part in day_parts(window, zone=zone, policy=DEFAULT_POLICY)
    ]


def run(at: datetime, outcome: str = "unchanged", **more) -> RunFact:
    return RunFact(started_at=at, outcome=outcome, **more)


def every(seconds: int, begins: datetime, ends: datetime) -> list[RunFact]:
    count = int((ends - begins).total_seconds() // seconds)
    return [run(begins + timedelta(seconds=seconds * number)) for number in range(count)]


def punctual() -> list[RunFact]:
    """As planned: every 5 minutes, then every minute."""
    high = START - timedelta(hours=4)
    return [*every(300, START - timedelta(hours=24), high), *every(60, high, END)]


def receipt(runs: list[RunFact], *, now: datetime = END + timedelta(minutes=1)):
    window = window_at(START)
    parts = day_parts(window, zone=NEW_YORK, policy=DEFAULT_POLICY)
    figures = days_of(window, runs, parts=parts, until=now, policy=DEFAULT_POLICY)
    return receipt_of(window, figures, as_of=now, policy=DEFAULT_POLICY)


def said(runs: list[RunFact], *, now: datetime = END + timedelta(minutes=1)) -> str:
    return receipt_text(receipt(runs, now=now), clock=Clock(zone=NEW_YORK, now=now))


@given(
    near=st.sampled_from([*CHANGES, START]),
    away=st.integers(-50 * 3600, 50 * 3600),
    zone=st.sampled_from(ZONES).map(ZoneInfo),
)
def test_the_last_hours_plan_540_syncs_for_any_start_zone_and_clock_change(near, away, zone):
    at = near + timedelta(seconds=away)
    assert sum(planned for _, planned in days(at, zone)) == 540


@given(
    near=st.sampled_from([*CHANGES, START]),
    away=st.integers(-50 * 3600, 50 * 3600),
    zone=st.sampled_from(ZONES).map(ZoneInfo),
)
def test_the_days_follow_each_other_without_gaps_and_none_comes_twice(near, away, zone):
    window = window_at(near + timedelta(seconds=away))
    parts = day_parts(window, zone=zone, policy=DEFAULT_POLICY)
    assert parts[0].begins == window.earliest - timedelta(hours=24)
    assert parts[-1].ends == window.latest + timedelta(hours=1)
    assert all(before.ends == after.begins and before.day < after.day for before, after in pairwise(parts))
    assert all(part.begins < part.ends for part in parts)


@given(cuts=st.lists(st.integers(-26 * 3600, 2 * 3600), max_size=6))
def test_pieces_add_up_wherever_they_are_cut(cuts):
    moments = sorted({START + timedelta(seconds=cut) for cut in (*cuts, -30 * 3600, 5 * 3600)})
    window = window_at(START)
    assert (
        sum(
            planned_syncs(window, begins=begins, ends=ends, policy=DEFAULT_POLICY) for begins, ends in pairwise(moments)
        )
        == 540
    )


def test_a_saturday_at_eight_in_new_york():
    assert days(START, NEW_YORK) == [(date(2026, 6, 5), 192), (date(2026, 6, 6), 348)]


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        # The clocks go forward on March 8 at 02:00: 08:00 is an hour earlier, seen from the day before.
        (datetime(2026, 3, 8, 12, tzinfo=UTC), [(date(2026, 3, 7), 204), (date(2026, 3, 8), 336)]),
        (datetime(2026, 11, 1, 13, tzinfo=UTC), [(date(2026, 10, 31), 180), (date(2026, 11, 1), 360)]),
        # A day of 23 hours fits between both ends.
        (
            datetime(2026, 3, 9, 3, 30, tzinfo=UTC),
            [(date(2026, 3, 7), 18), (date(2026, 3, 8), 492), (date(2026, 3, 9), 30)],
        ),
    ],
)
def test_days_with_a_clock_change(start, expected):
    assert days(start, NEW_YORK) == expected


def test_a_start_without_a_time_of_day_plans_its_whole_window():
    midnight = datetime(2026, 6, 6, 4, tzinfo=UTC)
    window = start_window(starts_at=midnight, is_placeholder=True, timezone="America/New_York")
    parts = day_parts(window, zone=NEW_YORK, policy=DEFAULT_POLICY)
    planned = [planned_syncs(window, begins=part.begins, ends=part.ends, policy=DEFAULT_POLICY) for part in parts]
    # MEDIUM for 20 hours, then HIGH from 00:00 to 15:00.
    assert planned == [240, 900]


def test_what_ran_as_planned():
    runs = punctual()
    runs[-5] = run(runs[-5].started_at, "ok", changed=True)
    assert said(runs) == "planned 540, done 540, longest gap 60 s at 08:59 EDT, last change 08:55 EDT"


def test_a_gap_of_74_seconds_where_every_minute_was_planned_is_worse_than_305_where_every_5_minutes():
    runs = punctual()
    late = next(place for place, each in enumerate(runs) if each.started_at == START - timedelta(minutes=108))
    runs[late] = run(runs[late].started_at + timedelta(seconds=14))
    runs[3] = run(runs[3].started_at + timedelta(seconds=5))
    assert "longest gap 74 s at 06:11 EDT" in said(runs)


def test_tries_that_failed_are_no_syncs_and_do_not_end_a_gap():
    runs = punctual()
    place = len(runs) - 40
    for bad, outcome in enumerate(["failed", "lost", "throttled"]):
        runs[place + bad] = run(runs[place + bad].started_at, outcome, changed=True)
    assert said(runs) == "planned 540, done 537, failed 2, longest gap 4 min at 08:19 EDT, no change"


def test_an_event_that_is_not_over_says_so_far():
    now = START - timedelta(hours=1)
    runs = [each for each in punctual() if each.started_at < now]
    found = receipt(runs, now=now)
    assert (found.planned, found.planned_in_all, found.done, found.is_over) == (420, 540, 420, False)
    assert said(runs, now=now) == "so far planned 420, done 420, longest gap 60 s at 06:59 EDT, no change"


def test_nothing_at_all_is_one_gap_from_end_to_end():
    found = receipt([])
    assert (found.planned, found.done) == (540, 0)
    assert found.gap.length == timedelta(hours=25)


def test_a_gap_over_midnight_belongs_to_the_day_on_which_it_began():
    midnight = datetime(2026, 6, 6, 4, tzinfo=UTC)
    runs = [each for each in punctual() if abs(each.started_at - midnight) > timedelta(minutes=30)]
    friday, saturday = receipt(runs).days
    assert friday.gap.length == timedelta(minutes=70)
    assert saturday.gap.length == timedelta(seconds=60)


@given(st.lists(st.integers(0, 25 * 3600), max_size=40))
def test_gaps_cover_the_last_hours_and_owe_all_their_syncs(seconds):
    begins = START - timedelta(hours=24)
    runs = [run(begins + timedelta(seconds=each)) for each in sorted(seconds)]
    gaps = gaps_of(window_at(START), runs, until=END + timedelta(days=1), policy=DEFAULT_POLICY)
    assert sum((gap.length for gap in gaps), timedelta(0)) == timedelta(hours=25)
    assert sum(gap.owed for gap in gaps) == pytest.approx(540)
    assert worst(gaps).owed == max(gap.owed for gap in gaps)
