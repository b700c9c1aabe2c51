"""A page's cost does not grow with what it shows."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from races.models import RaceAccess
from tests.factories import EventFactory, EventSyncFactory, ParticipantFactory, RaceFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("heartbeat")]


def queries_of(client, url: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert client.get(url).status_code == 200
    return len(captured)


def test_the_race_list_asks_the_same_for_1_and_for_50_races(log_in, director, race, scheduled, now):
    scheduled()
    client = log_in(director)
    before = queries_of(client, reverse("race_list"))

    for number in range(49):
        other = RaceFactory()
        RaceAccess.objects.create(user=director, race=other)
        EventSyncFactory(
            event=EventFactory(race=other, starts_at=now + timedelta(days=number)),
            tier="LOW",
            due_at=now + timedelta(minutes=9),
        )

    assert queries_of(client, reverse("race_list")) == before
    assert before <= 16


def test_the_race_list_asks_the_same_when_1_or_50_events_fail(log_in, director, race, scheduled, run_of):
    run_of(scheduled(failures=2), outcome="failed", error_text="no answer")
    client = log_in(director)
    before = queries_of(client, reverse("race_list"))

    for number in range(49):
        run_of(scheduled(f"Event {number}", failures=2), outcome="failed", error_text="no answer")

    assert queries_of(client, reverse("race_list")) == before


def test_the_race_page_asks_the_same_for_1_and_for_20_events(log_in, director, race, scheduled, run_of):
    run_of(scheduled())
    client = log_in(director)
    url = reverse("race_page", args=[race.pk])
    before = queries_of(client, url)

    for number in range(19):
        event = scheduled(f"Event {number}")
        run_of(event)
        ParticipantFactory(event=event)

    assert queries_of(client, url) == before
    assert before <= 28


def test_the_event_page_asks_the_same_for_1_and_for_50_people(log_in, director, race, scheduled, run_of):
    event = scheduled()
    run_of(event)
    ParticipantFactory(event=event)
    client = log_in(director)
    url = reverse("event_page", args=[race.pk, event.pk])
    before = queries_of(client, url)

    for _ in range(49):
        ParticipantFactory(event=event)
        run_of(event)

    assert queries_of(client, url) == before
    assert before <= 36


def test_the_event_page_asks_the_same_when_1_or_50_people_moved(log_in, director, race, scheduled, now):
    event, other = scheduled("10K"), scheduled("5K")

    def moved(number: int) -> None:
        gone = {"removed_at": now, "removed_reason": "transferred", "successor_registration_id": number}
        ParticipantFactory(event=event, **gone)
        ParticipantFactory(event=other, registration_id=number)

    moved(1)
    client = log_in(director)
    url = reverse("event_page", args=[race.pk, event.pk]) + "?q=ada"
    before = queries_of(client, url)

    for number in range(2, 51):
        moved(number)

    assert queries_of(client, url) == before


def test_the_operations_page_asks_the_same_for_1_and_for_20_keys(log_in, staff, scheduled, run_of):
    run_of(scheduled(), outcome="failed", error_text="no answer")
    client = log_in(staff)
    before = queries_of(client, reverse("operations"))

    for _ in range(19):
        run_of(EventFactory(), outcome="failed", error_text="no answer")

    assert queries_of(client, reverse("operations")) == before
