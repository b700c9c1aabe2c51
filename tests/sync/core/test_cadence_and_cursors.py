from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.core.cadence import reconcile_due, removals_due
from sync.core.cursors import OVERLAP, next_cursor
from sync.core.policy import DEFAULT_POLICY, Tier
from sync.core.tiers import StartWindow

START = datetime(2026, 6, 6, 12, 0, tzinfo=UTC)
WINDOW = StartWindow(earliest=START, latest=START)
NOW = 1_780_000_000


@pytest.mark.parametrize(("tier", "asked"), [(Tier.HIGH, 4), (Tier.MEDIUM, 7), (Tier.LOW, 20)])
def test_withdrawals_are_asked_at_the_cadence_of_the_tier(tier, asked):
    assert sum(removals_due(tier=tier, visits=visit) for visit in range(20)) == asked


def test_races_that_became_known_together_ask_for_withdrawals_in_turn():
    for visit in range(20):
        asking = sum(removals_due(tier=Tier.HIGH, visits=visit, overloaded=True, race_id=race) for race in range(20))
        assert asking == 2


@pytest.mark.parametrize(
    ("reconciled", "now", "expected"),
    [
        (None, START - timedelta(days=9), True),
        (START - timedelta(days=9), START - timedelta(days=8, hours=1), False),
        (START - timedelta(days=9), START - timedelta(days=8), True),
        (START - timedelta(hours=25), START - timedelta(hours=24), True),
        (START - timedelta(hours=24), START - timedelta(hours=23), False),
        (START - timedelta(hours=5), START - timedelta(hours=4), True),
        (START - timedelta(hours=4), START + timedelta(hours=1), False),
    ],
)
def test_everything_is_compared_at_first_daily_and_on_entering_medium_and_high(reconciled, now, expected):
    assert reconcile_due(window=WINDOW, reconciled_at=reconciled, now=now, policy=DEFAULT_POLICY) is expected


def test_the_cursor_is_the_servers_time_at_the_start_with_overlap():
    assert next_cursor(before=None, newest_seen=None, server_time=NOW, now=NOW + 200) == NOW - OVERLAP


def test_trap_38_a_clock_that_jumped_does_not_move_the_cursor():
    for jump in (-3600, -600, 600, 3600):
        assert next_cursor(before=NOW - 500, newest_seen=None, server_time=NOW + jump, now=NOW) == NOW - 500
        found = next_cursor(before=NOW - 500, newest_seen=NOW - 300, server_time=NOW + jump, now=NOW)
        assert found is not None
        assert found <= NOW - 300 - OVERLAP


@given(
    before=st.none() | st.integers(min_value=0, max_value=NOW),
    newest=st.none() | st.integers(min_value=-(10**12), max_value=10**12),
    server=st.none() | st.integers(min_value=0, max_value=10**12),
)
def test_fault_15_no_lie_of_the_provider_moves_the_cursor_back_or_into_the_future(before, newest, server):
    found = next_cursor(before=before, newest_seen=newest, server_time=server, now=NOW)
    if found is None:
        assert before is None
        return
    assert found >= (before or 0)
    assert found <= max(before or 0, NOW + 300 - OVERLAP)
