"""The drawing of the last day: rows by the local clock, small, and every hole in its place."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from sync.core.day_ticks import day_of
from sync.core.policy import DEFAULT_POLICY, Tier
from sync.core.tiers import StartWindow
from sync.web.day_drawing import ROW_WIDTH, ChangeCount, bands

NEW_YORK = ZoneInfo("America/New_York")
RACE = 974559
START = datetime(2026, 6, 6, 11, 30, tzinfo=UTC)


def drawn(good=None, *, start=START, latest=None, now=None, changes=(), zone=NEW_YORK, missing=()):
    window = StartWindow(earliest=start, latest=latest or start)
    now = now or window.latest + timedelta(hours=2)

    def day(good):
        return day_of(
            window,
            race_id=RACE,
            good=good,
            bad=[],
            known_since=datetime(2020, 1, 1, tzinfo=UTC),
            now=now,
            policy=DEFAULT_POLICY,
        )

    good = [tick.at for place, tick in enumerate(day([]).ticks) if place not in missing and tick.at < now]
    return bands(day(good), changes, start=start if latest is None else None, now=now, zone=zone, policy=DEFAULT_POLICY)


def labels(band):
    return [row.label for row in band.rows]


def test_the_day_before_is_drawn_in_quarters_of_a_day_and_the_last_hours_by_the_hour():
    medium, high = drawn()

    assert (medium.tier, medium.span, high.tier, high.span) == (
        Tier.MEDIUM,
        timedelta(hours=6),
        Tier.HIGH,
        timedelta(hours=1),
    )
    assert labels(medium) == ["Fri 06:00", "12:00", "18:00", "Sat 00:00"]
    assert labels(high) == ["Sat 03:00", "04:00", "05:00", "06:00", "07:00", "08:00"]
    assert sum(len(row.ticks) for band in (medium, high) for row in band.rows) == 540
    assert [len(row.ticks) for row in high.rows] == [30, 60, 60, 60, 60, 30]


def test_a_hole_lies_at_its_minute():
    _medium, high = drawn(missing={240 + 30 + 72, 240 + 30 + 73})

    (hole,) = [hole for row in high.rows for hole in row.holes]
    row = next(row for row in high.rows if row.holes)
    assert row.label == "05:00"
    assert hole.x == row.ground_x + 12 * 6
    assert hole.width == 2 * 6
    assert hole.gap.lasted == timedelta(minutes=3)


def test_a_gap_over_two_hours_is_a_hole_in_each_row():
    _medium, high = drawn(missing=set(range(240 + 60, 240 + 180)))

    holes = [(row.label, hole.gap.lasted) for row in high.rows for hole in row.holes]
    assert [label for label, _ in holes] == ["04:00", "05:00", "06:00"]
    assert {lasted for _, lasted in holes} == {timedelta(minutes=121)}


def test_the_start_is_a_line_in_its_hour_and_now_is_one_until_the_day_is_over():
    now = START - timedelta(minutes=75)
    _medium, high = drawn(now=now)

    seven = next(row for row in high.rows if row.label == "07:00")
    assert high.start.x == seven.ground_x + ROW_WIDTH // 2
    six = next(row for row in high.rows if row.label == "06:00")
    assert (high.now.x, high.now.y) == (six.ground_x + 15 * 6, six.y)
    assert all(band.now is None for band in drawn())


def test_a_change_is_a_dot_below_its_tick_in_the_lane_of_its_kind():
    at = START - timedelta(hours=1) + timedelta(seconds=50)
    _medium, high = drawn(changes=[ChangeCount(at=at, added=2, changed=0, removed=1)])

    row = next(row for row in high.rows if row.dots["added"])
    assert row.label == "06:00"
    assert row.dots["added"] == f"M{row.ground_x + 30 * 6 + 3} {row.y + 19}v0"
    assert row.dots["changed"] == ""
    assert row.dots["removed"].startswith("M")


def test_an_hour_that_comes_twice_has_two_rows_with_their_zones():
    # The clocks go back at 02:00 EDT, 06:00 UTC.
    _medium, high = drawn(start=datetime(2026, 11, 1, 9, 0, tzinfo=UTC))

    assert labels(high)[:3] == ["01:00 EDT", "01:00 EST", "02:00 EST"]
    assert [len(row.ticks) for row in high.rows] == [60] * 5


def test_an_hour_that_does_not_come_has_no_row():
    # They go forward at 02:00 EST, 07:00 UTC.
    _medium, high = drawn(start=datetime(2026, 3, 8, 10, 0, tzinfo=UTC))

    assert labels(high) == ["01:00 EST", "03:00 EDT", "04:00 EDT", "05:00 EDT", "06:00 EDT"]
    assert [len(row.ticks) for row in high.rows] == [60] * 5


def test_the_words_at_a_start_late_in_its_hour_stand_left_of_the_line():
    """Right of it the drawing ends."""
    _medium, early = drawn(start=START.replace(minute=10))
    _medium, late = drawn(start=START.replace(minute=50))
    assert not early.start_text_goes_left
    assert late.start_text_goes_left
    assert late.start.x - 130 >= 0


@pytest.mark.parametrize("start", [datetime(2026, 11, 1, 13, 0, tzinfo=UTC), datetime(2026, 3, 8, 12, 0, tzinfo=UTC)])
def test_every_tick_of_a_night_with_a_clock_change_has_a_place_of_its_own_inside_the_drawing(start):
    for band in drawn(start=start):
        for row in band.rows:
            assert row.ground_x + row.ground_width <= band.width
            assert row.done.count("v14") == len(row.ticks)


def test_a_start_without_a_time_of_day_has_no_start_line_and_fits_all_the_same():
    medium, high = drawn(start=datetime(2026, 6, 6, 8, 0, tzinfo=UTC), latest=datetime(2026, 6, 6, 18, 0, tzinfo=UTC))

    assert high.start is None
    assert medium.start is None
    assert len(high.rows) == 15
