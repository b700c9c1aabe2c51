"""Runs become one row per day of an event's last hours, and these rows outlive them."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from partners.models import ApiUsage
from races.models import Event
from sync.core.policy import DEFAULT_POLICY
from sync.models import Cycle, EventDay, SyncRun
from sync.services.event_days import event_days_roll_up
from sync.services.receipt import event_receipt
from tests.factories import EventFactory, RaceFactory

pytestmark = pytest.mark.django_db

START = datetime(2026, 6, 6, 12, 0, tzinfo=UTC)
HIGH = START - timedelta(hours=4)
END = START + timedelta(hours=1)
OVER = END + timedelta(minutes=31)
LAST_CHANGE = END - timedelta(minutes=1)
FRIDAY, SATURDAY = date(2026, 6, 5), date(2026, 6, 6)


@pytest.fixture
def event():
    return EventFactory(starts_at=START)


def runs_make(event: Event, moments, outcome: str = "unchanged", **fields) -> None:
    SyncRun.objects.bulk_create(
        SyncRun(event=event, visit=uuid.uuid4(), started_at=at, outcome=outcome, **fields) for at in moments
    )


def moments(begins: datetime, ends: datetime, seconds: int) -> list[datetime]:
    return [begins + timedelta(seconds=each) for each in range(0, int((ends - begins).total_seconds()), seconds)]


@pytest.fixture
def ran(event):
    """Synced as planned, but for 14 s once and two visits."""
    planned = [*moments(START - timedelta(hours=24), HIGH, 300), *moments(HIGH, END, 60)]
    late = planned.index(START - timedelta(minutes=107))
    planned[late] += timedelta(seconds=14)
    del planned[late + 1 : late + 3]
    runs_make(event, planned[:-2])
    runs_make(event, planned[-2:], "ok", changed=2)
    return event


def roll_up(now: datetime) -> int:
    return event_days_roll_up(now=now, policy=DEFAULT_POLICY)


def rows() -> list[tuple]:
    found = EventDay.objects.order_by("event", "day")
    return list(found.values_list("day", "planned", "done", "failed", "longest_gap", "longest_gap_at", "last_change"))


def receipt(event: Event, now: datetime):
    return event_receipt(event=Event.objects.select_related("race").get(pk=event.pk), now=now, policy=DEFAULT_POLICY)


def test_one_row_per_local_day(ran):
    roll_up(OVER)
    assert rows() == [
        (FRIDAY, 192, 192, 0, timedelta(minutes=5), START - timedelta(hours=8, minutes=5), None),
        (SATURDAY, 348, 346, 0, timedelta(seconds=166), datetime(2026, 6, 6, 10, 13, 14, tzinfo=UTC), LAST_CHANGE),
    ]


def test_a_second_roll_up_changes_nothing(ran):
    assert roll_up(OVER) == 2
    before = list(EventDay.objects.values())
    assert roll_up(OVER) == 0
    assert roll_up(OVER + timedelta(hours=5)) == 0
    assert list(EventDay.objects.values()) == before


def test_the_receipt_outlives_the_runs(ran):
    roll_up(OVER)
    before = receipt(ran, OVER)
    SyncRun.objects.all().delete()
    assert roll_up(OVER + timedelta(days=1)) == 0
    assert receipt(ran, OVER + timedelta(days=40)) == before
    assert (before.planned, before.done, before.is_over) == (540, 538, True)


def test_a_day_that_is_over_is_never_reckoned_from_fewer_runs(ran):
    roll_up(END - timedelta(minutes=1))
    written = rows()
    SyncRun.objects.filter(started_at__lt=START).delete()
    roll_up(OVER)
    assert rows()[0] == written[0]
    assert rows()[1][2] == written[1][2]


def test_an_event_that_is_not_over_is_rolled_up_so_far_and_again(ran):
    SyncRun.objects.filter(started_at__gte=START).delete()
    roll_up(START)
    friday, saturday = rows()
    assert (friday[1:3], saturday[1:3]) == ((192, 192), (348, 286))
    runs_make(ran, moments(START, START + timedelta(minutes=10), 60))
    roll_up(START + timedelta(minutes=10))
    assert rows()[1][2] == 296
    found = receipt(ran, START + timedelta(minutes=10))
    assert (found.planned, found.planned_in_all, found.is_over) == (490, 540, False)


def test_what_was_over_while_nothing_ran_is_rolled_up_later(ran):
    assert roll_up(OVER + timedelta(days=5)) == 2
    assert roll_up(OVER + timedelta(days=5)) == 0


def test_before_the_last_hours_there_is_nothing(event):
    early = START - timedelta(hours=24, seconds=1)
    assert roll_up(early) == 0
    assert receipt(event, early) is None


def test_an_event_that_was_found_after_it_was_over_is_accused_of_nothing(event):
    assert roll_up(OVER) == 0
    assert receipt(event, OVER) is None


def test_nothing_was_promised_of_a_race_that_is_switched_off(event):
    event.race.sync_enabled = False
    event.race.save()
    assert roll_up(START) == 0
    assert receipt(event, START) is None


def test_a_start_that_moves_moves_the_last_hours(ran):
    roll_up(START - timedelta(hours=1))
    Event.objects.update(starts_at=START + timedelta(days=1))
    later = START + timedelta(minutes=1)
    roll_up(later)
    assert [row[0] for row in rows()] == [FRIDAY, SATURDAY]
    (day,) = receipt(ran, later).days
    assert (day.part.begins, day.planned, day.done) == (START, 192, 60)


def cause_of(event: Event) -> str:
    roll_up(OVER)
    return EventDay.objects.get(event=event, day=SATURDAY).longest_gap_cause


@pytest.fixture
def gap_of_ten_minutes(event):
    """From 06:10 to 06:20 New York time; cycles ran all the while."""
    began = datetime(2026, 6, 6, 10, 10, tzinfo=UTC)
    planned = [*moments(START - timedelta(hours=24), HIGH, 300), *moments(HIGH, END, 60)]
    runs_make(event, [at for at in planned if not began < at < began + timedelta(minutes=10)])
    cycles = moments(began - timedelta(minutes=5), began + timedelta(minutes=15), 10)
    Cycle.objects.bulk_create(Cycle(started_at=at) for at in cycles)
    return began


def test_the_gap_says_that_the_key_was_throttled(event, gap_of_ten_minutes):
    ApiUsage.objects.create(
        credential=event.race.credential, minute=gap_of_ten_minutes + timedelta(minutes=1), throttled=1
    )
    assert cause_of(event) == "throttled"


def test_the_gap_says_that_the_scheduler_was_silent(event, gap_of_ten_minutes):
    Cycle.objects.filter(started_at__range=(gap_of_ten_minutes, gap_of_ten_minutes + timedelta(minutes=9))).delete()
    assert cause_of(event) == "the scheduler was silent for 9 min 10 s"


def test_the_gap_says_that_tries_failed(event, gap_of_ten_minutes):
    runs_make(event, [gap_of_ten_minutes + timedelta(minutes=3)], "failed")
    assert cause_of(event) == "1 try failed"


def test_a_cause_that_was_found_stays_when_its_records_are_gone(event, gap_of_ten_minutes):
    ApiUsage.objects.create(
        credential=event.race.credential, minute=gap_of_ten_minutes + timedelta(minutes=1), throttled=1
    )
    roll_up(END)
    ApiUsage.objects.all().delete()
    assert cause_of(event) == "throttled"


def queries_of_a_roll_up(now: datetime) -> int:
    with CaptureQueriesContext(connection) as captured:
        roll_up(now)
    return len(captured)


def test_fifty_events_cost_as_many_queries_as_one(event):
    runs_make(event, [HIGH])
    before = queries_of_a_roll_up(START)
    race = RaceFactory()
    for _ in range(49):
        runs_make(EventFactory(race=race, starts_at=START), [HIGH, START])
    assert queries_of_a_roll_up(START) == before
    assert before <= 7
    assert EventDay.objects.count() == 100
