"""The list of races: its order, its pages, its search."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse

from tests.factories import EventFactory, RaceAccessFactory, RaceFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("heartbeat")]


def text(response) -> str:
    assert response.status_code == 200
    return response.content.decode()


def test_the_races_ahead_come_first_and_25_fill_a_page(log_in, staff, now):
    for number in range(26):
        EventFactory(race__name=f"Ahead {number:02}", starts_at=now + timedelta(days=number + 1))
    EventFactory(race__name="AAA long past", starts_at=now - timedelta(days=90))
    RaceFactory(name="AAB never had one")
    client = log_in(staff)

    first, second = text(client.get(reverse("race_list"))), text(client.get(reverse("race_list"), {"page": "2"}))

    assert first.index("Ahead 00") < first.index("Ahead 24")
    assert "Ahead 25" not in first
    assert second.index("Ahead 25") < second.index("AAA long past") < second.index("AAB never had one")


def test_every_race_a_director_has_is_in_the_list(log_in, director):
    other = RaceAccessFactory(user=director, race=RaceFactory(name="Second of mine")).race

    assert other.name in text(log_in(director).get(reverse("race_list")))


@pytest.mark.parametrize(("hours", "is_first"), [(1.5, True), (11.9, True), (12.1, False)])
def test_a_race_stays_among_the_coming_ones_for_half_a_day_after_its_last_start(log_in, staff, now, hours, is_first):
    EventFactory(race__name="Running now", starts_at=now - timedelta(hours=hours))
    for number in range(25):
        EventFactory(race__name=f"Ahead {number:02}", starts_at=now + timedelta(days=number + 1))

    first = text(log_in(staff).get(reverse("race_list")))

    assert ("Running now" in first) is is_first
    if is_first:
        assert first.index("Running now") < first.index("Ahead 00")


@pytest.mark.parametrize("search", ["casco", "PORTLAND", "bay, portland", "portland me", "  508899 "])
def test_a_race_is_found_by_name_place_or_id(log_in, staff, race, search):
    race.provider_race_id = 508899
    race.save()
    other = RaceFactory(name="Elsewhere", city="Bath", state="ME")

    page = text(log_in(staff).get(reverse("race_list"), {"q": search}))

    assert race.name in page
    assert other.name not in page
    assert "1 found for" in page


def test_the_search_finds_nothing_of_others(log_in, director, race):
    other = RaceFactory(name="Casco secret")

    page = text(log_in(director).get(reverse("race_list"), {"q": "casco"}))

    assert race.name in page
    assert other.name not in page


@pytest.mark.parametrize("search", ["zzz", "9" * 40, "\x00", "%", "<b>"])
def test_a_search_that_finds_nothing_says_so_or_shows_all(log_in, director, race, search):
    page = text(log_in(director).get(reverse("race_list"), {"q": search}))

    assert (race.name in page) or "No race here has" in page
    assert "<b>" not in page.split('id="live"')[1]


def test_the_pages_of_a_search_and_its_live_part_keep_it(log_in, staff):
    RaceFactory.create_batch(26, city="Bath & Wells")

    page = text(log_in(staff).get(reverse("race_list"), {"q": "bath &"}))

    assert 'href="?page=2&amp;q=bath%20%26"' in page
    assert 'hx-get="/live/?page=1&amp;q=bath%20%26"' in page


def test_who_has_a_handful_of_races_is_not_asked_to_search_them(log_in, director, staff, now):
    few = text(log_in(director).get(reverse("race_list")))
    for number in range(26):
        EventFactory(race__name=f"Ahead {number:02}", starts_at=now + timedelta(days=number + 1))

    assert "Race, city or RunSignUp id" not in few
    assert "Race, city or RunSignUp id" in text(log_in(staff).get(reverse("race_list")))
    assert "Race, city or RunSignUp id" in text(log_in(director).get(reverse("race_list"), {"q": "nowhere"}))
