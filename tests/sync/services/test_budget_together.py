"""Everything that calls passes one gate: lanes, backfill, discovery and sync-now at once keep the budget (I2)."""

from __future__ import annotations

import time

import pytest

from partners.audit import command_actor
from partners.gate import database_now
from partners.models import ApiUsage
from partners.runsignup import paging
from races.models import Participant, Race
from sync.models import EventSync, Outcome, SyncRun
from sync.services import backfill as service
from sync.services import lanes, sync_now
from sync.services.backfill import BackfillRunner, Scope, backfill_claim
from sync.services.cycles import cycle_run
from sync.services.discovery import discovery_run
from sync.services.lanes import lane_run
from tests.sync.provider_stage import Stage, assert_mirror_is_truth, from_now, in_threads, make_due, refill

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Whoever may not call now comes again later, instead of sleeping through the test."""
    monkeypatch.setattr(lanes, "FIRST_CALL_PATIENCE", 0.0)
    monkeypatch.setattr(lanes, "LATER_CALL_PATIENCE", 0.0)
    monkeypatch.setattr(service, "LOOK_EVERY", 0.05)
    monkeypatch.setattr("sync.services.discovery.CALL_PATIENCE", 0.0)


def test_lanes_cycles_backfill_discovery_and_clicks_at_once_keep_the_limit(stage_of, monkeypatch):
    """Rows 27 and 28: two calls of a key at once, and no more than its burst in this moment."""
    stage: Stage = stage_of(1)
    monkeypatch.setattr(paging, "PAGE_SIZE", 2)
    for _ in range(6):
        stage.add_race(starts=[from_now(hours=2), from_now(days=-30)], people=5)
    stage.discover()
    race = Race.objects.select_related("credential__partner").first()
    runner = BackfillRunner(backfill_claim(Scope(), restart=False, now=database_now()), tell=lambda _progress: None)
    ends = time.monotonic() + 1.5
    began = database_now()

    def again(work):
        def until_the_end():
            while time.monotonic() < ends:
                work()

        return until_the_end

    def cycles_and_lane():
        make_due()
        cycle_run(now=database_now(), call_lanes=False)
        lane_run(credential_id=stage.key.pk)

    def stops_with_the_others():
        while time.monotonic() < ends:
            runner.stop.wait(0.05)
        runner.stop.set()

    in_threads(
        again(cycles_and_lane),
        again(cycles_and_lane),
        again(lambda: sync_now.request(race=race, by=command_actor(), now=database_now())),
        again(lambda: lane_run(credential_id=stage.key.pk)),
        again(lambda: discovery_run(credential_id=stage.key.pk, now=database_now())),
        runner.run,
        stops_with_the_others,
    )
    seconds = (database_now() - began).total_seconds()
    ledger = stage.world.ledger.summary()[stage.key.api_key]
    assert ledger["throttled"] == 0
    assert ledger["most_at_once"] <= 2
    # The burst, and what became free while the threads ran, one call in 3.67 s.
    assert 10 < ledger["calls"] <= 21 + seconds / 3.6
    assert sum(ApiUsage.objects.values_list("calls", flat=True)) == ledger["calls"]
    # Nobody was left behind half done.
    assert not SyncRun.objects.filter(outcome="").exists()
    refill()
    for _ in range(3):
        stage.sync()
    assert not SyncRun.objects.filter(outcome=Outcome.FAILED).exists()


def test_the_background_waits_while_high_goes_on(stage, monkeypatch):
    """Row 30: what is left of the budget is for the races of today."""
    stage.add_race(starts=[from_now(hours=2)])
    stage.add_race(starts=[from_now(days=-30)])
    stage.discover()
    refill(free=10)
    runner = BackfillRunner(backfill_claim(Scope(), restart=False, now=database_now()), tell=lambda _progress: None)
    visited: list[list[SyncRun]] = []

    def high_goes_on(_seconds: float) -> bool:
        """The runner waits for its budget: in the meantime the day goes on."""
        make_due()
        cycle_run(now=database_now(), call_lanes=False)
        lane_run(credential_id=stage.key.pk)
        visited.append(list(SyncRun.objects.filter(tier="HIGH", outcome__in=["ok", "unchanged"])))
        if len(visited) == 3:
            runner.stop.set()
        return False

    monkeypatch.setattr(runner.stop, "wait", high_goes_on)
    runner.run()
    assert [len(runs) for runs in visited] == [1, 2, 3]
    assert runner._calls == 0
    assert EventSync.objects.filter(tier="HIGH", failures=0).count() == 1
    # With calls to spare it goes on.
    refill()
    again = BackfillRunner(backfill_claim(Scope(), restart=False, now=database_now()), tell=lambda _progress: None)
    report = again.run()
    assert (report.done, report.races) == (2, 2)
    assert Participant.objects.count() == 6
    assert_mirror_is_truth(stage.world)
