"""Times as a race director reads them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from sync.web.times import by_minute_text, local_text, moment, period_text, relative_text

NEW_YORK = ZoneInfo("America/New_York")


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


def test_the_hour_that_comes_twice_is_told_apart_by_its_zone():
    now = utc(2026, 11, 1, 12, 0)

    assert local_text(utc(2026, 11, 1, 5, 30), zone=NEW_YORK, now=now) == "01:30:00 EDT"
    assert local_text(utc(2026, 11, 1, 6, 30), zone=NEW_YORK, now=now) == "01:30:00 EST"


def test_a_start_after_the_clock_change_is_shown_in_the_zone_of_its_day():
    now = utc(2026, 10, 31, 12, 0)

    assert local_text(utc(2026, 11, 1, 13, 0), zone=NEW_YORK, now=now, seconds=False) == "Sun Nov 1, 08:00 EST"
    assert relative_text(utc(2026, 11, 1, 13, 0), now=now) == "in 25 h"


def test_a_zone_without_an_abbreviation_is_called_by_its_offset():
    zone = ZoneInfo("America/Sao_Paulo")
    now = utc(2026, 6, 6, 12, 0)

    assert local_text(now, zone=zone, now=now) == "09:00:00 UTC-03"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-7_200, "2 h ago"),
        (-180, "3 min ago"),
        (-59, "just now"),
        (0, "just now"),
        (59, "within a minute"),
        (8_040, "in 2 h 14 min"),
        (3 * 86_400 + 4 * 3_600, "in 3 days 4 h"),
        (30 * 86_400, "in 30 days"),
    ],
)
def test_how_far_away_is_said_in_whole_minutes(seconds, text):
    now = utc(2026, 6, 6, 10, 0)

    assert relative_text(now + timedelta(seconds=seconds), now=now) == text


def test_the_minute_by_which_something_happens_is_rounded_up():
    now = utc(2026, 6, 6, 10, 0)

    assert by_minute_text(utc(2026, 6, 6, 10, 41, 20), zone=NEW_YORK, now=now) == "06:42"
    assert by_minute_text(utc(2026, 6, 6, 10, 41), zone=NEW_YORK, now=now) == "06:41"
    assert by_minute_text(utc(2026, 6, 7, 3, 59, 59), zone=NEW_YORK, now=now) == "Sun Jun 7, 00:00"


def test_a_moment_carries_utc_for_machines():
    now = utc(2026, 6, 6, 10, 0)
    shown = moment(now, zone=NEW_YORK, now=now)

    assert shown is not None
    assert (shown.iso, shown.text) == ("2026-06-06T10:00:00+00:00", "06:00:00 EDT")
    assert moment(None, zone=NEW_YORK, now=now) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (60, "every minute"),
        (84, "every 84 s"),
        (300, "every 5 minutes"),
        (3600, "every hour"),
        (8290, "every 2 h 18 min"),
    ],
)
def test_a_period_is_said_in_its_natural_unit(seconds, text):
    assert period_text(timedelta(seconds=seconds)) == text
