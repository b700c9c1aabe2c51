"""Only what changed since a download, on a page and as CSV; people come and go through the real ingest."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from partners.runsignup.parsing import decode_participant
from races.ingest import store_participants
from races.models import Event, Participant, StartListExport
from races.removals import apply_removed
from tests.factories import EventFactory, EventSyncFactory, ParticipantFactory
from tests.races.provider_pages import SECOND, left, listed
from tests.sync.web.export_files import body, csv_rows, download

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("heartbeat")]

LATER = SECOND + 3_600


@pytest.fixture(autouse=True)
def export_clock(monkeypatch, now):
    monkeypatch.setattr("sync.web.export_views.database_now", lambda: now)


@pytest.fixture
def client(log_in, director):
    return log_in(director)


@pytest.fixture
def five(scheduled):
    return scheduled("5K")


@pytest.fixture
def ten(scheduled):
    return scheduled("10K")


@pytest.fixture
def store(race, now):
    def stored(*rows) -> None:
        with transaction.atomic():
            counts = store_participants(race=race, rows=rows, decode=decode_participant, now=now, runs={})
        assert not any(count.rejected for count in counts.values())

    return stored


@pytest.fixture
def remove(race, now):
    def removed(*rows) -> None:
        with transaction.atomic():
            apply_removed(race=race, rows=rows, now=now, runs={})

    return removed


@pytest.fixture
def export(client, race):
    """A download; the export that is remembered of it."""

    def exported(event=None) -> StartListExport:
        body(download(client, race, event=event))
        return StartListExport.objects.latest("pk")

    return exported


@pytest.fixture
def changes(client, race):
    """The page's lines and the CSV's rows of an export."""

    def of(export: StartListExport):
        page = client.get(reverse("export_changes", args=[race.pk, export.pk]))
        assert page.status_code == 200
        rows = csv_rows(client.get(reverse("export_changes_csv", args=[race.pk, export.pk])))
        assert [line.what.lower() for line in page.context["shown"].lines] == [row["Change"] for row in rows]
        return page, rows

    return of


def test_everything_that_changed_is_counted_and_listed_and_nothing_else(store, remove, export, changes, five, ten):
    store(*(listed(five, number, bib_num=number) for number in range(1, 6)), listed(ten, 10, bib_num=10))
    made = export()
    store(
        listed(five, 2, bib_num=1300, modified=LATER),
        listed(five, 3, bib_num=3, modified=LATER, first_name="Zoe", team_name="Gulls", team_id=5),
        listed(five, 6, modified=LATER),
        listed(ten, 44, modified=LATER),
        # A new phone number is no change of a start list.
        listed(five, 1, bib_num=1, modified=LATER, phone="303-555-0199"),
    )
    remove(left(4, at=LATER, reason="transferred", successor=44), left(5, at=LATER, reason="deferred"))

    page, rows = changes(made)

    assert "1 new, 1 bib changed, 1 moved, 1 withdrawn, 1 changed" in page.content.decode()
    found = [(row["Change"], row["Registration ID"], row["Old Registration ID"], row["Details"]) for row in rows]
    assert found == [
        ("new", "6", "", ""),
        ("bib changed", "2", "2", "Bib: 2 → 1300"),
        (
            "moved", "44", "4",
            "Bib: 4 → none; Last Name: O’Malley 4 → O’Malley 44; Event: 5K → 10K; Registration ID: 4 → 44",
        ),
        ("withdrawn", "5", "5", "deferred to a later edition"),
        ("changed", "3", "3", "First Name: Zoë → Zoe; Team: none → Gulls"),
    ]  # fmt: skip
    assert all(row["Changed At"] == "2026-06-06 06:00:00 EDT" for row in rows)
    moved = rows[2]
    assert (moved["Old Event"], moved["Event"], moved["Old Bib"], moved["Bib"]) == ("5K", "10K", "4", "")


def test_nothing_changed_is_said_with_its_as_of(store, export, changes, five):
    store(listed(five, 1))
    page, rows = changes(export())

    assert rows == []
    text = page.content.decode()
    assert "Nothing changed" in text
    assert "05:59:20 EDT" in text
    assert "05:57:20 EDT" in text


def test_who_moved_leaves_one_events_list_and_comes_into_the_others(store, remove, export, changes, five, ten):
    store(listed(five, 1, bib_num=1207), listed(ten, 2))
    of_five, of_ten = export(five), export(ten)
    store(listed(ten, 9, bib_num=None, modified=LATER))
    remove(left(1, at=LATER, reason="transferred", successor=9))

    for made in (of_five, of_ten):
        page, (row,) = changes(made)
        assert (row["Change"], row["Old Event"], row["Event"], row["Old Bib"]) == ("moved", "5K", "10K", "1207")
        assert "1 moved" in page.content.decode()


def test_who_moved_twice_is_one_person_moving_once(store, remove, export, changes, five, ten):
    half = EventFactory(race=five.race, name="Half", starts_at=five.starts_at)
    EventSyncFactory(event=half, checked_at=five.sync.checked_at)
    store(listed(five, 1))
    made = export()
    store(listed(ten, 2, modified=LATER), listed(half, 3, modified=LATER))
    remove(
        left(1, at=LATER, reason="transferred", successor=2), left(2, at=LATER + 9, reason="transferred", successor=3)
    )

    _page, (row,) = changes(made)

    assert (row["Change"], row["Old Event"], row["Event"]) == ("moved", "5K", "Half")


def test_who_registered_and_moved_after_the_download_is_new(store, remove, export, changes, five, ten):
    store(listed(five, 1))
    made = export()
    store(listed(five, 2, modified=LATER), listed(ten, 3, modified=LATER))
    remove(left(2, at=LATER, reason="transferred", successor=3))

    _page, (row,) = changes(made)

    assert (row["Change"], row["Registration ID"]) == ("new", "3")


def test_a_registration_that_was_passed_on_within_the_event_is_one_line(store, remove, export, changes, five):
    store(listed(five, 1, bib_num=7))
    made = export()
    store(listed(five, 2, bib_num=7, modified=LATER, first_name="Bo"))
    remove(left(1, at=LATER, reason="transferred", successor=2))

    _page, (row,) = changes(made)

    assert row["Change"] == "changed"
    assert "First Name: Zoë → Bo" in row["Details"]
    assert "Registration ID: 1 → 2" in row["Details"]


def test_who_withdrew_and_came_back_did_not_change(store, remove, export, changes, five):
    store(listed(five, 1))
    made = export()
    remove(left(1, at=LATER))
    store(listed(five, 1, modified=LATER + 60))

    assert changes(made)[1] == []


def test_who_had_withdrawn_before_the_download_and_came_back_is_new(store, remove, export, changes, five):
    store(listed(five, 1))
    remove(left(1, at=LATER))
    made = export()
    store(listed(five, 1, modified=LATER + 60))

    assert [row["Change"] for row in changes(made)[1]] == ["new"]


def test_a_bib_that_was_changed_and_changed_back_did_not_change(store, export, changes, five):
    store(listed(five, 1, bib_num=1))
    made = export()
    store(listed(five, 1, bib_num=2, modified=LATER))
    store(listed(five, 1, bib_num=1, modified=LATER + 60))

    assert changes(made)[1] == []


def test_a_renamed_event_is_one_sentence_and_no_change_of_its_people(store, export, changes, five):
    store(*(listed(five, number) for number in range(1, 4)))
    made = export()
    Event.objects.filter(pk=five.pk).update(name="5K Run")

    page, rows = changes(made)

    assert rows == []
    assert "The event 5K is called 5K Run now." in page.content.decode()


def test_an_event_that_the_race_got_since_is_in_the_changes_of_the_race_and_no_others(
    store, export, changes, five, race, now
):
    store(listed(five, 1))
    whole, one = export(), export(five)
    kids = EventFactory(race=race, name="Kids", starts_at=five.starts_at)
    EventSyncFactory(event=kids, checked_at=None)
    store(listed(kids, 50))

    page, rows = changes(whole)

    assert [(row["Change"], row["Event"]) for row in rows] == [("new", "Kids")]
    assert "The start list of Kids was not loaded yet" in page.content.decode()
    assert changes(one)[1] == []


def test_the_download_of_a_past_edition_is_not_compared_with_the_next_one(store, export, changes, five, race, now):
    store(listed(five, 1))
    made = export()
    Event.objects.filter(pk=five.pk).update(starts_at=now - timedelta(days=300))
    next_year = EventFactory(race=race, name="5K", starts_at=now + timedelta(days=65))
    store(listed(next_year, 2))

    assert changes(made)[1] == []


def test_changes_are_inert_in_the_csv(store, export, changes, five):
    store(listed(five, 1))
    made = export()
    store(listed(five, 1, modified=LATER, first_name="=1+1", team_name="@x", team_id=1, bib_num="-5"))

    _page, (row,) = changes(made)

    assert (row["First Name"], row["Team"], row["Bib"]) == ("'=1+1", "'@x", "'-5")
    assert row["Details"].startswith("Bib: none → -5; First Name: Zoë → =1+1")


def test_names_are_escaped_on_the_page(store, export, changes, five):
    made = export()
    store(listed(five, 1, first_name="<b>Bo</b>"))

    assert "&lt;b&gt;Bo&lt;/b&gt;" in changes(made)[0].content.decode()


def test_a_thousand_changes_are_counted_and_the_page_shows_the_first_ones(client, export, five, race):
    made = export()
    Participant.objects.bulk_create(
        Participant(event=five, registration_id=number, last_name="New", raw_hash=b"", content_hash=b"")
        for number in range(1, 1_001)
    )

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            page = client.get(reverse("export_changes", args=[race.pk, made.pk]))
        assert "1,000 new" in page.content.decode()
        assert "And 700 more" in page.content.decode()
        return len(captured)

    many = queries()
    assert many <= 25
    assert len(csv_rows(client.get(reverse("export_changes_csv", args=[race.pk, made.pk])))) == 1_000


def test_the_page_asks_the_same_for_1_and_for_50_changes(client, export, store, remove, five, ten, race):
    store(*(listed(five, number) for number in range(1, 51)))
    made = export()
    url = reverse("export_changes", args=[race.pk, made.pk])

    def moved(number: int) -> None:
        store(listed(ten, 100 + number, modified=LATER))
        remove(left(number, at=LATER, reason="transferred", successor=100 + number))

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            client.get(url)
        return len(captured)

    moved(1)
    before = queries()
    for number in range(2, 51):
        moved(number)

    assert queries() == before
    assert "50 moved" in client.get(url).content.decode()


def test_the_changes_say_as_of_when_they_are(client, race, export, five, now):
    ParticipantFactory(event=five)
    made = export(five)
    five.sync.checked_at = now - timedelta(seconds=5)
    five.sync.save()

    response = client.get(reverse("export_changes_csv", args=[race.pk, made.pk]))

    assert response["X-As-Of"] == "2026-06-06 05:59:55 EDT"
    assert response["Content-Disposition"].endswith('casco-bay-races-5k-changes-2026-06-06-055955-edt.csv"')
