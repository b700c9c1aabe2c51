"""A cycle's memory follows what it may pick, not what is due."""

from __future__ import annotations

import tracemalloc
from datetime import timedelta

import pytest

from partners.gate import database_now
from races.models import Event
from sync.models import EventSync
from sync.services.cycles import CycleReport, cycle_run
from tests.factories import CredentialFactory, RaceFactory

pytestmark = pytest.mark.django_db(transaction=True)

KEYS = 10
STARTS = {"HIGH": timedelta(hours=1), "MEDIUM": timedelta(hours=12), "LOW": timedelta(days=9)}
FEW, MANY = 300, 3_000


def add_due_events(credentials, *, count: int) -> None:
    """`count` events that are due, in equal parts HIGH, MEDIUM and LOW, in races of ten events."""
    now = database_now()
    for tier, ahead in STARTS.items():
        races = [RaceFactory(credential=credentials[number % KEYS]) for number in range(count // 30)]
        events = Event.objects.bulk_create(
            Event(race=race, provider_event_id=race.pk * 1000 + number, name="5K", starts_at=now + ahead)
            for race in races
            for number in range(10)
        )
        EventSync.objects.bulk_create(
            EventSync(
                event=event,
                credential=event.race.credential,
                tier=tier,
                tier_until=now + timedelta(minutes=30),
                due_at=now - timedelta(seconds=30),
            )
            for event in events
        )


def a_cycle() -> CycleReport:
    EventSync.objects.update(picked_at=None, picked_cycle=None)
    report = cycle_run(now=database_now(), call_lanes=False)
    assert report is not None
    return report


def peak_of_a_cycle() -> int:
    """Bytes of Python objects; the first cycle pays for what later ones find ready."""
    a_cycle()
    tracemalloc.start()
    try:
        before, _peak = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        report = a_cycle()
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert (report.cycle.high_picked, report.cycle.medium_picked, report.cycle.low_picked) == (50, 20, 10)
    return peak


def test_ten_times_as_many_due_events_cost_a_cycle_hardly_more_memory():
    credentials = CredentialFactory.create_batch(KEYS)
    add_due_events(credentials, count=FEW)
    few = peak_of_a_cycle()
    add_due_events(credentials, count=MANY - FEW)
    many = peak_of_a_cycle()
    # A cycle looks at four candidates for each place: at most 320, of 3,000.
    assert many < 1.5 * few, f"{few / 1024:.0f} kB with {FEW} due events, {many / 1024:.0f} kB with {MANY}"
