"""The history of changes of an event: sentences, newest first, a page at a time."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from races.departures import Departure, departures_write
from races.models import ParticipantChange
from races.participant_writes import NotedChange, changes_insert
from tests.factories import EventFactory, ParticipantFactory, RaceFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("heartbeat")]


@pytest.fixture(autouse=True)
def changes_clock(monkeypatch, now):
    monkeypatch.setattr("sync.web.changes_views.database_now", lambda: now)


@pytest.fixture
def noted(now):
    def note(person, kind="changed", *, ago: timedelta = timedelta(minutes=5), run=None, **changes):
        return ParticipantChange.objects.create(
            participant=person, kind=kind, changes=changes, at=now - ago, sync_run=run
        )

    return note


def url_of(event, query: str = "") -> str:
    return reverse("event_changes", args=[event.race_id, event.pk]) + query


def rows_of(html: str) -> list[str]:
    return html.split("<tbody>")[1].split("</tbody>")[0].split("<tr ")[1:]


def test_changes_are_sentences_with_who_when_and_the_run_the_newest_first(log_in, director, scheduled, run_of, noted):
    event = scheduled()
    person = ParticipantFactory(event=event, first_name="Ada", last_name="Marsh", bib="1300")
    run = run_of(event, trigger="manual")
    noted(person, "added", ago=timedelta(hours=3))
    noted(person, bib=["1207", "1300"], run=run)

    html = log_in(director).get(url_of(event)).content.decode()

    latest, first = rows_of(html)
    assert "Bib 1207 → 1300." in latest
    assert "05:55:00 EDT" in latest
    assert f"?run={run.pk}#run-{run.pk}" in latest
    assert "Sync now" in latest
    assert reverse("participant_page", args=[event.race_id, person.pk]) in latest
    assert "Registered." in first
    assert "not kept any more" in first


def test_a_transfer_reads_as_one_person_moving_on_both_sides(log_in, director, race, scheduled, noted, now):
    five, ten = scheduled("5K"), scheduled("10K")
    gone = ParticipantFactory(
        event=five, removed_at=now, removed_reason="transferred", successor_registration_id=77, registration_id=76
    )
    noted(gone, "transferred", successor_registration_id=[None, 77])
    noted(ParticipantFactory(event=ten, registration_id=77), "added")
    client = log_in(director)

    assert "Moved: 5K → 10K." in client.get(url_of(five)).content.decode()
    assert "Moved here: 5K → 10K." in client.get(url_of(ten)).content.decode()


def test_contact_data_is_said_to_have_changed_but_not_shown(log_in, director, scheduled, noted):
    event = scheduled()
    noted(ParticipantFactory(event=event), phone=["555-0199", "555-0142"], email=["a@example.test", "b@example.test"])

    html = log_in(director).get(url_of(event)).content.decode()

    assert "Email changed; phone changed." in html
    for secret in ("555-01", "@example.test"):
        assert secret not in html


def test_only_this_events_changes_are_listed_and_the_rest_is_on_further_pages(log_in, director, race, scheduled, noted):
    event = scheduled()
    noted(ParticipantFactory(event=EventFactory(race=race), last_name="Elsewhere"), "added")
    person = ParticipantFactory(event=event)
    for number in range(60):
        noted(person, ago=timedelta(minutes=number), bib=[str(number), str(number + 1)])
    client = log_in(director)

    first, second = (client.get(url_of(event, f"?page={number}")).content.decode() for number in (1, 2))

    assert len(rows_of(first)) == 50
    assert len(rows_of(second)) == 10
    assert "Elsewhere" not in first + second
    assert "Bib 0 → 1." in first
    assert "Bib 59 → 60." in second
    assert "Page 1 of 2" in first


def test_a_page_of_the_history_is_read_from_the_index_of_an_events_changes(scheduled, noted):
    event = scheduled()
    noted(ParticipantFactory(event=event), "added")
    newest = ParticipantChange.objects.filter(event=event).order_by("-at", "-pk")[:50]

    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_sort = off")
    plan = newest.explain()

    assert "change_latest_of_event" in plan
    assert "Sort" not in plan


def test_every_writer_of_changes_says_of_which_event_they_are(race, scheduled, noted, now):
    event = scheduled()
    person = ParticipantFactory(event=event)
    departures_write(
        [
            Departure(
                participant_id=person.pk,
                event_id=event.pk,
                removed_at=now,
                reason="removed",
                successor=None,
                changes={"removed_reason": ["", "removed"]},
            )
        ],
        now=now,
        runs={},
    )
    changes_insert(
        [NotedChange(participant_id=person.pk, event_id=event.pk, kind="added", changes={}, sync_run_id=None)], now=now
    )
    noted(person, bib=["", "7"])

    assert [change.event for change in ParticipantChange.objects.all()] == [event] * 3


def test_an_event_without_a_change_says_what_will_be_there(log_in, director, scheduled):
    assert "Nothing changed yet." in log_in(director).get(url_of(scheduled())).content.decode()


def test_who_has_no_right_to_the_race_gets_404(log_in, stranger, director, scheduled):
    event, foreign = scheduled(), EventFactory(race=RaceFactory())

    assert log_in(stranger).get(url_of(event)).status_code == 404
    assert log_in(director).get(reverse("event_changes", args=[event.race_id, foreign.pk])).status_code == 404
    assert Client().get(url_of(event)).status_code == 302


def test_the_page_asks_the_same_for_1_and_for_50_changes(log_in, director, scheduled, run_of, noted, now):
    event = scheduled()
    client = log_in(director)

    def change(number: int) -> None:
        person = ParticipantFactory(event=event)
        gone = ParticipantFactory(event=event, removed_at=now, successor_registration_id=person.registration_id)
        noted(person, "added", run=run_of(event))
        noted(gone, "transferred", successor_registration_id=[None, number])

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(url_of(event)).status_code == 200
        return len(captured)

    change(1)
    before = queries()
    for number in range(2, 50):
        change(number)
    assert queries() == before <= 15


def test_the_event_page_leads_to_it(log_in, director, scheduled):
    event = scheduled()

    page = log_in(director).get(reverse("event_page", args=[event.race_id, event.pk])).content.decode()
    assert url_of(event) in page
