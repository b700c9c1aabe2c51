"""What a visit leaves to the more urgent, and when it need not any more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sync.core.policy import DEFAULT_POLICY, Tier
from sync.core.spending import first_call, kept_from_overtaking, later_call

NOW = datetime(2026, 6, 6, 10, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(("tier", "late"), [(Tier.MEDIUM, 30 * SECOND), (Tier.LOW, 360 * SECOND)])
def test_the_first_call_leaves_the_reserve_until_it_is_late_by_a_tenth_of_its_period(tier, late):
    assert first_call(tier, due_at=NOW - late + SECOND, now=NOW, policy=DEFAULT_POLICY) == tier.value
    assert first_call(tier, due_at=NOW - late, now=NOW, policy=DEFAULT_POLICY) == "HIGH"


def test_the_second_call_ends_most_visits_and_never_waits_for_a_reserve():
    assert later_call(Tier.LOW, number=2, waited=timedelta(0)) == "HIGH"


def test_a_long_visit_leaves_the_reserve_again_but_makes_a_call_a_minute():
    assert later_call(Tier.LOW, number=3, waited=59 * SECOND) == "LOW"
    assert later_call(Tier.LOW, number=30, waited=60 * SECOND) == "HIGH"


def test_high_that_overtakes_leaves_a_call_for_the_visit_whose_turn_it_is():
    assert kept_from_overtaking(Tier.LOW, "LOW") == 0
    assert kept_from_overtaking(Tier.LOW, "HIGH") == 2
