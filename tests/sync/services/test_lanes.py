"""A lane walks its races: one call for all events of a race, HIGH first, and it stops where the budget does."""

from __future__ import annotations

from datetime import timedelta

import pytest

from partners.gate import database_now
from partners.models import ApiUsage, CallBudget
from partners.runsignup import paging
from sync import stopping
from sync.core import turns
from sync.models import Cycle, EventSync, Outcome, SyncRun, Trigger
from sync.services import lanes
from sync.services.cycles import cycle_run
from sync.services.lanes import lane_run
from sync.services.visit_state import Visit
from tests.sync.provider_stage import (
    Stage,
    assert_mirror_is_truth,
    from_now,
    hook_calls,
    listed,
    make_due,
    refill,
)

pytestmark = pytest.mark.django_db(transaction=True)


def cycle():
    return cycle_run(now=database_now(), call_lanes=False)


def lane(stage: Stage, **options):
    return lane_run(credential_id=stage.key.pk, **options)


def test_all_events_of_a_race_are_one_call(stage):
    stage.add_race(starts=[from_now(hours=2)] * 5)
    stage.discover()
    runs = stage.sync()
    assert [call["endpoint"] for call in stage.calls()] == ["participants"]
    assert len(runs) == 5
    assert len({run.visit for run in runs}) == 1
    assert {run.calls for run in runs} == {1}
    assert Cycle.objects.latest("pk").calls == 1


@pytest.mark.parametrize("races", [2, 3])
def test_the_rows_come_to_their_events_however_the_provider_groups_them(stage, races):
    for _ in range(races):
        stage.add_race(starts=[from_now(hours=2), None, from_now(hours=20)])
    stage.discover()
    stage.sync()
    assert_mirror_is_truth(stage.world)


def test_an_event_that_would_be_due_within_half_its_period_comes_along_and_is_not_counted(stage):
    race = stage.add_race(starts=[from_now(hours=2), from_now(hours=2), from_now(hours=12), from_now(hours=12)])
    stage.discover()
    stage.sync()
    now = database_now()
    ahead = {0: -1, 1: 29, 2: 140, 3: 160}
    for number, seconds in ahead.items():
        EventSync.objects.filter(event__provider_event_id=race.events[number].event_id).update(
            due_at=now + timedelta(seconds=seconds)
        )
    report = cycle()
    lane(stage)
    runs = SyncRun.objects.filter(started_at__gte=now).order_by("event_id")
    assert [run.came_along for run in runs] == [False, True, True]
    assert report.cycle.high_picked == 1
    assert (report.cycle.medium_due, report.cycle.medium_picked) == (0, 0)
    # Who came along has its next slot, too.
    assert stage.row(race.events[1]).due_at not in {now + timedelta(seconds=29), None}
    assert stage.row(race.events[3]).due_at == now + timedelta(seconds=160)


def test_high_comes_first_and_the_most_overdue_of_a_tier(stage, monkeypatch):
    asked = []
    low = stage.add_race(starts=[from_now(days=5)])
    late = stage.add_race(starts=[from_now(hours=2)])
    later = stage.add_race(starts=[from_now(hours=3)])
    medium = stage.add_race(starts=[from_now(hours=10)])
    stage.discover()
    for race, seconds in ((low, 900), (late, 20), (later, 90), (medium, 300)):
        EventSync.objects.filter(event__race__provider_race_id=race.race_id).update(
            due_at=database_now() - timedelta(seconds=seconds)
        )
    cycle()
    hook_calls(monkeypatch, lambda path, _params: asked.append(int(path.split("/")[2])))
    lane(stage)
    assert asked == [race.race_id for race in (later, late, medium, low)]


def test_the_next_due_time_is_the_races_next_slot(stage):
    race = stage.add_race(starts=[from_now(hours=2), from_now(hours=12), from_now(days=9)])
    stage.discover()
    stage.sync()
    now = database_now()
    for event, period in zip(race.events, (60, 300, 3600), strict=True):
        assert now < stage.row(event).due_at <= now + timedelta(seconds=period)


def test_a_second_lane_of_a_held_key_does_nothing(stage, monkeypatch):
    """Row 27: one lane per key."""
    stage.add_race(starts=[from_now(hours=2)])
    stage.discover()
    cycle()
    second = []
    hook_calls(monkeypatch, lambda _path, _params: second.append(lane(stage)))
    report = lane(stage)
    assert second == [None]
    assert (report.visits, report.calls) == (1, 1)


def test_work_that_is_picked_while_the_lane_ends_is_done_by_it(stage, monkeypatch):
    first, second = stage.add_race(starts=[from_now(hours=2)]), stage.add_race(starts=[from_now(hours=2)])
    stage.discover()
    EventSync.objects.update(due_at=database_now() + timedelta(minutes=5))
    make_due(stage.event(first.events[0]))
    cycle()
    release, picked = lanes.lane_release, []

    def while_it_ends(credential_id, **options):
        if not picked:
            make_due(stage.event(second.events[0]))
            picked.append(cycle())
        return release(credential_id, **options)

    monkeypatch.setattr(lanes, "lane_release", while_it_ends)
    report = lane(stage)
    assert picked[0].credentials == ()
    assert (report.visits, report.stopped) == (2, "")
    assert CallBudget.objects.get().lane_lease_until is None


def test_a_lane_stops_at_its_deadline_and_what_it_did_not_reach_is_first_in_the_next_cycle(stage):
    for _ in range(3):
        stage.add_race(starts=[from_now(hours=2)])
    stage.discover()
    make_due()
    cycle()
    report = lane(stage, seconds=-1.0)
    assert (report.visits, report.stopped) == (0, "its time was over")
    assert not SyncRun.objects.exists()
    assert EventSync.objects.filter(picked_at=None, due_at__lte=database_now()).count() == 3
    assert cycle().cycle.high_picked == 3


def test_a_lane_begins_no_visit_once_its_process_is_to_stop(stage):
    """Row 25: SIGTERM."""
    stage.add_race(starts=[from_now(hours=2)])
    stage.discover()
    make_due()
    cycle()
    stopping.request()
    try:
        assert lane(stage).stopped == "this process is about to stop"
    finally:
        stopping.reset()
    assert not SyncRun.objects.exists()
    assert EventSync.objects.get().picked_at is None


def test_a_nearly_empty_key_serves_high_and_defers_low(stage):
    high = stage.add_race(starts=[from_now(hours=2)])
    stage.add_race(starts=[from_now(days=9)])
    stage.discover()
    make_due()
    refill(free=6)
    report = cycle()
    assert {decision.tier for decision in report.decisions if decision.verdict == "run"} == {"HIGH"}
    assert (report.cycle.high_picked, report.cycle.low_picked, report.cycle.low_due) == (1, 0, 1)
    lane(stage)
    assert [run.event for run in SyncRun.objects.all()] == [stage.event(high.events[0])]


def test_a_lane_stops_when_the_budget_is_gone_and_leaves_no_open_run(stage):
    for _ in range(4):
        stage.add_race(starts=[from_now(days=9)])
    stage.discover()
    make_due()
    refill(free=9)
    cycle()
    EventSync.objects.update(picked_at=database_now())
    report = lane(stage)
    assert report.visits == 2
    assert "too few for LOW" in report.stopped
    assert SyncRun.objects.count() == 2
    assert not SyncRun.objects.filter(lease_until__isnull=False).exists()
    assert EventSync.objects.filter(picked_at=None, due_at__lte=database_now()).count() == 2
    assert ApiUsage.objects.filter(credential=stage.key).count() >= 1


def test_the_second_call_of_a_visit_waits_for_no_reserve(stage, monkeypatch):
    """In a small key it would wait for minutes, and HIGH with it."""
    race = stage.add_race(starts=[from_now(days=9)])
    stage.discover()
    stage.sync()
    make_due()
    refill(free=8)
    cycle()
    monkeypatch.setattr(lanes.time, "sleep", lambda seconds: pytest.fail(f"waited {seconds} s"))
    report = lane(stage)
    assert (report.visits, report.calls, report.stopped) == (1, 2, "")
    assert stage.calls("removed-participants")[-1]["race_id"] == race.race_id


def test_a_visit_that_finds_the_places_of_its_key_taken_stays_due_and_is_no_failure(stage, monkeypatch):
    monkeypatch.setattr(lanes, "FIRST_CALL_PATIENCE", 0.0)
    stage.add_race(starts=[from_now(hours=2)])
    stage.discover()
    make_due()
    cycle()
    soon = database_now() + timedelta(seconds=30)
    CallBudget.objects.update(calls_in_flight=[soon, soon])
    report = lane(stage)
    assert report.stopped == "2 calls of this key are running"
    [run] = SyncRun.objects.all()
    assert (run.outcome, run.calls, run.error_text) == (Outcome.THROTTLED, 0, report.stopped)
    row = EventSync.objects.get()
    assert (row.failures, row.picked_at) == (0, None)
    assert row.due_at <= database_now()


def test_an_event_taken_off_the_schedule_after_the_pick_is_dropped(stage):
    stage.add_race(starts=[from_now(hours=2)])
    stage.discover()
    make_due()
    cycle()
    EventSync.objects.update(due_at=None)
    report = lane(stage)
    assert (report.visits, report.calls) == (0, 0)
    assert EventSync.objects.get().picked_at is None


@pytest.mark.parametrize("breaks", ["visit_open", "visit_run"])
def test_a_race_whose_visit_breaks_beyond_repair_stays_due_and_the_others_go_on(stage, monkeypatch, breaks):
    """One bad item never stops the rest, not even when its outcome cannot be written."""
    bad, good = stage.add_race(starts=[from_now(hours=2)]), stage.add_race(starts=[from_now(hours=3)])
    stage.discover()
    make_due()
    EventSync.objects.filter(event__race__provider_race_id=bad.race_id).update(
        due_at=database_now() - timedelta(seconds=90)
    )
    cycle()
    race = stage.event(bad.events[0]).race_id
    real = getattr(lanes, breaks)

    def breaking(*visits, **options):
        if options.get("race_id") == race or any(isinstance(one, Visit) and one.race.pk == race for one in visits):
            raise KeyError("bad")
        return real(*visits, **options)

    def cannot_be_closed(*_visit, **_options):
        raise KeyError("worse")

    monkeypatch.setattr(lanes, breaks, breaking)
    monkeypatch.setattr(lanes.visit_outcomes, "close_bad", cannot_be_closed)
    report = lane(stage)
    assert (report.visits, report.stopped) == (1, "")
    assert stage.row(good.events[0]).visits == 1
    row = stage.row(bad.events[0])
    assert row.picked_at is None
    assert row.due_at <= database_now()
    assert CallBudget.objects.get().lane_lease_until is None


def test_the_trigger_of_a_lane_is_what_its_runs_say(stage):
    stage.add_race(starts=[from_now(hours=2)])
    stage.discover()
    make_due()
    cycle()
    lane(stage, trigger=Trigger.RECONCILE)
    assert SyncRun.objects.get().trigger == Trigger.RECONCILE


def test_who_left_is_asked_at_every_fifth_high_third_medium_and_every_low_visit(stage):
    """Policy §3: the extra call."""
    events = [stage.add_race(starts=[start]) for start in (from_now(hours=2), from_now(hours=12), from_now(days=9))]
    stage.discover()
    for _ in range(7):
        stage.sync()
    asked = [call["race_id"] for call in stage.calls("removed-participants")]
    assert [asked.count(race.race_id) for race in events] == [1, 2, 6]


def test_a_day_without_any_full_comparison_is_made_up_for(stage):
    stage.add_race(starts=[from_now(hours=2)])
    stage.discover()
    assert [run.full for run in stage.sync()] == [True]
    assert [run.full for run in stage.sync()] == [False]
    EventSync.objects.update(reconciled_at=database_now() - timedelta(hours=24))
    assert [run.full for run in stage.sync()] == [True]


def test_an_event_that_has_entered_high_is_compared_in_full(stage):
    stage.add_race(starts=[from_now(hours=3, minutes=59)])
    stage.discover()
    stage.sync()
    EventSync.objects.update(reconciled_at=database_now() - timedelta(minutes=10))
    assert [run.full for run in stage.sync()] == [True]
    assert [run.full for run in stage.sync()] == [False]


@pytest.mark.parametrize(("one_of", "low_first"), [(1, True), (10**9, False)])
def test_in_its_turn_what_has_waited_longest_is_visited_before_high(stage, monkeypatch, one_of, low_first):
    monkeypatch.setattr(turns, "ONE_OF", one_of)
    urgent = stage.add_race(starts=[from_now(hours=2)])
    calm = stage.add_race(starts=[from_now(days=9)])
    stage.discover()
    refill()
    for race, hours in ((urgent, 2), (calm, 3)):
        row = EventSync.objects.filter(event=stage.event(race.events[0]))
        row.update(due_at=database_now() - timedelta(hours=hours))
    cycle()
    lane(stage)
    asked = [call["race_id"] for call in stage.calls("participants")]
    assert asked == [race.race_id for race in ((calm, urgent) if low_first else (urgent, calm))]


def test_what_is_high_overtakes_a_long_visit_between_its_pages(stage, monkeypatch):
    monkeypatch.setattr(paging, "PAGE_SIZE", 2)
    long = stage.add_race(starts=[from_now(days=9)], people=7)
    urgent = stage.add_race(starts=[from_now(hours=2)], people=1)
    stage.discover()
    refill()
    EventSync.objects.update(due_at=database_now() + timedelta(minutes=5))
    make_due(stage.event(long.events[0]))
    cycle()

    def the_start_comes_near(path, params):
        if f"/{long.race_id}/" in path and params["after_registration_id"] != "0" and not urgent_runs():
            make_due(stage.event(urgent.events[0]))
            cycle()

    def urgent_runs():
        return SyncRun.objects.filter(event=stage.event(urgent.events[0]))

    hook_calls(monkeypatch, the_start_comes_near)
    report = lane(stage)
    assert (report.visits, report.stopped) == (2, "")
    asked = [call["race_id"] for call in stage.calls("participants")]
    assert asked == [long.race_id, long.race_id, urgent.race_id, long.race_id, long.race_id]
    assert listed(long.events[0]) == {one.registration_id for one in long.events[0].registrations}
    assert_mirror_is_truth(stage.world)
