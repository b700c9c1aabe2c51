"""The receipt: a line on the event page, and a page of its own that can be printed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from races.models import Event
from tests.factories import EventFactory, ParticipantFactory, RaceFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("heartbeat")]


@pytest.fixture(autouse=True)
def receipt_clock(monkeypatch, now):
    monkeypatch.setattr("sync.web.receipt_views.database_now", lambda: now)


@pytest.fixture
def event(scheduled, run_of, now):
    """Over since an hour; synced every minute of its last five hours, but for two, and every 5 minutes before."""
    event = scheduled()
    Event.objects.update(starts_at=now - timedelta(hours=2))
    high = [timedelta(minutes=61 + minute) for minute in range(299)]
    medium = [timedelta(minutes=365 + 5 * number) for number in range(239)]
    for ago in (*high, *medium):
        run_of(event, ago=ago, outcome="ok" if ago == high[3] else "unchanged", changed=int(ago == high[3]))
    ParticipantFactory(event=event, bib="7")
    return event


def url_of(event) -> str:
    return reverse("event_receipt", args=[event.race_id, event.pk])


@pytest.mark.parametrize("reader", ["director", "member", "staff"])
def test_who_has_a_right_to_the_race_gets_the_receipt(reader, request, event, log_in):
    page = log_in(request.getfixturevalue(reader)).get(url_of(event)).content.decode()

    assert "Synced as planned:" in page
    assert "planned 540, done 538" in page
    assert "last change 04:56 EDT" in page
    assert "1 registered, 1 with bib, 0 withdrawn" in page
    assert page.count('<th scope="row"') == 2


def test_nobody_else_gets_it(event, stranger, log_in):
    assert log_in(stranger).get(url_of(event)).status_code == 404
    response = Client().get(url_of(event))
    assert response.status_code == 302
    assert response.url == f"{reverse('login')}?next={url_of(event)}"


def test_a_foreign_event_is_not_reached_through_ones_own_race(event, director, log_in):
    foreign = EventFactory(race=RaceFactory())

    assert log_in(director).get(reverse("event_receipt", args=[event.race_id, foreign.pk])).status_code == 404


def test_the_event_page_has_the_sentence_and_the_link(event, director, log_in):
    client, part = log_in(director), reverse("event_doubts", args=[event.race_id, event.pk])
    page = client.get(reverse("event_page", args=[event.race_id, event.pk])).content.decode()
    assert f'<div class="awaited-receipt" hx-get="{part}" hx-trigger="load' in page
    assert f'<a href="{part}">Receipt and doubts</a>' in page

    page = client.get(part).content.decode()
    assert "planned 540, done 538" in page
    assert f'<a href="{url_of(event)}">Receipt</a>' in page


def test_an_event_in_its_last_hours_says_so_far(scheduled, run_of, director, log_in):
    event = scheduled()
    run_of(event)

    page = log_in(director).get(url_of(event)).content.decode()

    assert "The last hours so far" in page
    assert "so far planned 360, done 1" in page
    assert "540 in all" in page
    # Its first run was the first ever: it is judged from then on.
    assert "Synced as planned since it was found" in page


def test_before_the_last_hours_the_page_says_that_there_is_nothing(event, director, log_in, now):
    Event.objects.update(starts_at=now + timedelta(days=3))

    client = log_in(director)
    assert "There is nothing to show" in client.get(url_of(event)).content.decode()
    page = client.get(reverse("event_doubts", args=[event.race_id, event.pk])).content.decode()
    assert "Receipt" not in page


def test_looking_changes_nothing_and_posting_is_refused(event, director, log_in):
    client = log_in(director)

    assert client.post(url_of(event)).status_code == 405
    client.get(url_of(event))
    assert not event.days.exists()
