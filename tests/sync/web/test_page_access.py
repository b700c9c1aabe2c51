"""Who gets which page: 404 for what is not theirs, by any URL."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from tests.factories import EventFactory, ParticipantFactory, RaceFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("heartbeat")]

RACE_PAGES = ["race_page", "race_live"]
EVENT_PAGES = ["event_page", "event_live", "event_runs", "event_why"]


@pytest.fixture
def event(scheduled):
    event = scheduled()
    ParticipantFactory(event=event, last_name="Tidewater", bib="1207")
    return event


def urls_of(event) -> list[str]:
    return [reverse(name, args=[event.race_id]) for name in RACE_PAGES] + [
        reverse(name, args=[event.race_id, event.pk]) for name in EVENT_PAGES
    ]


@pytest.mark.parametrize("reader", ["director", "member", "staff"])
def test_who_has_a_right_to_the_race_gets_its_pages(reader, request, event, log_in):
    client = log_in(request.getfixturevalue(reader))

    for url in urls_of(event):
        assert client.get(url).status_code == 200, url
    assert event.race.name in client.get(reverse("race_list")).content.decode()


def test_a_user_of_another_partner_gets_404_everywhere(event, stranger, log_in):
    client = log_in(stranger)

    for url in urls_of(event):
        response = client.get(url)
        assert response.status_code == 404, url
        assert "Tidewater" not in response.content.decode()
    assert client.post(reverse("sync_now", args=[event.race_id])).status_code == 404
    assert client.post(reverse("event_sync_now", args=[event.race_id, event.pk])).status_code == 404
    assert event.race.name not in client.get(reverse("race_list")).content.decode()


def test_a_foreign_event_is_not_reached_through_ones_own_race(event, director, log_in):
    foreign = EventFactory(race=RaceFactory())
    client = log_in(director)

    for name in [*EVENT_PAGES]:
        assert client.get(reverse(name, args=[event.race_id, foreign.pk])).status_code == 404
        assert client.get(reverse(name, args=[foreign.race_id, foreign.pk])).status_code == 404
    assert client.post(reverse("event_sync_now", args=[event.race_id, foreign.pk])).status_code == 404


def test_a_race_that_does_not_exist_is_the_same_404(event, director, log_in):
    client = log_in(director)

    assert client.get(reverse("race_page", args=[event.race_id + 999])).status_code == 404
    assert client.get("/races/99999999999999999999/").status_code == 404


@pytest.mark.parametrize("name", ["race_list", "race_list_live", "operations", "operations_live"])
def test_nobody_without_a_login_gets_a_page(name):
    response = Client().get(reverse(name))

    assert response.status_code == 302
    assert response.url.startswith(reverse("login"))


def test_nobody_without_a_login_gets_a_race(event):
    for url in urls_of(event):
        response = Client().get(url)
        assert response.status_code == 302, url
        assert response.url == f"{reverse('login')}?next={url}"


def test_a_poll_after_the_session_ended_takes_the_whole_page_to_the_login(event):
    page = reverse("race_page", args=[event.race_id])

    response = Client().get(
        reverse("race_live", args=[event.race_id]),
        headers={"HX-Request": "true", "HX-Current-URL": f"http://testserver{page}"},
    )

    assert response["HX-Redirect"] == f"{reverse('login')}?next={page}"
    assert event.race.name not in response.content.decode()


@pytest.mark.parametrize("name", ["operations", "operations_live"])
def test_the_operations_page_exists_for_staff_only(name, director, staff, log_in):
    assert log_in(director).get(reverse(name)).status_code == 404
    assert log_in(staff).get(reverse(name)).status_code == 200


def test_the_login_page_takes_a_reader_back_to_where_they_wanted_to_go(event, director):
    director.set_password("a long enough passphrase")
    director.save()
    page = reverse("race_page", args=[event.race_id])
    client = Client()

    form = client.get(reverse("login"), {"next": page})
    assert "Log in" in form.content.decode()
    response = client.post(
        reverse("login"), {"username": director.username, "password": "a long enough passphrase", "next": page}
    )

    assert response.status_code == 302
    assert response.url == page


def test_logging_out_needs_a_post_and_ends_the_session(event, director, log_in):
    client = log_in(director)

    assert client.get(reverse("logout")).status_code == 405
    assert client.post(reverse("logout")).status_code == 302
    assert client.get(reverse("race_list")).status_code == 302
