"""A Saturday morning for a minute and a quarter on real processes: nothing above a limit, and everybody gets a turn.

How late it is, is judged by the demo and by `python -m bench promise`, alone on their machine.
"""

from __future__ import annotations

import pytest

from partners.gate import database_now
from sync.demo.promise import promise_judge
from sync.models import Cycle, EventSync, SyncRun
from sync.services.policies import policy_now
from tests.e2e.conftest import wait_for

pytestmark = pytest.mark.e2e

JUDGED_SECONDS = 70


def test_a_saturday_keeps_every_limit_and_syncs_every_event_that_starts_soon(saturday, start_cluster):
    assert EventSync.objects.filter(tier="HIGH").count() == 120
    began = database_now()
    cluster = start_cluster()
    wait_for(lambda: Cycle.objects.exists(), seconds=60, what="the first cycle ran")
    wait_for(
        lambda: (database_now() - began).total_seconds() > JUDGED_SECONDS,
        seconds=2 * JUDGED_SECONDS,
        what="the time is over",
    )
    saturday.set_life(0)
    ended = database_now()
    assert cluster.stop() == 0
    verdict = promise_judge(since=began, until=ended, ledger=saturday.ledger(), policy=policy_now())

    assert [(figures.tier, figures.cap) for figures in verdict.tiers] == [("HIGH", 50), ("MEDIUM", 20), ("LOW", 10)]
    for figures in verdict.tiers:
        assert 0 < figures.picked_most <= figures.cap, figures
    # More is due than a cycle may pick: the caps are what held it back.
    assert verdict.tiers[0].picked_most == 50
    for key in verdict.keys:
        assert 0 < key.calls <= key.limit, key
        assert key.busiest_hour <= key.limit, key
        assert key.most_at_once <= 2, key
        assert key.throttled == 0, key
    assert verdict.errors == {}
    within, over = verdict.high
    assert (within.overloaded, within.keys, within.events) == (False, 12, 78)
    assert (over.overloaded, over.keys, over.events) == (True, 1, 42)
    never = EventSync.objects.filter(tier="HIGH", checked_at=None).values_list("credential__api_key", flat=True)
    assert set(never) <= {"sandbox-key-01"}
    assert not SyncRun.objects.filter(lease_until__isnull=False).exists()
