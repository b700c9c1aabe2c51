"""Sync now: the same gate, lanes and runs as everything else, and fifty clicks are one sync."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django_q.models import OrmQ

from partners.audit import command_actor
from partners.gate import database_now
from partners.models import CallBudget, Credential
from races.models import Race
from sync.models import EventSync, Outcome, SyncRun, Trigger
from sync.services import sync_now
from sync.services.cycles import cycle_run
from sync.services.event_schedule import RACE_OFF
from sync.services.lanes import lane_run
from tests.factories import RaceFactory
from tests.sync.provider_stage import Stage, assert_mirror_is_truth, from_now, hook_calls, in_threads, make_due, refill

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def race(stage: Stage) -> Race:
    """Two events of nine days ahead, known and synced, the next visit due in half an hour."""
    stage.add_race(starts=[from_now(days=9)] * 2)
    stage.discover()
    stage.sync()
    EventSync.objects.update(
        due_at=database_now() + timedelta(minutes=50), checked_at=database_now() - timedelta(minutes=10)
    )
    return Race.objects.select_related("credential__partner").get()


def request(race: Race, **options) -> str:
    return sync_now.request(race=race, by=command_actor(), now=database_now(), **options)


def test_a_request_puts_the_events_first_and_calls_the_lane(race, stage):
    assert request(race) == "2 events are in line for a sync."
    assert OrmQ.objects.count() == 1
    began = database_now()
    lane_run(credential_id=race.credential_id)
    runs = SyncRun.objects.filter(started_at__gte=began)
    assert {(run.trigger, run.outcome) for run in runs} == {(Trigger.MANUAL, Outcome.UNCHANGED)}
    assert set(EventSync.objects.values_list("due_trigger", "picked_at")) == {(Trigger.SCHEDULED, None)}


def test_fifty_clicks_at_once_are_one_sync(race, stage):
    """Row 28."""
    before = len(stage.calls())
    said = in_threads(*[lambda: request(race)] * 10)
    said += [request(race) for _ in range(40)]
    assert said.count("2 events are in line for a sync.") == 1
    assert said.count("It is in line or being synced already.") == 49
    for _ in range(OrmQ.objects.count()):
        lane_run(credential_id=race.credential_id)
    assert request(race) == "Checked a few seconds ago: nothing to do."
    assert len(stage.calls()) - before == 2  # who is there, and who left: a LOW visit asks both
    assert SyncRun.objects.filter(trigger=Trigger.MANUAL).count() == 2


def test_one_event_can_be_asked_for(race):
    first = race.events.order_by("pk").first()
    assert request(race, event_ids=[first.pk]) == "1 event is in line for a sync."
    assert EventSync.objects.get(picked_at__isnull=False).pk == first.pk


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"status": "refused", "status_detail": "error 6"}, "Not synced: RunSignUp refuses the key"),
        ({"status": "paused"}, "is paused by staff"),
    ],
)
def test_a_key_that_may_not_be_used_is_said_and_nothing_is_queued(race, change, why):
    Credential.objects.update(**change)
    with pytest.raises(sync_now.NothingToSync, match=why):
        request(Race.objects.select_related("credential__partner").get())
    assert not OrmQ.objects.exists()


def test_a_race_that_is_switched_off_and_one_without_events_are_said(race):
    Race.objects.update(sync_enabled=False)
    with pytest.raises(sync_now.NothingToSync, match=RACE_OFF):
        request(race)
    with pytest.raises(sync_now.NothingToSync, match="has no events yet"):
        request(RaceFactory())


def test_a_finished_event_can_be_synced_once_more_and_is_not_scheduled_by_that(stage):
    stage.add_race(starts=[from_now(days=-3)])
    stage.discover()
    race = Race.objects.select_related("credential__partner").get()
    assert EventSync.objects.get().due_at is None
    report = sync_now.run(race=race, by=command_actor(), now=database_now())
    assert [run.outcome for run in report.runs] == [Outcome.OK]
    assert EventSync.objects.values_list("due_at", "tier", "picked_at").get() == (None, None, None)
    assert_mirror_is_truth(stage.world)


def test_a_request_that_is_throttled_stays_asked_for(stage):
    """Also for a finished event, which nothing but the request holds in the schedule."""
    stage.add_race(starts=[from_now(days=-3)])
    stage.discover()
    race = Race.objects.select_related("credential__partner").get()
    stage.world.faults.add(endpoint="participants", status=429, calls=1)
    report = sync_now.run(race=race, by=command_actor(), now=database_now())
    assert [run.outcome for run in report.runs] == [Outcome.THROTTLED]
    row = EventSync.objects.get()
    assert (row.due_trigger, row.picked_at) == (Trigger.MANUAL, None)
    CallBudget.objects.update(paused_until=None)
    make_due()
    cycle_run(now=database_now(), call_lanes=False)
    lane_run(credential_id=race.credential_id)
    assert SyncRun.objects.latest("pk").outcome == Outcome.OK
    assert EventSync.objects.get().due_at is None


def test_a_busy_lane_takes_the_request_over(race, stage, monkeypatch):
    make_due()
    cycle_run(now=database_now(), call_lanes=False)
    EventSync.objects.filter(event=race.events.last()).update(picked_at=None, due_at=database_now() + timedelta(days=1))
    said = []

    def somebody_asks(_path, _params):
        if not said:
            said.append(sync_now.run(race=race, by=command_actor(), now=database_now()).lane)

    hook_calls(monkeypatch, somebody_asks)
    report = lane_run(credential_id=race.credential_id)
    assert said == [None]
    assert report.visits == 2
    assert SyncRun.objects.filter(trigger=Trigger.MANUAL).count() == 1


def test_a_request_without_budget_leaves_the_events_due(race):
    refill(free=2)
    report = sync_now.run(race=race, by=command_actor(), now=database_now())
    assert (report.runs, report.events) == ((), 2)
    assert "too few for LOW" in report.lane.stopped
    assert EventSync.objects.filter(due_at__lte=database_now(), picked_at=None).count() == 2
