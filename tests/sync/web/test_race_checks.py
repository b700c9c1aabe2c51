"""Readiness and doubts on the pages of a race."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.test import Client
from django.urls import reverse

from races.models import Event
from tests.factories import ParticipantFactory

LOADED = {"HX-Request": "true"}

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("heartbeat")]


def race_page(client, race) -> str:
    return client.get(reverse("race_page", args=[race.pk])).content.decode()


def parts(client, race) -> str:
    """What the page loads once it is there: whether the race is ready, and its doubts."""
    urls = [reverse(name, args=[race.pk]) for name in ("race_checks", "race_doubts")]
    page = race_page(client, race)
    assert all(f'hx-get="{url}"' in page for url in urls)
    return "".join(client.get(url, headers=LOADED).content.decode() for url in urls)


@pytest.fixture
def event(scheduled, now):
    event = scheduled(reconciled_at=now - timedelta(hours=1))
    ParticipantFactory(event=event, bib="101", last_name="Tidewater")
    return event


def test_a_race_that_is_ready_says_so_in_one_line_with_six_below(event, race, director, log_in):
    page = parts(log_in(director), race)

    assert "Ready for race day?" in page
    assert "Ready</p>" in page
    assert "6 checks ok: key, call budget, start, full comparison, bibs, duplicate bibs" in page
    for name in ("Key", "Call budget", "Start", "Full comparison", "Bibs", "Duplicate bibs"):
        assert f"<strong>{name}</strong>" in page
    assert "Doubts" not in page


def test_what_is_not_ready_says_what_to_do(event, race, director, log_in):
    ParticipantFactory(event=event, bib="101")
    ParticipantFactory(event=event)

    page = parts(log_in(director), race)

    assert "Problem</p>" in page
    assert "1 bib is worn by more than one person: 101." in page
    assert "Give each of them a bib of their own in RunSignUp" in page
    assert "2 of 3 people have a bib (66 %)." in page
    assert "<strong>5K</strong>: 1 doubt</a>" in page


def test_a_race_that_is_switched_off_is_not_meant_to_be_ready(event, race, director, log_in):
    race.sync_enabled = False
    race.save()

    assert "Ready for race day?" not in race_page(log_in(director), race)


def test_it_stands_above_the_events_in_the_last_hours_and_below_before(event, race, director, log_in, now):
    client = log_in(director)
    page = race_page(client, race)
    assert page.index("Ready for race day?") < page.index('id="live"')

    Event.objects.update(starts_at=now + timedelta(days=3))
    page = race_page(client, race)
    assert page.index("Ready for race day?") > page.index('id="live"')


def test_a_race_that_starts_in_months_has_no_list_yet(event, race, director, log_in, now):
    Event.objects.update(starts_at=now + timedelta(days=90))

    assert "Ready for race day?" not in race_page(log_in(director), race)


def test_the_list_refreshes_itself_for_those_who_may_see_the_race(event, race, director, stranger, log_in):
    url, doubts = reverse("race_checks", args=[race.pk]), reverse("race_doubts", args=[race.pk])

    assert "Full comparison" in log_in(director).get(url, headers=LOADED).content.decode()
    for each in (url, doubts, reverse("event_doubts", args=[race.pk, event.pk])):
        assert log_in(stranger).get(each).status_code == 404
        assert Client().get(each).status_code == 302


def test_without_javascript_each_part_is_a_page_behind_a_link(event, race, director, log_in, now):
    client = log_in(director)
    assert "6 checks ok" in race_page(client, race)
    Event.objects.update(starts_at=now + timedelta(days=3))
    page = race_page(client, race)
    assert "checks ok" not in page
    home = f'<a href="{reverse("race_page", args=[race.pk])}">'

    for name, said in (("race_checks", "checks ok"), ("race_doubts", "No doubts.")):
        assert f'<noscript><p><a href="{reverse(name, args=[race.pk])}">' in page
        alone = client.get(reverse(name, args=[race.pk])).content.decode()
        assert said in alone
        assert home in alone
    ParticipantFactory(event=event, bib="101")
    doubts = client.get(reverse("race_doubts", args=[race.pk])).content.decode()
    assert "1 doubt</a>" in doubts
    assert '<span class="todo">' in doubts
    Event.objects.update(starts_at=now + timedelta(days=90))
    assert "Nothing has to be ready yet." in client.get(reverse("race_checks", args=[race.pk])).content.decode()


def test_the_event_page_says_each_doubt_with_the_reason_and_what_to_do(event, race, director, log_in, now):
    ParticipantFactory(event=event, last_name="Tidewater", dob=date(1990, 1, 1))
    ParticipantFactory(event=event, last_name="tidewater", dob=date(1990, 1, 1))
    Event.objects.update(start_moved_from=now + timedelta(hours=3), start_moved_at=now - timedelta(hours=5))

    client, url = log_in(director), reverse("event_doubts", args=[race.pk, event.pk])
    assert f'hx-get="{url}"' in client.get(reverse("event_page", args=[race.pk, event.pk])).content.decode()
    page = client.get(url, headers=LOADED).content.decode()

    assert "1 person has more than one registration: Ada Tidewater." in page
    assert "Its start was moved in RunSignUp from 09:00 EDT to 08:00 EDT, seen 01:00 EDT." in page
    assert "Make sure that it is meant, and that the crew knows." in page
