"""The judge of the promise: what was late, too old, above a limit or wrong is said; what was fine is not."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from rich.console import Console

from partners.models import Credential
from sync.core.policy import DEFAULT_POLICY
from sync.demo.promise import promise_judge
from sync.demo.summary import summary_print
from sync.models import Cycle, EventSync, Outcome, Policy, SyncRun, Trigger
from sync.services.policies import policy_now
from tests.factories import CredentialFactory, EventFactory, EventSyncFactory, RaceFactory

pytestmark = pytest.mark.django_db

MINUTES = (3, 62, 119)


@pytest.fixture
def high(now):
    return EventSyncFactory(tier="HIGH", due_at=now, event__starts_at=now + timedelta(hours=2))


@pytest.fixture(autouse=True)
def cycles_every_ten_seconds(now):
    cycles_at(now, *range(2, 240, 10))


def cycles_at(now, *seconds, lasts=1.0, **picked):
    Cycle.objects.bulk_create(
        Cycle(
            started_at=now + timedelta(seconds=second),
            finished_at=now + timedelta(seconds=second + lasts),
            **picked,
        )
        for second in seconds
    )


def runs_at(row, now, *seconds, tier="HIGH", late=2, outcome=Outcome.UNCHANGED, **more):
    for second in seconds:
        started = now + timedelta(seconds=second)
        fields = {
            "event": row.event,
            "visit": "00000000-0000-0000-0000-000000000000",
            "trigger": Trigger.SCHEDULED,
            "tier": tier,
            "due_at": started - timedelta(seconds=late),
            "started_at": started,
            "finished_at": started,
            "outcome": outcome,
        }
        SyncRun.objects.create(**(fields | more))


def overloaded_key(now) -> list[EventSync]:
    """Eighteen races of one key in their last four hours: about 77 seconds a sync is what its calls allow."""
    credential = CredentialFactory()
    events = [
        EventFactory(race=RaceFactory(credential=credential), starts_at=now + timedelta(hours=2)) for _ in range(18)
    ]
    return [EventSyncFactory(event=event, tier="HIGH", due_at=now) for event in events]


def judge(now, *, seconds=120, ledger=None, policy=DEFAULT_POLICY):
    until = now + timedelta(seconds=seconds)
    return promise_judge(since=now, until=until, ledger=ledger or {}, policy=policy)


def test_a_sync_every_minute_keeps_the_promise(high, now):
    runs_at(high, now, *MINUTES)
    verdict = judge(now)
    assert verdict.broken == ()
    figures = verdict.tiers[0]
    assert (figures.events, figures.syncs, figures.late.count, figures.late.most) == (1, 3, 3, 2.0)
    (group,) = verdict.high
    assert (group.overloaded, group.keys, group.events, group.period, group.gaps.most, group.oldest) == (
        False,
        1,
        1,
        60.0,
        59.0,
        59.0,
    )


def test_a_list_that_was_too_old_breaks_it_at_the_start_between_and_at_the_end(high, now):
    runs_at(high, now, *MINUTES)
    assert any("was 81 s old; 75 s are allowed" in sentence for sentence in judge(now, seconds=200).broken)
    SyncRun.objects.filter(started_at=now + timedelta(seconds=62)).delete()
    assert any("was 116 s old" in sentence for sentence in judge(now).broken)


def test_an_event_that_was_never_synced_breaks_it(high, now):
    assert any("was 120 s old" in sentence for sentence in judge(now).broken)


def test_failed_runs_do_not_count_as_syncs_and_are_said(high, now):
    runs_at(high, now, *MINUTES, outcome=Outcome.FAILED)
    broken = judge(now).broken
    assert "3 syncs ended as failed." in broken
    assert any("was 120 s old" in sentence for sentence in broken)


def test_more_than_one_late_sync_in_twenty_breaks_it_and_one_does_not(high, now):
    for second in range(5, 105):
        runs_at(high, now, second, late=11 if second in (50, 60, 70, 80, 90) else 4)
    assert judge(now).broken == ()
    runs_at(high, now, 110, late=11)
    (sentence,) = judge(now).broken
    assert sentence.startswith("One in 20 HIGH syncs of keys within their budget began more than")


def test_a_single_sync_half_a_minute_late_breaks_it(high, now):
    for second in range(5, 105):
        runs_at(high, now, second, late=31 if second == 50 else 4)
    (sentence,) = judge(now).broken
    assert sentence == "A HIGH sync of a key within its budget began 31.0 s late; 30 s are allowed."


def test_neither_what_was_due_before_the_start_nor_what_came_along_nor_a_persons_wish_is_late(high, now):
    runs_at(high, now, 3, late=200)
    runs_at(high, now, 62, late=40, came_along=True)
    runs_at(high, now, 119, late=40, trigger=Trigger.MANUAL)
    verdict = judge(now)
    assert verdict.broken == ()
    assert verdict.tiers[0].late.count == 0


def test_an_overloaded_key_owes_the_period_that_its_calls_allow_and_the_others_their_minute(high, now):
    runs_at(high, now, *MINUTES)
    rows = overloaded_key(now)
    for row in rows:
        runs_at(row, now, 20, 100, late=14)
    verdict = judge(now, seconds=119)
    assert verdict.broken == ()
    within, over = verdict.high
    assert (within.overloaded, within.keys, within.late.p95) == (False, 1, 2.0)
    assert (over.overloaded, over.keys, over.events, over.late.p95) == (True, 1, 18, 14.0)
    assert 70 < over.period < 80
    SyncRun.objects.filter(event=rows[0].event, started_at=now + timedelta(seconds=20)).delete()
    (sentence,) = judge(now, seconds=119).broken
    assert sentence.startswith("The list of a HIGH event of an overloaded key was 100 s old; ")


def test_a_cycle_that_picked_more_than_a_cap_breaks_it(high, now):
    runs_at(high, now, *MINUTES)
    cycles_at(now, 50, high_picked=50, medium_picked=20, low_picked=10)
    verdict = judge(now)
    assert verdict.broken == ()
    assert [(figures.picked_most, figures.cap) for figures in verdict.tiers] == [(50, 50), (20, 20), (10, 10)]
    cycles_at(now, 60, high_picked=51, medium_picked=21, low_picked=11)
    assert judge(now).broken == (
        "A cycle picked 51 HIGH events; 50 are allowed.",
        "A cycle picked 21 MEDIUM events; 20 are allowed.",
        "A cycle picked 11 LOW events; 10 are allowed.",
    )


def test_the_policy_of_the_database_is_what_is_promised(high, now):
    runs_at(high, now, *MINUTES)
    cycles_at(now, 50, high_picked=50)
    Policy.objects.update(high_cap=40, high_period_seconds=30)
    broken = judge(now, policy=policy_now()).broken
    assert "A cycle picked 50 HIGH events; 40 are allowed." in broken
    assert any("was 59 s old; 45 s are allowed" in sentence for sentence in broken)


def test_cycles_that_stopped_or_took_too_long_break_it(high, now):
    runs_at(high, now, *MINUTES)
    figures = judge(now).cycles
    assert (figures.count, figures.longest, figures.longest_gap) == (12, 1.0, 10.0)
    Cycle.objects.filter(started_at__gt=now + timedelta(seconds=55)).delete()
    assert judge(now).broken == ("For 68 s no cycle began; 60 s are allowed.",)
    Cycle.objects.all().delete()
    assert judge(now).broken == ("For 120 s no cycle began; 60 s are allowed.",)
    cycles_at(now, 2, 62, lasts=61.0)
    assert judge(now).broken == ("A cycle took 61 s; 60 s are allowed.",)


def test_lateness_over_a_period_breaks_it(now):
    row = EventSyncFactory(tier="MEDIUM", event__starts_at=now + timedelta(hours=10))
    cycles_at(now, *range(240, 500, 10))
    runs_at(row, now, 400, tier="MEDIUM", late=301)
    (sentence,) = judge(now, seconds=500).broken
    assert sentence == "A MEDIUM sync began 301 s late, over its period of 300 s."


def test_the_providers_ledger_counts_not_ours(high, now):
    runs_at(high, now, *MINUTES)
    key = Credential.objects.get().api_key
    ledger = {key: {"calls": 1001, "busiest_hour": 1001, "most_at_once": 3, "throttled": 2}}
    broken = judge(now, ledger=ledger).broken
    assert any("1001 calls within an hour, 1000 are allowed" in sentence for sentence in broken)
    assert any("3 calls at once, 2 are allowed" in sentence for sentence in broken)


def test_the_table_says_what_was_measured_and_the_verdict(high, now):
    runs_at(high, now, *MINUTES)
    overloaded_key(now)
    cycles_at(now, 50, high_picked=50)
    output = io.StringIO()
    verdict = judge(now)
    summary_print(Console(file=output, width=80), verdict, None)
    period = verdict.high[1].period
    text = output.getvalue()
    lines = [" ".join(line.replace("│", " ").split()) for line in text.splitlines()]
    assert "HIGH 1 3 2.0 / 2.0 / 2.0 50 50" in lines
    assert "1 in budget 1 60 2.0 / 2.0 / 2.0 58 / 59 / 59 59" in lines
    assert f"1 overloaded 18 {period:.0f} 120" in lines
    said = " ".join(text.split())
    assert "Cycles: 13 in 120 s, the longest 1.0 s, at most 10.0 s from the start of one to the next." in said
    assert f"was 120 s old; {period + 15:.0f} s are allowed." in said
    assert "The promise was kept." not in said
