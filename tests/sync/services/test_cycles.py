"""One cycle: what it picks, how often it runs, and what it costs."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django_q.models import OrmQ

from partners.gate import database_now
from partners.models import CallBudget, Credential
from races.models import Event, Race
from sync.core.planning import Verdict
from sync.models import Cycle, EventSync, Heartbeat
from sync.services import cycles
from sync.services.cycles import cycle_run
from sync.services.due_events import LOOKS_PER_TIER
from sync.services.leases import lane_claim, lane_hold, lane_release
from tests.factories import CredentialFactory, RaceFactory
from tests.sync.provider_stage import in_threads, refill

pytestmark = pytest.mark.django_db(transaction=True)

# When an event of each tier may start, so that nothing is re-tiered.
STARTS = {"HIGH": timedelta(hours=1), "MEDIUM": timedelta(hours=12), "LOW": timedelta(days=9)}


def due_events(credential: Credential, tier: str, *, races: int = 1, events: int = 1, late: int = 10) -> list[int]:
    """Pks of scheduled events that were due `late` seconds ago."""
    now = database_now()
    made = Event.objects.bulk_create(
        Event(race=race, provider_event_id=race.pk * 1000 + number, name="5K", starts_at=now + STARTS[tier])
        for race in RaceFactory.create_batch(races, credential=credential)
        for number in range(events)
    )
    EventSync.objects.bulk_create(
        EventSync(
            event=event,
            credential=credential,
            tier=tier,
            tier_until=now + timedelta(minutes=30),
            due_at=now - timedelta(seconds=late),
        )
        for event in made
    )
    return [event.pk for event in made]


def cycle(**options):
    return cycle_run(now=database_now(), call_lanes=False, **options)


def picked() -> set[int]:
    return set(EventSync.objects.filter(picked_at__isnull=False).values_list("pk", flat=True))


def test_a_cycle_takes_at_most_50_high_20_medium_and_10_low_events():
    for tier in ("HIGH", "MEDIUM", "LOW"):
        due_events(CredentialFactory(), tier, races=6, events=11)
    row = cycle().cycle
    assert (row.high_due, row.high_picked, row.high_deferred) == (66, 50, 16)
    assert (row.medium_due, row.medium_picked, row.medium_deferred) == (66, 20, 46)
    assert (row.low_due, row.low_picked, row.low_deferred) == (66, 10, 56)
    assert len(picked()) == 80


def test_what_a_cycle_left_is_first_in_the_next_one():
    credential = CredentialFactory()
    early = due_events(credential, "LOW", races=2, events=6, late=90)
    due_events(credential, "LOW", races=2, events=6, late=30)
    cycle()
    assert len(picked()) == 10
    EventSync.objects.filter(pk__in=picked()).update(due_at=None, picked_at=None)
    cycle()
    assert picked() >= set(EventSync.objects.filter(pk__in=early, due_at__isnull=False).values_list("pk", flat=True))


def test_only_what_is_due_is_picked():
    credential = CredentialFactory()
    due = due_events(credential, "HIGH")
    due_events(credential, "HIGH", late=-5)
    cycle()
    assert picked() == set(due)


def test_an_event_that_a_lane_has_already_is_not_picked_again():
    due_events(CredentialFactory(), "HIGH")
    assert cycle().cycle.high_picked == 1
    assert cycle().cycle.high_picked == 0


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"status": "refused", "status_detail": "error 6"}, "RunSignUp refuses the key"),
        ({"status": "paused"}, "is paused by staff"),
    ],
)
def test_a_key_that_may_not_be_used_is_left_alone_and_the_others_go_on(change, reason):
    stopped, other = CredentialFactory(**change), CredentialFactory()
    due_events(stopped, "HIGH")
    due = due_events(other, "HIGH")
    cycle()
    assert picked() == set(due)
    assert reason in cycles.blocked_reason(stopped)


def test_a_partner_that_is_switched_off_is_left_alone():
    credential = CredentialFactory(partner__is_active=False)
    due_events(credential, "HIGH")
    cycle()
    assert picked() == set()


def test_a_paused_key_waits_and_the_others_go_on():
    """Row 3."""
    paused, other = CredentialFactory(), CredentialFactory()
    CallBudget.objects.create(credential=paused, paused_until=database_now() + timedelta(minutes=5))
    due_events(paused, "HIGH")
    due = due_events(other, "HIGH")
    cycle()
    assert picked() == set(due)


def test_two_cycles_at_once_are_one(monkeypatch):
    """Row 27: while the first one plans, the second one comes and goes."""
    due_events(CredentialFactory(), "HIGH")
    first_plans, second_done = threading.Event(), threading.Event()
    real = cycles.plan

    def slow(*args, **options):
        first_plans.set()
        assert second_done.wait(timeout=10)
        return real(*args, **options)

    monkeypatch.setattr(cycles, "plan", slow)

    def second():
        assert first_plans.wait(timeout=10)
        try:
            return cycle()
        finally:
            second_done.set()

    reports = in_threads(cycle, second)
    assert reports[0] is not None
    assert reports[1] is None
    assert Cycle.objects.count() == 1


def test_a_slot_is_served_once():
    slot = database_now()
    assert cycle(slot=slot) is not None
    Heartbeat.objects.update(beat_at=slot - timedelta(minutes=1))
    assert cycle(slot=slot) is None
    assert cycle(slot=slot + timedelta(seconds=10)) is not None


def test_slots_that_queued_up_during_an_outage_do_not_run_as_a_burst():
    now = database_now()
    reports = [cycle(slot=now - timedelta(seconds=10 * ago)) for ago in range(30, 0, -1)]
    assert [report is not None for report in reports] == [True] + [False] * 29
    assert Cycle.objects.count() == 1


def test_a_slot_is_served_in_time_although_a_late_one_was_served_just_before():
    """A cluster that starts between two slots first runs the one that it missed."""
    now = database_now()
    assert cycle(slot=now - timedelta(seconds=6)) is not None
    assert cycle(slot=now - timedelta(seconds=5.5)) is None
    assert cycle(slot=database_now()) is not None


def test_a_slot_is_served_although_the_clock_was_set_back():
    """Row 16."""
    slot = database_now()
    cycle(slot=slot)
    Heartbeat.objects.update(beat_at=slot + timedelta(hours=1))
    assert cycle(slot=slot + timedelta(seconds=10)) is not None


def queries_of_a_cycle() -> int:
    EventSync.objects.update(picked_at=None)
    with CaptureQueriesContext(connection) as captured:
        cycle()
    return len(captured)


def test_a_cycle_costs_the_same_for_ten_events_and_for_three_hundred():
    credentials = CredentialFactory.create_batch(10)
    for credential, tier in zip(credentials, [*STARTS] * 4, strict=False):
        due_events(credential, tier)
    cycle()
    for_ten = queries_of_a_cycle()
    for credential in credentials:
        for tier in STARTS:
            due_events(credential, tier, races=3, events=3)
    assert EventSync.objects.count() > 270
    assert queries_of_a_cycle() == for_ten


def test_keys_in_overload_cost_a_cycle_a_few_more_looks_and_no_more():
    crowded, other = CredentialFactory.create_batch(2)
    due_events(other, "HIGH")
    cycle()
    for_one = queries_of_a_cycle()
    due_events(crowded, "HIGH", races=250, late=600)
    for_hundreds = queries_of_a_cycle()
    assert for_hundreds <= for_one + LOOKS_PER_TIER
    due_events(crowded, "HIGH", races=250, late=600)
    assert queries_of_a_cycle() <= for_hundreds


def test_a_key_in_overload_does_not_keep_the_others_from_being_picked():
    """Its due events fill the planner's window many times over, and it has no call to spare for them."""
    crowded, other = CredentialFactory(), CredentialFactory()
    due_events(crowded, "LOW", races=60, late=120)
    due = due_events(other, "LOW", late=20)
    refill(free=3)
    CallBudget.objects.filter(credential=other).delete()
    cycle()
    assert picked() == set(due)


def test_what_has_waited_long_takes_the_last_calls_of_its_key_but_none_of_high():
    """A key that is asked for too much never has the eight free calls that LOW would otherwise wait for."""
    crowded = CredentialFactory()
    high = due_events(crowded, "HIGH", races=2, late=10)
    low = due_events(crowded, "LOW", races=4, late=600)
    due_events(crowded, "LOW", races=4, late=300)
    refill(free=3)
    cycle()
    assert picked() >= set(high)
    assert len(picked() & set(low)) == 1
    assert len(picked()) == 3


def test_a_key_with_few_calls_left_takes_only_as_many_places_as_it_has_calls():
    crowded, other = CredentialFactory(), CredentialFactory()
    due_events(crowded, "HIGH", races=220, late=600)
    due = due_events(other, "HIGH", races=5, late=20)
    refill(free=3)
    CallBudget.objects.filter(credential=other).delete()
    cycle()
    assert len(picked() - set(due)) == 3
    assert picked() >= set(due)


def test_each_lane_with_work_is_called_once():
    credential = CredentialFactory()
    due_events(credential, "HIGH")
    cycle_run(now=database_now())
    due_events(credential, "HIGH")
    cycle_run(now=database_now())
    assert OrmQ.objects.count() == 1


def test_a_lane_that_the_queue_lost_is_called_again():
    credential = CredentialFactory()
    due_events(credential, "HIGH")
    now = database_now()
    cycle_run(now=now)
    cycle_run(now=now + cycles.CALL_AGAIN_AFTER + timedelta(seconds=1))
    assert OrmQ.objects.count() == 2


def test_a_living_lane_is_not_called_and_takes_over_what_is_picked_meanwhile():
    credential = CredentialFactory()
    fence = lane_claim(credential.pk)
    due_events(credential, "HIGH")
    assert cycle().credentials == ()
    assert lane_release(credential.pk, fence=fence, leave_work=False) is False


def test_a_cycle_and_a_lane_that_touch_the_same_event_do_not_block_each_other(monkeypatch):
    """A lane locks its budget and then its events; a cycle picks events and then looks at the budgets."""
    credential = CredentialFactory()
    [event] = due_events(credential, "HIGH")
    fence = lane_claim(credential.pk)
    lane_holds, cycle_picked = threading.Event(), threading.Event()
    real = cycles._lanes_with_work

    def looks_at_budgets(**options):
        cycle_picked.set()
        return real(**options)

    monkeypatch.setattr(cycles, "_lanes_with_work", looks_at_budgets)

    def lane():
        with transaction.atomic():
            lane_hold(credential.pk, fence=fence)
            lane_holds.set()
            assert cycle_picked.wait(timeout=10)
            return EventSync.objects.select_for_update().get(pk=event).picked_at

    def scheduler():
        assert lane_holds.wait(timeout=10)
        return cycle()

    picked_at, report = in_threads(lane, scheduler)
    assert picked_at == report.cycle.started_at


def test_an_event_that_a_lane_is_writing_is_left_to_the_next_cycle():
    credential = CredentialFactory()
    [held, free] = due_events(credential, "HIGH", events=2)
    lane_writes, cycle_done = threading.Event(), threading.Event()

    def lane():
        with transaction.atomic():
            EventSync.objects.select_for_update().get(pk=held)
            lane_writes.set()
            return cycle_done.wait(timeout=10)

    def scheduler():
        assert lane_writes.wait(timeout=10)
        report = cycle()
        cycle_done.set()
        return report

    in_time, report = in_threads(lane, scheduler)
    assert in_time
    assert report.cycle.high_picked == 1
    assert picked() == {free}
    assert cycle().cycle.high_picked == 1


def test_the_reasons_of_what_waits_are_in_the_decisions():
    due_events(CredentialFactory(), "LOW", races=12)
    report = cycle()
    waiting = [decision for decision in report.decisions if decision.verdict is not Verdict.RUN]
    assert len(waiting) == 2
    assert {decision.reason for decision in waiting} == {"this cycle already took 10 LOW events"}
    assert Race.objects.count() == 12
