"""The start list of an event: what it shows, and how people are found in it."""

from __future__ import annotations

import pytest
from django.urls import reverse

from sync.web.name_search import folded, is_found, search_words
from tests.factories import EventFactory, ParticipantFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("heartbeat")]


def text(response) -> str:
    assert response.status_code == 200
    return response.content.decode()


def test_the_start_list_shows_what_a_start_list_needs_and_no_contact(log_in, director, race, scheduled, now):
    event = scheduled()
    ParticipantFactory(
        event=event, first_name="Ada", last_name="Tidewater", bib="0042", age=37, gender="F", city="Bath", state="ME",
        team_name="Gulls", email="ada@example.test", phone="555-0100", street="1 Pier Rd", zipcode="04101",
    )  # fmt: skip
    ParticipantFactory(event=event, last_name="Gone", removed_at=now, removed_reason="transferred")

    page = text(log_in(director).get(reverse("event_page", args=[race.pk, event.pk])))

    for shown in ("Ada Tidewater", "0042", "37", "Bath, ME", "Gulls"):
        assert shown in page
    for hidden in ("ada@example.test", "555-0100", "1 Pier Rd", "04101"):
        assert hidden not in page
    assert "<s>Ada Gone</s>" in page
    assert "moved to another event" in page


@pytest.mark.parametrize(
    ("search", "found"),
    [("tide", ["Tidewater"]), ("1207", ["Harper"]), ("120", ["Harper"]), ("ada tide", ["Tidewater"]), ("zzz", [])],
)
def test_people_are_found_by_name_or_bib(log_in, director, race, scheduled, search, found):
    event = scheduled()
    ParticipantFactory(event=event, last_name="Tidewater", bib="7")
    ParticipantFactory(event=event, last_name="Harper", first_name="Bo", bib="1207")

    page = text(log_in(director).get(reverse("event_page", args=[race.pk, event.pk]), {"q": search}))

    assert [name for name in ("Tidewater", "Harper") if name in page] == found


def test_a_start_list_has_a_hundred_people_a_page_and_any_page_number_is_answered(log_in, director, race, scheduled):
    event = scheduled()
    for number in range(101):
        ParticipantFactory(event=event, last_name=f"Name{number:03}")
    client = log_in(director)
    url = reverse("event_page", args=[race.pk, event.pk])

    assert "Name099" in text(client.get(url))
    assert "Name100" not in text(client.get(url))
    assert "Name100" in text(client.get(url, {"page": "2", "q": "name"}))
    assert "Name100" in text(client.get(url, {"page": "999", "runs": "x\x00"}))


@pytest.mark.parametrize(
    ("search", "first", "last"),
    [
        ("Siobhan", "Siobhán", "Ní Bhriain"),
        ("siobhán", "Siobhan", "Byrne"),
        ("lukasz", "Łukasz", "Wójcik"),
        ("wojcik lukasz", "Łukasz", "Wójcik"),
        ("bray, amir", "Amir", "Bray"),
        ("amir bray", "Amir", "Bray"),
        ("Bray,Amir", "Amir", "Bray"),
        ("sorensen", "Bjørn", "Sørensen"),
        ("bjorn", "Bjørn", "Sørensen"),
        ("gross", "Jörg", "Groß"),
        ("GROẞ", "Jörg", "Gross"),
        ("aero", "Ærø", "Dahl"),
        ("dordevic", "Ana", "Đorđević"),
        ("obrien", "Pat", "O’Brien"),
        ("o'brien", "Pat", "OBrien"),
        ("munoz", "Ana", "Mun\u0303oz"),
    ],
)
def test_a_name_is_found_as_people_type_it(log_in, director, race, scheduled, search, first, last):
    event = scheduled()
    ParticipantFactory(event=event, first_name=first, last_name=last, bib="31")
    ParticipantFactory(event=event, first_name="Zed", last_name="Quux", bib="99")

    page = text(log_in(director).get(reverse("event_page", args=[race.pk, event.pk]), {"q": search}))

    assert "1 found for" in page
    assert "Quux" not in page


@pytest.mark.parametrize(("search", "found"), [("12", True), ("1207", True), ("207", False), ("a12", False)])
def test_a_bib_is_found_by_its_beginning(search, found):
    assert is_found(search_words(search), bib="1207", names=["Ada", "", "Runner"]) is found


def test_commas_alone_search_for_nothing():
    assert search_words(" , ;") == []
    assert folded("Łukasz Müller-Groß") == "lukasz muller-gross"


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("removed", "removed by the race"),
        ("transferred", "moved to another event"),
        ("deferred", "deferred to a later edition"),
        ("cleared", "registration voided"),
        ("missing", "no longer listed"),
    ],
)
def test_who_withdrew_is_shown_with_the_reason_in_words(log_in, director, race, scheduled, now, reason, words):
    event = scheduled()
    ParticipantFactory(event=event, removed_at=now, removed_reason=reason)

    page = text(log_in(director).get(reverse("event_page", args=[race.pk, event.pk])))

    assert f"Withdrawn: {words}, " in page


def test_who_moved_to_another_event_is_shown_with_its_name(log_in, director, race, scheduled, now):
    event, other = scheduled("10K"), scheduled("Half marathon")
    ParticipantFactory(event=other, registration_id=77)
    ParticipantFactory(event=EventFactory(name="of another race"), registration_id=77)
    ParticipantFactory(event=event, removed_at=now, removed_reason="transferred", successor_registration_id=77)

    page = text(log_in(director).get(reverse("event_page", args=[race.pk, event.pk])))

    assert "Withdrawn: moved to Half marathon, " in page
