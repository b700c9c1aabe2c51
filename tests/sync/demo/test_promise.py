"""The judge of the promise: what was late, too old, above a limit or wrong is said; what was fine is not."""

from __future__ import annotations

from datetime import timedelta

import pytest

from partners.models import Credential
from sync.demo.promise import promise_judge
from sync.models import Outcome, SyncRun, Trigger
from tests.factories import EventSyncFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def high(now):
    return EventSyncFactory(tier="HIGH", event__starts_at=now + timedelta(hours=1))


def runs_at(row, now, *seconds, tier="HIGH", late=2, outcome=Outcome.UNCHANGED):
    for second in seconds:
        started = now + timedelta(seconds=second)
        SyncRun.objects.create(
            event=row.event,
            visit="00000000-0000-0000-0000-000000000000",
            trigger=Trigger.SCHEDULED,
            tier=tier,
            due_at=started - timedelta(seconds=late),
            started_at=started,
            finished_at=started,
            outcome=outcome,
        )


def judge(now, *, seconds=120, ledger=None):
    return promise_judge(since=now, until=now + timedelta(seconds=seconds), ledger=ledger or {})


def test_a_sync_every_minute_keeps_the_promise(high, now):
    runs_at(high, now, 3, 62, 119)
    verdict = judge(now)
    assert verdict.broken == ()
    figures = verdict.tiers[0]
    assert (figures.events, figures.syncs, figures.lateness[2]) == (1, 3, 2.0)
    assert figures.longest_gap == 59.0


def test_a_list_that_was_too_old_breaks_it_at_the_start_between_and_at_the_end(high, now):
    runs_at(high, now, 3, 62, 119)
    assert any("was 81 s old" in sentence for sentence in judge(now, seconds=200).broken)
    SyncRun.objects.filter(started_at=now + timedelta(seconds=62)).delete()
    assert any("was 116 s old" in sentence for sentence in judge(now).broken)


def test_an_event_that_was_never_synced_breaks_it(high, now):
    assert any("was 120 s old" in sentence for sentence in judge(now).broken)


def test_failed_runs_do_not_count_as_syncs_and_are_said(high, now):
    runs_at(high, now, 3, 62, 119, outcome=Outcome.FAILED)
    broken = judge(now).broken
    assert "3 syncs ended as failed." in broken
    assert any("was 120 s old" in sentence for sentence in broken)


def test_lateness_over_a_period_breaks_it(now):
    row = EventSyncFactory(tier="MEDIUM", event__starts_at=now + timedelta(hours=10))
    runs_at(row, now, 400, tier="MEDIUM", late=301)
    assert any(sentence.startswith("A MEDIUM sync began 301 s late") for sentence in judge(now, seconds=500).broken)


def test_the_providers_ledger_counts_not_ours(high, now):
    runs_at(high, now, 3, 62, 119)
    key = Credential.objects.get().api_key
    ledger = {key: {"calls": 1001, "busiest_hour": 1001, "most_at_once": 3, "throttled": 2}}
    broken = judge(now, ledger=ledger).broken
    assert any("1001 calls within an hour, 1000 are allowed" in sentence for sentence in broken)
    assert any("3 calls at once, 2 are allowed" in sentence for sentence in broken)
