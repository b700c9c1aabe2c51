"""Leases and fences: whoever died is replaced, whoever comes back late writes nothing (I4, rows 25 and 26)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction

from partners.gate import database_now
from partners.models import CallBudget
from partners.runsignup import paging
from races.models import Participant, ParticipantChange
from sync.models import Cycle, EventSync, Outcome, SyncRun, Trigger
from sync.services import visits
from sync.services.cycles import cycle_run
from sync.services.lanes import lane_run
from sync.services.leases import LEASE, Fenced, lane_claim, lane_hold, lane_release, lost_close
from sync.services.visits import visit_open
from tests.factories import CredentialFactory, EventSyncFactory
from tests.sync.provider_stage import (
    UNHURRIED,
    Stage,
    assert_mirror_is_truth,
    end_leases,
    from_now,
    hook_calls,
    in_threads,
    make_due,
)

pytestmark = pytest.mark.django_db(transaction=True)


def cycle():
    return cycle_run(now=database_now(), call_lanes=False)


@pytest.fixture
def picked(stage: Stage) -> Stage:
    """A race of two HIGH events that a cycle has picked."""
    stage.add_race(starts=[from_now(hours=2)] * 2)
    stage.discover()
    make_due()
    cycle()
    return stage


def open_visit(stage: Stage):
    fence = lane_claim(stage.key.pk)
    assert fence is not None
    return visit_open(credential_id=stage.key.pk, fence=fence, race_id=stage.event(990_101).race_id, pace=UNHURRIED)


def test_a_lane_is_claimed_by_one_of_many_that_want_it():
    credential = CredentialFactory()
    fences = in_threads(*[lambda: lane_claim(credential.pk)] * 6)
    assert sorted(fence is not None for fence in fences) == [False] * 5 + [True]


def test_a_claim_ends_with_its_lease_and_the_next_one_has_a_new_fence():
    credential = CredentialFactory()
    first = lane_claim(credential.pk)
    assert lane_claim(credential.pk) is None
    end_leases()
    second = lane_claim(credential.pk)
    assert second > first
    with pytest.raises(Fenced):
        lane_hold(credential.pk, fence=first)
    with pytest.raises(Fenced):
        lane_release(credential.pk, fence=first, leave_work=True)


def test_a_dead_lane_is_closed_as_lost_by_the_next_cycle_and_its_events_are_due_at_once(picked):
    """Row 25."""
    visit = open_visit(picked)
    EventSync.objects.filter(pk=visit.events[1].row.pk).update(due_at=database_now() + timedelta(seconds=25))
    first = Cycle.objects.get()
    end_leases()
    report = cycle()
    assert report.lost == 2
    for run in SyncRun.objects.all():
        assert (run.outcome, run.error_class, run.lease_until) == (Outcome.LOST, "Lost", None)
        assert run.finished_at is not None
    first.refresh_from_db()
    assert first.lost == 2
    # The same cycle hands them to the next lane.
    assert report.cycle.high_picked == 2
    assert report.credentials == (picked.key.pk,)
    lane_run(credential_id=picked.key.pk)
    assert sorted(SyncRun.objects.values_list("outcome", flat=True)) == ["lost", "lost", "ok", "ok"]
    assert_mirror_is_truth(picked.world)


def test_a_lane_that_comes_back_late_is_refused_and_writes_nothing(picked, monkeypatch):
    """Row 26: stopped in a call past its lease; meanwhile a cycle closed its runs."""
    reports = []

    def sleeps_past_its_lease(_path, _params):
        if not reports:
            end_leases()
            reports.append(cycle())

    hook_calls(monkeypatch, sleeps_past_its_lease)
    report = lane_run(credential_id=picked.key.pk)
    assert reports[0].lost == 2
    assert report.stopped == "another lane took over"
    assert not Participant.objects.exists()
    assert not ParticipantChange.objects.exists()
    assert list(SyncRun.objects.values_list("outcome", flat=True)) == [Outcome.LOST] * 2
    assert set(EventSync.objects.values_list("cursor", "checked_at", "visits")) == {(None, None, 0)}


def test_a_lane_that_sleeps_after_its_last_call_is_refused_too(picked, monkeypatch):
    """Row 26: between the last page and the transaction that stores it."""
    real = visits._asks_for_removals

    def sleeps(visit):
        end_leases()
        cycle()
        return real(visit)

    monkeypatch.setattr(visits, "_asks_for_removals", sleeps)
    report = lane_run(credential_id=picked.key.pk)
    assert report.stopped == "another lane took over"
    assert not Participant.objects.exists()
    assert list(SyncRun.objects.values_list("outcome", flat=True)) == [Outcome.LOST] * 2
    assert set(EventSync.objects.values_list("cursor", "visits")) == {(None, 0)}


def test_a_lane_whose_successor_works_already_does_not_disturb_it(picked, monkeypatch):
    """Row 26: its late page comes after the successor's newer one."""
    successor = []

    def sleeps(_path, _params):
        if not successor:
            successor.append(None)
            end_leases()
            cycle()
            successor.append(lane_run(credential_id=picked.key.pk))

    hook_calls(monkeypatch, sleeps)
    late = lane_run(credential_id=picked.key.pk)
    assert (late.visits, late.stopped) == (0, "another lane took over")
    assert successor[1].visits == 1
    assert sorted(SyncRun.objects.values_list("outcome", flat=True)) == ["lost", "lost", "ok", "ok"]
    assert ParticipantChange.objects.count() == Participant.objects.count() == 6
    assert_mirror_is_truth(picked.world)


def test_a_lane_that_is_only_slow_keeps_its_events(picked):
    """Its lease ended, but nobody has taken it over: it goes on."""
    fence = lane_claim(picked.key.pk)
    end_leases()
    assert lane_hold(picked.key.pk, fence=fence) > database_now()
    cycle()
    assert lane_hold(picked.key.pk, fence=fence)


def test_the_leases_are_renewed_after_every_call_of_a_visit(stage, monkeypatch):
    """Two calls of thirty seconds must not end a lease of sixty."""
    monkeypatch.setattr(paging, "PAGE_SIZE", 2)
    stage.add_race(starts=[from_now(hours=2)], people=6)
    stage.discover()
    stage.sync()
    for _ in range(3):
        stage.world.change("withdraw", event_id=990_101)
    EventSync.objects.update(reconciled_at=None)
    left = []

    def seconds_left(_path, _params):
        now = database_now()
        run = SyncRun.objects.get(lease_until__isnull=False)
        left.append(min(run.lease_until, CallBudget.objects.get().lane_lease_until) - now)
        # The call takes its time.
        almost = now + timedelta(seconds=5)
        CallBudget.objects.update(lane_lease_until=almost)
        SyncRun.objects.filter(lease_until__isnull=False).update(lease_until=almost)

    hook_calls(monkeypatch, seconds_left)
    stage.sync()
    # Two pages of those who are there, two of those who left.
    assert len(left) == 4
    assert min(left) > LEASE - timedelta(seconds=10)


def test_the_runs_of_events_that_are_asked_for_alone_keep_their_leases(stage, monkeypatch):
    race = stage.add_race(starts=[from_now(hours=2)] * 4)
    stage.discover()
    stage.world.faults.add(endpoint="participants", event_id=race.events[0].event_id, error=301)
    left = []

    def seconds_left(_path, _params):
        now = database_now()
        left.extend(until - now for [until] in SyncRun.objects.filter(outcome="").values_list("lease_until"))
        almost = now + timedelta(seconds=5)
        SyncRun.objects.filter(lease_until__isnull=False).update(lease_until=almost)

    hook_calls(monkeypatch, seconds_left)
    runs = stage.sync()
    assert sorted(run.outcome for run in runs) == ["gone", "ok", "ok", "ok"]
    # The first event was answered with an error: nothing was renewed for it but by its own end.
    assert sum(seconds > timedelta(seconds=50) for seconds in left) >= 6


def test_a_run_has_one_outcome_and_none_is_left_open_whatever_happens(stage):
    """I4."""
    for fault in ({"status": 500}, {"error": 7}, {"error": 6}, {"error": 301}, {"status": 429}, {"body": "null"}):
        stage.add_race(starts=[from_now(hours=2)] * 2)
        stage.world.faults.add(endpoint="participants", race_id=max(stage.world.races), calls=1, **fault)
    stage.discover()
    for _ in range(3):
        CallBudget.objects.update(paused_until=None)
        stage.sync()
    runs = SyncRun.objects.all()
    assert runs.count() > 12
    assert not runs.filter(outcome="").exists()
    assert not runs.filter(finished_at=None).exists()
    assert not runs.filter(lease_until__isnull=False).exists()
    pairs = list(runs.values_list("visit", "event"))
    assert len(set(pairs)) == len(pairs)


def test_a_backfill_that_died_does_not_take_an_event_from_its_lane():
    now = database_now()
    row = EventSyncFactory(tier="HIGH", due_at=now, picked_at=now)
    run = SyncRun.objects.create(
        event=row.event,
        visit="00000000-0000-0000-0000-000000000001",
        trigger=Trigger.BACKFILL,
        started_at=now,
        lease_until=now - timedelta(seconds=1),
    )
    with transaction.atomic():
        assert lost_close(now=now) == 1
    run.refresh_from_db()
    assert run.outcome == Outcome.LOST
    assert "Run the backfill again" in run.error_text
    row.refresh_from_db()
    assert row.picked_at == now
