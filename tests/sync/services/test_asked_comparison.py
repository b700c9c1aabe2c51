"""Reconcile: a full comparison that a person asked for, through the planner, the lane and the budget of the key."""

from __future__ import annotations

from datetime import timedelta

import pytest

from partners.gate import database_now
from races.models import Event
from sync.models import EventSync, Outcome, SyncRun, Trigger
from sync.services.asking import Asked, events_ask_comparison, events_ask_sync, events_to_ask
from sync.services.cycles import cycle_run
from sync.services.lanes import lane_run
from tests.sync.provider_stage import Stage, assert_mirror_is_truth, from_now, hook_calls, refill

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def synced(stage: Stage) -> EventSync:
    """An event of nine days ahead that was compared an hour ago and is not due."""
    stage.add_race(starts=[from_now(days=9)])
    stage.discover()
    stage.sync()
    hour_ago = database_now() - timedelta(hours=1)
    EventSync.objects.update(due_at=from_now(minutes=50), checked_at=hour_ago, reconciled_at=hour_ago)
    return EventSync.objects.get()


def ask(service=events_ask_comparison) -> Asked:
    return service(events=list(events_to_ask(Event.objects.all())), now=database_now())


def cycle_and_lane(row: EventSync) -> None:
    cycle_run(now=database_now(), call_lanes=False)
    lane_run(credential_id=row.credential_id)


def test_it_is_made_by_the_next_cycle_and_once(synced, stage):
    assert len(ask().waiting) == 1
    before = len(stage.calls())

    cycle_and_lane(synced)

    run = SyncRun.objects.latest("pk")
    assert (run.trigger, run.full, run.outcome, run.cycle is None) == (
        Trigger.RECONCILE,
        True,
        Outcome.UNCHANGED,
        False,
    )
    assert len(stage.calls()) - before == run.calls == 2
    row = EventSync.objects.get()
    assert (row.due_trigger, row.reconciled_at) == (Trigger.SCHEDULED, run.started_at)
    assert row.due_at > database_now()
    assert ask().fresh == 1


def test_asked_for_while_a_visit_runs_that_is_none_it_is_still_owed(synced, stage, monkeypatch):
    said: list[Asked] = []
    ask(events_ask_sync)
    hook_calls(monkeypatch, lambda _path, _params: said or said.append(ask()))

    cycle_and_lane(synced)

    row = EventSync.objects.get()
    assert [len(asked.waiting) for asked in said] == [1]
    assert [run.full for run in SyncRun.objects.order_by("-pk")[:1]] == [False]
    assert (row.due_trigger, row.picked_at) == (Trigger.RECONCILE, None)
    assert row.due_at <= database_now()
    cycle_and_lane(synced)
    assert [run.full for run in SyncRun.objects.order_by("-pk")[:1]] == [True]
    assert EventSync.objects.get().due_trigger == Trigger.SCHEDULED


def test_without_budget_it_stays_asked_for(synced):
    ask()
    refill(free=2)

    cycle_and_lane(synced)

    row = EventSync.objects.get()
    assert (row.due_trigger, row.picked_at) == (Trigger.RECONCILE, None)
    assert SyncRun.objects.count() == 1
    refill()
    cycle_and_lane(synced)
    assert SyncRun.objects.latest("pk").trigger == Trigger.RECONCILE


def test_a_finished_event_is_compared_once_more_and_not_scheduled_by_that(stage):
    stage.add_race(starts=[from_now(days=-3)])
    stage.discover()
    ask()

    cycle_and_lane(EventSync.objects.get())

    assert SyncRun.objects.get().outcome == Outcome.OK
    assert EventSync.objects.values_list("due_at", "tier", "due_trigger").get() == (None, None, Trigger.SCHEDULED)
    assert_mirror_is_truth(stage.world)
