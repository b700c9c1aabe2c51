"""The page of a participant: who it is now, every change as a sentence, and who may read it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from races.models import ParticipantChange
from tests.factories import EventFactory, ParticipantFactory, RaceFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("heartbeat")]


@pytest.fixture(autouse=True)
def page_clock(monkeypatch, now):
    monkeypatch.setattr("sync.web.participant_views.database_now", lambda: now)


@pytest.fixture
def ada(scheduled):
    return ParticipantFactory(
        event=scheduled("5K"), first_name="Ada", last_name="Tidewater", bib="1300", age=37, gender="F", city="Bath",
        state="ME", team_name="Gulls", email="ada@example.test", phone="555-0100", street="1 Pier Rd", zipcode="04101",
    )  # fmt: skip


@pytest.fixture
def noted(now):
    def note(person, kind, *, minutes=10, run=None, **changes):
        return ParticipantChange.objects.create(
            participant=person, kind=kind, at=now - timedelta(minutes=minutes), changes=changes, sync_run=run
        )

    return note


def url_of(person) -> str:
    return reverse("participant_page", args=[person.event.race_id, person.pk])


def text(response) -> str:
    assert response.status_code == 200
    return response.content.decode()


def test_it_shows_who_it_is_now_and_no_contact_data(log_in, director, ada, noted):
    noted(ada, "changed", phone=["555-0100", "555-0199"])

    page = text(log_in(director).get(url_of(ada)))

    for shown in (
        "Ada Tidewater",
        "1300",
        "F, 37",
        "Bath, ME",
        "Gulls",
        "Registered",
        "05:59:20 EDT",
        "Phone changed.",
    ):
        assert shown in page
    for hidden in ("ada@example.test", "555-01", "1 Pier Rd", "04101"):
        assert hidden not in page


def test_every_change_is_a_sentence_with_its_time_the_newest_first(log_in, director, ada, noted):
    noted(ada, "added", minutes=90)
    noted(ada, "changed", minutes=48, bib=["1207", "1300"])

    page = text(log_in(director).get(url_of(ada)))

    assert page.index("Bib 1207 → 1300.") < page.index("Registered.")
    assert '<time datetime="2026-06-06T09:12:00+00:00">05:12:00 EDT</time>' in page


def test_a_change_leads_to_the_run_that_found_it_on_its_page_of_the_history(log_in, director, ada, noted, run_of):
    run = run_of(ada.event, ago=timedelta(hours=2))
    for number in range(30):
        run_of(ada.event, ago=timedelta(minutes=number))
    noted(ada, "added", run=run)
    noted(ada, "changed", bib=["", "1"])
    client = log_in(director)

    page = text(client.get(url_of(ada)))

    link = f"{reverse('event_page', args=[ada.event.race_id, ada.event.pk])}?run={run.pk}#run-{run.pk}"
    assert f'<a href="{link}">Schedule</a>' in page
    assert "a run that is not kept" in page
    history = text(client.get(link.split("#")[0]))
    assert f'id="run-{run.pk}"' in history
    assert "Page 2 of 2" in history


@pytest.mark.parametrize("run", ["0", "x\x00", "9" * 30, "-1", "٣"])
def test_a_run_that_does_not_exist_shows_the_newest_ones(log_in, director, ada, run_of, run):
    run_of(ada.event)

    page = text(
        log_in(director).get(reverse("event_page", args=[ada.event.race_id, ada.event.pk]), {"run": run, "runs": "7"})
    )

    assert "Run history" in page


def test_a_transfer_reads_as_one_person_moving_on_both_pages(log_in, director, ada, noted, scheduled, now):
    other = scheduled("10K")
    new = ParticipantFactory(event=other, registration_id=77, first_name="Ada", last_name="Tidewater", bib="9")
    ada.removed_at, ada.removed_reason, ada.successor_registration_id = now - timedelta(minutes=9), "transferred", 77
    ada.save()
    noted(ada, "transferred", removed_reason=["", "transferred"], event=["5K", "10K"], bib=["1300", ""])
    noted(new, "added")
    noted(new, "changed", minutes=5, bib=["", "9"])
    client = log_in(director)

    before = text(client.get(url_of(ada)))
    assert "Moved to 10K" in before
    assert f'<a href="{url_of(new)}">10K, bib 9</a>' in before
    assert "Moved: 5K → 10K, bib 1300 not carried over." in before

    after = text(client.get(url_of(new)))
    assert f'Came from <a href="{url_of(ada)}">5K, bib 1300</a>' in after
    assert "Moved here: 5K → 10K, bib 1300 not carried over." in after


def test_who_withdrew_is_shown_with_reason_and_time(log_in, director, ada, now):
    ada.removed_at, ada.removed_reason = now - timedelta(minutes=9), "deferred"
    ada.save()

    page = text(log_in(director).get(url_of(ada)))

    assert "Withdrawn" in page
    assert "Deferred to a later edition, " in page
    assert "05:51:00 EDT" in page


def test_a_registration_that_moved_out_of_sight_says_so(log_in, director, ada, now):
    ada.removed_at, ada.removed_reason, ada.successor_registration_id = now, "transferred", 123
    ada.save()

    assert "Moved to another event, which the mirror does not have" in text(log_in(director).get(url_of(ada)))


def test_a_blanked_event_says_that_its_contact_data_is_gone(log_in, director, ada, noted, now):
    ada.event.blanked_at = now
    ada.event.save()
    noted(ada, "changed", email=[None, None], amount_paid=[None, None])

    page = text(log_in(director).get(url_of(ada)))

    assert "Contact data was blanked on" in page
    assert "Amount paid changed; email changed." in page


@pytest.mark.parametrize("reader", ["director", "member", "staff"])
def test_who_has_a_right_to_the_race_gets_it(reader, request, ada, log_in):
    assert log_in(request.getfixturevalue(reader)).get(url_of(ada)).status_code == 200


def test_nobody_else_gets_it_by_any_url(ada, stranger, director, log_in):
    foreign = ParticipantFactory(event=EventFactory(race=RaceFactory()))

    assert log_in(stranger).get(url_of(ada)).status_code == 404
    client = log_in(director)
    assert client.get(url_of(foreign)).status_code == 404
    assert client.get(reverse("participant_page", args=[ada.event.race_id, foreign.pk])).status_code == 404
    assert client.get(reverse("participant_page", args=[foreign.event.race_id, ada.pk])).status_code == 404
    assert client.post(url_of(ada)).status_code == 405
    assert Client().get(url_of(ada)).url == f"{reverse('login')}?next={url_of(ada)}"


def test_it_asks_the_same_for_1_and_for_50_changes_and_goes_on_on_the_next_page(log_in, director, ada, noted, run_of):
    client = log_in(director)
    noted(ada, "added", minutes=1000, run=run_of(ada.event))

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(url_of(ada)).status_code == 200
        return len(captured)

    before = queries()
    for number in range(50):
        noted(ada, "changed", minutes=number, run=run_of(ada.event), bib=[str(number), "5"])

    assert queries() == before
    assert before <= 12
    assert "Registered." in text(client.get(url_of(ada), {"page": "2"}))
    assert "Registered." not in text(client.get(url_of(ada), {"page": "x\x00"}))


def test_names_of_the_start_list_lead_to_it(log_in, director, ada):
    page = text(log_in(director).get(reverse("event_page", args=[ada.event.race_id, ada.event.pk]), {"q": "tide"}))

    assert f'<a href="{url_of(ada)}">Ada Tidewater</a>' in page


def test_a_search_for_a_bib_names_who_had_it_before(log_in, director, ada, noted, now):
    gone = ParticipantFactory(event=ada.event, first_name="Bo", last_name="Harper", bib="1207", removed_at=now)
    noted(ada, "added", minutes=90)
    noted(ada, "changed", minutes=48, bib=["1207", "1300"])
    noted(gone, "removed", minutes=30, removed_reason=["", "removed"])
    client = log_in(director)
    url = reverse("event_page", args=[ada.event.race_id, ada.event.pk])

    page = text(client.get(url, {"q": "1207"}))

    assert f'1207 was <a href="{url_of(ada)}">Ada Tidewater</a> until <time' in page
    assert "05:12:00 EDT</time> (bib changed to 1300)" in page
    assert f'1207 was <a href="{url_of(gone)}">Bo Harper</a> until' in page
    assert " was <a" not in text(client.get(url, {"q": "ada tide"}))
    assert " was <a" not in text(client.get(url))
