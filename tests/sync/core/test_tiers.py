"""Tiers at their boundaries, across clock changes, and for events without a usable start."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.core.policy import DEFAULT_POLICY
from sync.core.tiers import StartWindow, Tier, start_window, tier_at, tier_until

START = datetime(2026, 6, 6, 12, 0, tzinfo=UTC)
EXACT = StartWindow(earliest=START, latest=START)
SECOND = timedelta(seconds=1)


def tier(moment: datetime, window: StartWindow | None = EXACT) -> Tier | None:
    return tier_at(window, now=moment, policy=DEFAULT_POLICY)


@pytest.mark.parametrize(
    ("before_start", "expected"),
    [
        (timedelta(hours=24) + SECOND, Tier.LOW),
        (timedelta(hours=24), Tier.MEDIUM),
        (timedelta(hours=4) + SECOND, Tier.MEDIUM),
        (timedelta(hours=4), Tier.HIGH),
        (timedelta(0), Tier.HIGH),
        (-timedelta(hours=1), Tier.HIGH),
        (-timedelta(hours=1) - SECOND, None),
    ],
)
def test_a_boundary_belongs_to_the_more_urgent_tier(before_start, expected):
    assert tier(START - before_start) is expected


@given(st.integers(min_value=-200_000, max_value=10_000))
def test_the_tier_never_changes_before_its_announced_end(seconds):
    now = START + timedelta(seconds=seconds)
    until = tier_until(EXACT, now=now, policy=DEFAULT_POLICY)
    if until is None:
        assert tier(now) is None
        return
    assert until >= now
    if until > now:
        assert tier(until - timedelta(microseconds=1)) is tier(now)
    assert tier(until + timedelta(microseconds=1)) is not tier(now)


def test_a_start_without_a_time_of_day_is_somewhere_between_four_and_fourteen_local():
    midnight = datetime(2026, 6, 6, 0, 0, tzinfo=ZoneInfo("America/Denver")).astimezone(UTC)
    window = start_window(starts_at=midnight, is_placeholder=True, timezone="America/Denver")
    assert window is not None
    assert window.earliest == datetime(2026, 6, 6, 10, 0, tzinfo=UTC)
    assert window.latest == datetime(2026, 6, 6, 20, 0, tzinfo=UTC)
    assert tier(window.earliest - timedelta(hours=4), window) is Tier.HIGH
    assert tier(window.latest + timedelta(hours=1), window) is Tier.HIGH


def test_a_start_in_an_unknown_zone_stays_in_the_schedule():
    window = start_window(starts_at=START, is_placeholder=True, timezone="Mars/Olympus")
    assert window is not None
    assert window.earliest <= START <= window.latest


def test_an_event_without_any_start_stays_low():
    assert start_window(starts_at=None, is_placeholder=False, timezone="America/Denver") is None
    assert tier(START, None) is Tier.LOW
    assert tier_until(None, now=START, policy=DEFAULT_POLICY) is None
