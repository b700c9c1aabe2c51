"""All calls of the installation are running: who wants to call waits, gives up without a failure, or goes on later."""

from __future__ import annotations

from datetime import timedelta

import pytest

from partners.call_places import PLACE_LASTS
from partners.gate import database_now
from partners.models import ApiUsage, CallPlace
from sync.models import Backfill, EventSync, Outcome, SyncRun
from sync.services import backfill, lanes
from sync.services.backfill import BackfillRunner, Scope, backfill_claim
from sync.services.cycles import cycle_run
from sync.services.discovery import discovery_run
from sync.services.lanes import lane_run
from tests.sync.provider_stage import from_now, make_due

REASON = "all 2 calls of this installation are running"


@pytest.fixture(autouse=True)
def two_places(settings):
    settings.CALLS_AT_ONCE = 2


@pytest.fixture
def ready(stage):
    """One race in two hours, known and due."""
    stage.add_race(starts=[from_now(hours=2)])
    stage.discover()
    make_due()
    return stage


def others_hold_all_places(*, lasting: timedelta = PLACE_LASTS) -> None:
    until = database_now() + lasting
    for number in (1, 2):
        CallPlace.objects.update_or_create(number=number, defaults={"held_until": until})


def test_a_visit_that_finds_no_place_stays_due_and_is_no_failure(ready, monkeypatch):
    monkeypatch.setattr(lanes, "FIRST_CALL_PATIENCE", 0.0)
    before = len(ready.calls())
    cycle_run(now=database_now(), call_lanes=False)
    others_hold_all_places()
    report = lane_run(credential_id=ready.key.pk)
    assert report.stopped == REASON
    [run] = SyncRun.objects.all()
    assert (run.outcome, run.calls, run.error_text) == (Outcome.THROTTLED, 0, REASON)
    row = EventSync.objects.get()
    assert (row.failures, row.hold_reason, row.picked_at) == (0, "", None)
    assert row.due_at <= database_now()
    assert len(ready.calls()) == before


def test_a_visit_waits_for_a_place_that_comes_free_soon(ready):
    cycle_run(now=database_now(), call_lanes=False)
    others_hold_all_places(lasting=timedelta(milliseconds=300))
    report = lane_run(credential_id=ready.key.pk)
    assert (report.visits, report.stopped) == (1, "")
    assert SyncRun.objects.get().outcome == Outcome.OK
    assert not CallPlace.objects.filter(held_until__gt=database_now()).exists()


def test_a_load_of_history_waits_until_a_place_of_its_own_is_free(ready, monkeypatch):
    monkeypatch.setattr(backfill, "LOOK_EVERY", 0.1)
    others_hold_all_places(lasting=timedelta(milliseconds=300))
    # What the background may not have is held on: it does not need it.
    CallPlace.objects.filter(number=2).update(held_until=database_now() + timedelta(seconds=50))
    claimed = backfill_claim(Scope(), restart=False, now=database_now())
    assert BackfillRunner(claimed, tell=lambda _progress: None).run().problems == ()
    assert Backfill.objects.get().status == Backfill.Status.DONE
    assert SyncRun.objects.filter(trigger="backfill").count() == 1


def test_a_discovery_without_a_place_says_why_and_comes_again(ready, monkeypatch):
    monkeypatch.setattr("sync.services.discovery.CALL_PATIENCE", 0.0)
    spent = sum(ApiUsage.objects.values_list("calls", flat=True))
    others_hold_all_places()
    report = discovery_run(credential_id=ready.key.pk, now=database_now())
    assert report.problem == (
        "The key may not call now: 1 call of this installation is running, the rest are kept for the races of today."
    )
    assert sum(ApiUsage.objects.values_list("calls", flat=True)) == spent
