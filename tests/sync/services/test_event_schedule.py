"""An event's place in the schedule: its tier, why it has none, and what is owed at its end (rows 17 and 18)."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from partners.gate import database_now
from races.models import Event, Race
from sync.core.policy import DEFAULT_POLICY
from sync.core.slots import next_due
from sync.models import EventSync, Trigger
from sync.services import event_schedule
from sync.services.cycles import cycle_run
from sync.services.event_schedule import EVENT_GONE, RACE_GONE, RACE_OFF, reschedule, retier_due
from sync.services.lanes import lane_run
from tests.factories import EventFactory, EventSyncFactory, RaceFactory
from tests.sync.provider_stage import (
    Stage,
    assert_mirror_is_truth,
    from_now,
    hook_calls,
    in_threads,
    make_due,
    text_of,
    wait_until_somebody_waits_for_us,
)

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = timedelta(hours=1)


def scheduled(event: Event) -> EventSync:
    reschedule(events=[Event.objects.select_related("race").get(pk=event.pk)], now=database_now())
    return EventSync.objects.get(event=event)


def starting(**ahead: float) -> Event:
    return EventFactory(starts_at=database_now() + timedelta(**ahead))


def test_a_new_event_is_due_at_once_in_its_tier():
    for hours, tier in ((1, "HIGH"), (12, "MEDIUM"), (30, "LOW")):
        event = starting(hours=hours)
        before = database_now()
        row = scheduled(event)
        assert row.tier == tier
        assert before <= row.due_at <= database_now() + timedelta(minutes=1)


def test_a_start_that_discovery_sees_moved_changes_the_tier_at_once(stage: Stage):
    """Row 18: from next week to in two hours."""
    race = stage.add_race(starts=[from_now(days=7)])
    stage.discover()
    stage.sync()
    event = race.events[0]
    assert stage.row(event).tier == "LOW"
    stage.world.change("start", event_id=event.event_id, start_time=text_of(from_now(hours=2)))
    stage.discover()
    row = stage.row(event)
    assert row.tier == "HIGH"
    assert row.due_at <= database_now() + timedelta(minutes=1)
    make_due()
    report = cycle_run(now=database_now(), call_lanes=False)
    assert report.cycle.high_picked == 1


def test_a_start_that_moved_away_leaves_high(stage):
    race = stage.add_race(starts=[from_now(hours=2)])
    stage.discover()
    stage.sync()
    stage.world.change("start", event_id=race.events[0].event_id, start_time=text_of(from_now(days=7)))
    stage.discover()
    assert stage.row(race.events[0]).tier == "LOW"


def test_an_event_without_a_start_stays_low(stage):
    """Row 18: missing. The race's other event gives it a day to be listed by."""
    race = stage.add_race(starts=[from_now(days=2), None])
    stage.discover()
    stage.sync()
    row = stage.row(race.events[1])
    assert (row.tier, row.tier_until) == ("LOW", None)
    assert database_now() < row.due_at <= database_now() + HOUR
    assert_mirror_is_truth(stage.world)


def test_a_start_at_midnight_is_high_from_four_hours_before_four(stage):
    """Row 18: 00:00 is a placeholder, "some time between 04:00 and 14:00"."""
    tomorrow = (from_now(hours=24)).replace(hour=7, minute=0)  # 00:00 in Phoenix
    race = stage.add_race(starts=[tomorrow, from_now(days=9)])
    local = text_of(tomorrow).split(" ")[0]
    stage.world.change("start", event_id=race.events[0].event_id, start_time=f"{local} 00:00")
    stage.discover()
    event = stage.event(race.events[0])
    assert event.start_is_placeholder
    earliest = event.starts_at + timedelta(hours=4)
    for moment, tier in (
        (earliest - 24 * HOUR - timedelta(seconds=1), "LOW"),
        (earliest - 24 * HOUR, "MEDIUM"),
        (earliest - 4 * HOUR, "HIGH"),
        (earliest + 11 * HOUR, "HIGH"),
    ):
        reschedule(events=[event], now=moment)
        assert EventSync.objects.get(event=event).tier == tier


@pytest.mark.parametrize("year", [1, 1753, 9999])
def test_a_start_that_no_race_can_have_counts_as_none(year):
    """Row 18: at the ends of the calendar there is no hour before or after."""
    for start in (datetime(year, 1, 1, 0, 30, tzinfo=UTC), datetime(year, 12, 31, 23, 30, tzinfo=UTC)):
        row = scheduled(EventFactory(starts_at=start))
        assert (row.tier, row.tier_until) == ("LOW", None)
        assert row.due_at is not None


def test_a_race_that_is_switched_off_leaves_the_schedule_with_the_reason_and_comes_back_at_once():
    event = starting(hours=2)
    scheduled(event)
    Race.objects.update(sync_enabled=False)
    row = scheduled(event)
    assert (row.due_at, row.tier, row.hold_reason) == (None, None, RACE_OFF)
    Race.objects.update(sync_enabled=True)
    row = scheduled(event)
    assert (row.tier, row.hold_reason) == ("HIGH", "")
    assert row.due_at <= database_now() + timedelta(minutes=1)


def test_a_race_that_is_switched_off_during_a_visit_is_not_due_again(stage, monkeypatch):
    stage.add_race(starts=[from_now(hours=2)])
    stage.discover()
    hook_calls(monkeypatch, lambda _path, _params: Race.objects.update(sync_enabled=False))
    stage.sync()
    row = EventSync.objects.get()
    assert (row.due_at, row.tier, row.hold_reason) == (None, None, RACE_OFF)


@pytest.mark.parametrize(("model", "reason"), [(Race, RACE_GONE), (Event, EVENT_GONE)])
def test_what_is_gone_leaves_the_schedule_with_the_reason(model, reason):
    event = starting(hours=2)
    scheduled(event)
    model.objects.update(gone_at=database_now())
    row = scheduled(event)
    assert (row.due_at, row.tier, row.hold_reason) == (None, None, reason)


def test_a_start_that_is_moved_while_the_provider_talks_is_not_overwritten(stage, monkeypatch):
    race = stage.add_race(starts=[from_now(days=7)])
    stage.discover()

    def moved(_path, _params):
        Event.objects.update(starts_at=from_now(hours=2))
        reschedule(events=Event.objects.select_related("race"), now=database_now())

    hook_calls(monkeypatch, moved)
    stage.sync()
    row = stage.row(race.events[0])
    assert row.tier == "HIGH"
    assert row.due_at <= database_now() + timedelta(minutes=1)


def test_what_a_lane_writes_while_discovery_waits_for_it_is_not_undone():
    event = starting(hours=30)
    now = database_now()
    EventSyncFactory(event=event, tier="LOW", tier_until=event.starts_at - 24 * HOUR, due_at=now)
    Event.objects.update(starts_at=now + 2 * HOUR)
    next_slot = now + timedelta(seconds=7)
    lane_writes = threading.Event()

    def lane():
        with transaction.atomic():
            row = EventSync.objects.select_for_update().get(pk=event.pk)
            lane_writes.set()
            wait_until_somebody_waits_for_us()
            row.due_at, row.hold_reason = next_slot, "36 of 40 people are missing."
            row.save(update_fields=["due_at", "hold_reason"])

    def discovery():
        assert lane_writes.wait(timeout=10)
        scheduled(event)

    in_threads(lane, discovery)
    row = EventSync.objects.get()
    assert row.tier == "HIGH"
    assert row.hold_reason == "36 of 40 people are missing."
    assert row.due_at <= next_slot
    assert row.due_at > now


def test_a_tier_that_begins_is_entered_by_the_cycle():
    now = database_now()
    event = starting(hours=2)
    EventSyncFactory(event=event, tier="MEDIUM", tier_until=now, due_at=now + timedelta(minutes=4))
    report = cycle_run(now=now, call_lanes=False)
    row = EventSync.objects.get()
    assert report.retiered == 1
    assert row.tier == "HIGH"
    assert row.due_at <= now + timedelta(minutes=1)
    assert row.tier_until == event.starts_at + HOUR


def test_a_finished_event_leaves_the_schedule_after_the_one_visit_it_still_owes(stage):
    race = stage.add_race(starts=[from_now(hours=-1, minutes=2)])
    stage.discover()
    stage.sync()
    event = stage.event(race.events[0])
    # Its end has passed since; the visit due before it was not made in time.
    Event.objects.update(starts_at=database_now() - HOUR - timedelta(seconds=20))
    over = database_now() - timedelta(seconds=20)
    EventSync.objects.update(due_at=over - timedelta(seconds=5), tier_until=over)
    cycle_run(now=database_now(), call_lanes=False)
    row = EventSync.objects.get()
    assert (row.tier, row.tier_until, row.picked_at is None) == ("HIGH", None, False)
    lane_run(credential_id=stage.key.pk)
    row = EventSync.objects.get()
    assert (row.tier, row.due_at, row.picked_at) == (None, None, None)
    assert event.sync_runs.count() == 2
    assert cycle_run(now=database_now(), call_lanes=False).cycle.high_due == 0


def test_a_finished_event_that_owes_nothing_leaves_at_once():
    now = database_now()
    event = EventFactory(starts_at=now - HOUR - timedelta(seconds=10))
    over = now - timedelta(seconds=10)
    EventSyncFactory(event=event, tier="HIGH", tier_until=over, due_at=over + timedelta(seconds=30))
    cycle_run(now=now, call_lanes=False)
    row = EventSync.objects.get()
    assert (row.tier, row.tier_until, row.due_at, row.picked_at) == (None, None, None, None)


def test_a_sync_that_a_person_asked_for_after_the_end_stays_asked_for():
    event = starting(days=-3)
    scheduled(event)
    now = database_now()
    EventSync.objects.update(due_at=now, tier="LOW", due_trigger=Trigger.MANUAL)
    row = scheduled(event)
    assert (row.due_at, row.tier) == (now, "LOW")


def test_at_most_so_many_events_are_retiered_in_one_cycle_and_the_rest_in_the_next(monkeypatch):
    monkeypatch.setattr(event_schedule, "RETIER_LIMIT", 3)
    now = database_now()
    for race in RaceFactory.create_batch(5):
        EventSyncFactory(
            event=EventFactory(race=race, starts_at=now + 2 * HOUR), tier="MEDIUM", tier_until=now, due_at=now + HOUR
        )
    retiered = [cycle_run(now=now, call_lanes=False).retiered for _ in range(3)]
    assert retiered == [3, 2, 0]


def test_retiering_costs_the_same_for_one_event_and_for_many():
    now = database_now()

    def cost(count: int) -> int:
        for race in RaceFactory.create_batch(count):
            event = EventFactory(race=race, starts_at=now + 2 * HOUR)
            EventSyncFactory(event=event, tier="MEDIUM", tier_until=now, due_at=now + HOUR)
        with transaction.atomic(), CaptureQueriesContext(connection) as captured:
            assert retier_due(now=now) == count
        return len(captured)

    assert cost(1) == cost(40)


def test_rescheduling_what_did_not_move_writes_nothing():
    events = [starting(hours=2), starting(hours=30)]
    now = database_now()
    queryset = Event.objects.filter(pk__in=[event.pk for event in events]).select_related("race")
    assert reschedule(events=queryset, now=now) == 2
    assert reschedule(events=queryset, now=now) == 0


def test_the_tier_ends_of_a_whole_day_are_the_policys(stage):
    """540 syncs: what the schedule holds at each visit follows from the next slot, 60 s apart while HIGH."""
    race = stage.add_race(starts=[from_now(hours=2)])
    stage.discover()
    stage.sync()
    first = stage.row(race.events[0]).due_at
    row = stage.row(race.events[0])
    event = stage.event(race.events[0])
    following = next_due(window=event_schedule.window_of(event), race_id=race.race_id, now=first, policy=DEFAULT_POLICY)
    assert following - first == timedelta(seconds=60)
    assert row.tier_until == event.starts_at + HOUR
