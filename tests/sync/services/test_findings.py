"""What is read for the doubts about events: people and bibs that are there twice, silence, counts that differ."""

from __future__ import annotations

import uuid
from datetime import date, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from races.models import Event
from sync.core.findings import FindingKind, Repeats
from sync.core.policy import DEFAULT_POLICY
from sync.models import EventSync, SyncRun
from sync.services.findings import duplicate_bibs, events_findings, same_people
from tests.factories import EventFactory, EventSyncFactory, ParticipantFactory, RaceFactory

pytestmark = pytest.mark.django_db

BORN = date(1990, 5, 1)


@pytest.fixture
def event(now):
    event = EventFactory(starts_at=now + timedelta(days=40), race=RaceFactory(registration_open=True))
    EventSyncFactory(event=event, tier="LOW", due_at=now, changed_at=now, checked_at=now)
    return event


def look(now, *events: Event):
    ids = [event.pk for event in events]
    loaded = list(Event.objects.filter(pk__in=ids).select_related("race", "sync").order_by("pk"))
    return events_findings(events=loaded, now=now, policy=DEFAULT_POLICY)


def kinds(now, event: Event) -> list[FindingKind]:
    return [finding.kind for finding in look(now, event)[event.pk]]


def test_a_bib_is_a_duplicate_within_its_event_among_those_who_are_registered(event, now):
    other = EventFactory(race=event.race)
    for bib in ("7", "7", "7", "101", "101", "12", "", ""):
        ParticipantFactory(event=event, bib=bib)
    ParticipantFactory(event=event, bib="12", removed_at=now)
    ParticipantFactory(event=other, bib="12")
    assert duplicate_bibs([event.pk, other.pk]) == {event.pk: Repeats(count=2, examples=("7", "101"))}


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ({"dob": BORN}, {"dob": BORN}, True),
        ({"dob": BORN}, {"dob": BORN, "last_name": "TIDEWATER"}, True),
        ({"user_id": 5}, {"user_id": 5, "last_name": "Tidewater-Cole"}, True),
        # A father and a son; two strangers; twins; children under their parent's account; imported people.
        ({"dob": BORN}, {"dob": date(2016, 5, 1)}, False),
        ({"dob": None}, {"dob": None}, False),
        ({"dob": BORN, "user_id": 5}, {"dob": BORN, "user_id": 5, "first_name": "Bea"}, False),
        ({"user_id": None}, {"user_id": None}, False),
        ({"dob": BORN}, {"dob": BORN, "removed_at": timezone.now()}, False),
    ],
)
def test_the_same_person_twice(event, one, two, same):
    for fields in (one, two):
        ParticipantFactory(event=event, **{"first_name": "Ada", "last_name": "Tidewater", **fields})
    assert (event.pk in same_people([event.pk])) is same


def test_who_is_found_by_both_rules_counts_once(event):
    ParticipantFactory.create_batch(2, event=event, last_name="Tidewater", dob=BORN, user_id=5)
    assert same_people([event.pk]) == {event.pk: Repeats(count=1, examples=("Ada Tidewater",))}


@pytest.fixture
def silent(event, now):
    """A lively event, silent for ten days of good hourly syncs."""
    since = now - timedelta(days=10)
    EventSync.objects.update(changed_at=since)
    for number in range(60):
        ParticipantFactory(event=event, registered_at=since - timedelta(hours=10 * number))
    SyncRun.objects.bulk_create(
        SyncRun(event=event, visit=uuid.uuid4(), started_at=now - timedelta(hours=hour), outcome="unchanged")
        for hour in range(240)
    )
    return event


def test_a_lively_event_that_falls_silent_is_a_doubt(silent, now):
    (finding,) = look(now, silent)[silent.pk]
    assert finding.kind is FindingKind.SILENCE
    assert finding.facts["expected"] == 21


def test_failed_syncs_are_no_silence(silent, now):
    SyncRun.objects.filter(started_at__lt=now - timedelta(hours=40)).update(outcome="failed")
    assert kinds(now, silent) == []


def test_a_closed_registration_is_no_silence(silent, now):
    silent.race.registration_open = False
    silent.race.save()
    assert kinds(now, silent) == []


def test_counts_differ_only_where_nothing_else_explains_it(event, now):
    EventSync.objects.update(reconciled_at=now, listed_count=10, mirror_count=9)
    assert kinds(now, event) == [FindingKind.COUNTS_DIFFER]
    EventSync.objects.update(reconcile_rejected=1)
    assert kinds(now, event) == []


def test_a_mistyped_year_is_found_by_those_who_registered_after_it(event, now):
    Event.objects.update(starts_at=now - timedelta(days=3650))
    assert kinds(now, event) == []
    ParticipantFactory(event=event, registered_at=now - timedelta(days=3))
    assert kinds(now, event) == [FindingKind.START_IN_THE_PAST]


def test_what_runsignup_took_out_of_the_race_raises_no_doubts(event, now):
    ParticipantFactory.create_batch(2, event=event, bib="7")
    Event.objects.update(gone_at=now)
    assert kinds(now, event) == []


def test_fifty_events_cost_as_many_queries_as_one(silent, now):
    def queries(*events: Event) -> int:
        with CaptureQueriesContext(connection) as captured:
            look(now, *events)
        return len(captured) - 1

    before = queries(silent)
    others = [EventFactory(race=silent.race, starts_at=now + timedelta(days=40)) for _ in range(49)]
    for other in others:
        EventSyncFactory(event=other, tier="LOW", due_at=now, changed_at=now - timedelta(days=20))
        ParticipantFactory.create_batch(2, event=other, bib="7")
    assert queries(silent, *others) == before
    assert before <= 4
