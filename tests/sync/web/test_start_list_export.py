"""A start list is taken along as CSV or JSON: what is in the file, and that the same file comes again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from races.models import Event, Participant, StartListExport
from tests.factories import EventFactory, ParticipantFactory, RaceFactory
from tests.sync.web.export_files import body, csv_rows, download, json_document

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("heartbeat")]

HEADINGS = (
    "As Of,Bib,Chip,First Name,Last Name,Gender,Age,Team,Event,City,State,Country,Registration ID,Event ID,Anonymous"
)


@pytest.fixture(autouse=True)
def export_clock(monkeypatch, now):
    monkeypatch.setattr("sync.web.export_views.database_now", lambda: now)


@pytest.fixture
def event(scheduled):
    return scheduled()


@pytest.fixture
def client(log_in, director):
    return log_in(director)


def test_the_csv_has_the_columns_that_timing_programs_import(client, race, event):
    ParticipantFactory(
        event=event, registration_id=9000001, first_name="Zoë", middle_name="M", last_name="O’Malley", bib="0042",
        chip="A0F3", gender="F", age=37, team_name="Gulls", city="Bath", state="ME", country_code="US",
        is_anonymous=True, email="zoe@example.test", phone="555-0100", street="1 Pier Rd", zipcode="04101",
    )  # fmt: skip

    response = download(client, race, event=event)
    text = body(response)

    assert text.startswith(b"\xef\xbb\xbf")
    assert text.decode("utf-8-sig").splitlines() == [
        HEADINGS,
        "2026-06-06 05:59:20 EDT,0042,A0F3,Zoë,O’Malley,F,37,Gulls,5K,Bath,ME,US,9000001,"
        f"{event.provider_event_id},Yes",
    ]
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"] == (
        'attachment; filename="casco-bay-races-5k-start-list-2026-06-06-055920-edt.csv"'
    )
    assert response["X-As-Of"] == "2026-06-06 05:59:20 EDT"
    assert response["X-Withdrawals-As-Of"] == "2026-06-06 05:57:20 EDT"
    assert "no-store" in response["Cache-Control"]


def test_the_json_says_race_events_and_times_and_gives_values_as_the_provider_has_them(client, race, scheduled, now):
    event = scheduled()
    ParticipantFactory(event=event, registration_id=9000001, first_name="=Ada", last_name="A\nB", bib="7", age=None)

    response = download(client, race, kind="json")
    document = json_document(response)

    assert response["Content-Type"] == "application/json"
    assert response["Content-Disposition"].endswith('casco-bay-races-start-list-2026-06-06-055920-edt.json"')
    assert document == {
        "race": {"id": race.provider_race_id, "name": "Casco Bay Races", "timezone": "America/New_York"},
        "events": [
            {
                "id": event.provider_event_id,
                "name": "5K",
                "as_of": "2026-06-06T05:59:20-04:00",
                "withdrawals_as_of": "2026-06-06T05:57:20-04:00",
            }
        ],
        "as_of": "2026-06-06T05:59:20-04:00",
        "withdrawals_as_of": "2026-06-06T05:57:20-04:00",
        "made_at": "2026-06-06T06:00:00-04:00",
        "participants": [
            {
                "bib": "7", "chip": "", "first_name": "=Ada", "last_name": "A\nB", "gender": "", "age": None,
                "team": "", "event": "5K", "city": "", "state": "", "country": "", "registration_id": 9000001,
                "event_id": event.provider_event_id, "anonymous": False,
            }
        ],
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_an_event_without_people_gives_an_empty_file_that_says_so(client, race, event, kind):
    response = download(client, race, event=event, kind=kind)

    if kind == "csv":
        assert csv_rows(response) == []
    else:
        assert json_document(response)["participants"] == []


def test_people_come_by_event_bib_and_name_and_who_withdrew_does_not(client, race, scheduled, now):
    late, early = scheduled("10K"), scheduled("5K")
    Event.objects.filter(pk=early.pk).update(starts_at=now + timedelta(hours=1))
    for bib, name in [("10", "C"), ("2", "B"), ("", "z"), ("", "A"), ("A10", "E"), ("A2", "D"), ("007", "S")]:
        ParticipantFactory(event=early, bib=bib, last_name=name)
    ParticipantFactory(event=late, bib="1", last_name="X")
    ParticipantFactory(event=early, bib="3", last_name="Gone", removed_at=now, removed_reason="removed")

    rows = csv_rows(download(client, race))

    assert [(row["Event"], row["Bib"], row["Last Name"]) for row in rows] == [
        ("5K", "2", "B"), ("5K", "007", "S"), ("5K", "10", "C"), ("5K", "A2", "D"), ("5K", "A10", "E"),
        ("5K", "", "A"), ("5K", "", "z"), ("10K", "1", "X"),
    ]  # fmt: skip


def test_names_of_people_teams_and_events_are_inert_in_the_csv(client, race, scheduled):
    event = scheduled('=HYPERLINK("http://example.test")')
    ParticipantFactory(
        event=event, first_name="@SUM(A1)", last_name="＝1+1", bib="+1", chip="\t=1", team_name="-cmd|' /C calc'!A0",
        city="a\r\n=1+1", state="ME;=1", country_code="\u200b=1",
    )  # fmt: skip

    (row,) = csv_rows(download(client, race))

    assert row["Event"] == '\'=HYPERLINK("http://example.test")'
    assert [row[name] for name in ("First Name", "Last Name", "Bib", "Chip", "Team", "City", "State", "Country")] == [
        "'@SUM(A1)", "'＝1+1", "'+1", "'=1", "'-cmd|' /C calc'!A0", "a =1+1", "ME;'=1", "'\u200b=1",
    ]  # fmt: skip


def test_a_race_with_a_hostile_name_gets_a_harmless_file_name(client, race, event):
    race.name = '../../x"\r\nSet-Cookie: a=b; é'
    race.save()

    response = download(client, race)

    assert response["Content-Disposition"] == (
        'attachment; filename="x-set-cookie-ab-e-start-list-2026-06-06-055920-edt.csv"'
    )
    assert not response.cookies


def test_each_event_is_as_of_its_own_time_and_the_file_as_of_the_oldest(client, race, scheduled, now):
    scheduled("5K")
    old = scheduled("10K", checked_at=now - timedelta(hours=2), removals_checked_at=None)
    for event in Event.objects.filter(race=race):
        ParticipantFactory(event=event)

    response = download(client, race)

    assert {row["Event"]: row["As Of"] for row in csv_rows(response)} == {
        "5K": "2026-06-06 05:59:20 EDT",
        "10K": "2026-06-06 04:00:00 EDT",
    }
    assert response["X-As-Of"] == "2026-06-06 04:00:00 EDT"
    assert response["X-Withdrawals-As-Of"] == "never"
    assert StartListExport.objects.get().as_of == old.sync.checked_at


def test_a_list_that_was_never_loaded_is_refused_with_the_reason(client, race, scheduled):
    never, loaded = scheduled("10K", checked_at=None), scheduled("5K")

    for event in (never, None):
        page = client.post(
            reverse("start_list_export", args=[race.pk]),
            {"format": "csv", **({"event": event.pk} if event else {})},
            follow=True,
        )
        assert "The start list of “10K” was not loaded yet" in page.content.decode()
        assert page.redirect_chain[0][0] == reverse(
            "event_page" if event else "race_page", args=[race.pk, *([event.pk] if event else [])]
        )
    assert "The other events can be exported one by one." in page.content.decode()
    assert not StartListExport.objects.exists()
    assert csv_rows(download(client, race, event=loaded)) == []


def test_a_list_that_is_not_current_can_be_taken_and_the_page_says_that_it_is_not(client, race, scheduled, now):
    event = scheduled(due_at=now - timedelta(minutes=9), checked_at=now - timedelta(minutes=10))

    page = client.get(reverse("event_page", args=[race.pk, event.pk])).content.decode()

    assert "The start list of 5K is not current (overdue" in page
    assert download(client, race, event=event)["X-As-Of"] == "2026-06-06 05:50:00 EDT"


def test_an_event_that_the_provider_no_longer_has_is_not_in_the_file_of_the_race(client, race, scheduled, now):
    kept, gone = scheduled("5K"), scheduled("10K")
    for event in (kept, gone):
        ParticipantFactory(event=event)
    Event.objects.filter(pk=gone.pk).update(gone_at=now)

    assert [row["Event"] for row in csv_rows(download(client, race))] == ["5K"]


def test_a_past_edition_is_not_in_the_file_of_the_race(client, race, event, now):
    past = EventFactory(race=race, name="Last year", starts_at=now - timedelta(days=365))
    ParticipantFactory(event=past)
    ParticipantFactory(event=event)

    assert [row["Event"] for row in csv_rows(download(client, race))] == ["5K"]


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_the_same_file_comes_again_whatever_changed_since(client, race, event, kind, director):
    person = ParticipantFactory(event=event, first_name="Zoë", bib="1207")
    first = body(download(client, race, event=event, kind=kind))
    export = StartListExport.objects.get()
    Participant.objects.filter(pk=person.pk).update(bib="1300", first_name="Other")
    Event.objects.filter(pk=event.pk).update(name="Five")
    race.name, race.timezone = "Renamed", "America/Denver"
    race.save()

    again = client.get(reverse("export_download", args=[race.pk, export.pk]))

    assert body(again) == first
    assert "casco-bay-races-5k" in again["Content-Disposition"]
    assert (export.made_by, export.rows, export.format, export.event) == (director, 1, kind, event)


def test_5000_people_cost_the_same_queries_as_one_and_little_memory(client, race, event):
    import tracemalloc

    ParticipantFactory(event=event)

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            body(download(client, race, event=event))
        return len(captured)

    few = queries()
    Participant.objects.bulk_create(
        Participant(
            event=event, registration_id=number, first_name=f"First{number}", last_name=f"Last{number * 7919 % 5003}",
            bib=str(number), city=f"City {number % 97}", raw_hash=b"", content_hash=b"", raw="x" * 500,
        )
        for number in range(1, 5_001)
    )  # fmt: skip
    assert queries() == few

    tracemalloc.start()
    response = download(client, race, event=event)
    most_at_once = lines = 0
    for part in response.streaming_content:
        most_at_once = max(most_at_once, len(part))
        lines += part.count(b"\n")
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert lines == 5_002
    assert most_at_once < 100_000
    assert peak < 6_000_000


@pytest.mark.parametrize("reader", ["director", "member", "staff"])
def test_who_may_see_the_race_may_take_its_list(reader, request, race, event, log_in):
    client = log_in(request.getfixturevalue(reader))

    assert download(client, race).status_code == 200
    export = StartListExport.objects.get()
    for name in ("export_changes", "export_changes_csv", "export_download"):
        assert client.get(reverse(name, args=[race.pk, export.pk])).status_code == 200
    assert export.made_by == request.getfixturevalue(reader)


def test_who_may_not_see_the_race_gets_404_and_makes_nothing(client, race, event, stranger, log_in):
    ParticipantFactory(event=event, last_name="Tidewater")
    download(client, race)
    export = StartListExport.objects.get()
    foreign = log_in(stranger)

    assert download(foreign, race).status_code == 404
    assert download(foreign, race, event=event).status_code == 404
    for name in ("export_changes", "export_changes_csv", "export_download"):
        response = foreign.get(reverse(name, args=[race.pk, export.pk]))
        assert response.status_code == 404
        assert "Tidewater" not in response.content.decode()
    assert StartListExport.objects.count() == 1


def test_a_foreign_event_or_export_is_not_reached_through_ones_own_race(client, race, event, scheduled, stranger, now):
    other = RaceFactory()
    foreign = EventFactory(race=other)
    export = StartListExport.objects.create(
        race=other, made_at=now, format="csv", rows=0, heading={}, snapshot=b"", made_by=stranger
    )

    assert download(client, race, event=foreign).status_code == 404
    for asked in ("99999999999999999999", "1e3", "-1", "x"):
        form = {"format": "csv", "event": asked}
        assert client.post(reverse("start_list_export", args=[race.pk]), form).status_code == 404
    for name in ("export_changes", "export_changes_csv", "export_download"):
        assert client.get(reverse(name, args=[race.pk, export.pk])).status_code == 404
        assert client.get(reverse(name, args=[other.pk, export.pk])).status_code == 404


def test_nobody_without_a_login_gets_or_makes_an_export(client, race, event):
    download(client, race)
    export = StartListExport.objects.get()

    responses = [download(Client(), race)] + [
        Client().get(reverse(name, args=[race.pk, export.pk]))
        for name in ("export_changes", "export_changes_csv", "export_download")
    ]

    for response in responses:
        assert response.status_code == 302
        assert response.url.startswith(reverse("login"))
    assert StartListExport.objects.count() == 1


def test_an_export_needs_a_post_with_its_token_and_a_known_format(race, event, director):
    client = Client(enforce_csrf_checks=True)
    client.force_login(director)
    url = reverse("start_list_export", args=[race.pk])

    assert client.get(url).status_code == 405
    assert client.post(url, {"format": "csv"}).status_code == 403
    page = client.get(reverse("event_page", args=[race.pk, event.pk]))
    token = page.context["csrf_token"]
    assert client.post(url, {"format": "xlsx", "csrfmiddlewaretoken": token}).status_code == 400
    assert not StartListExport.objects.exists()
    assert client.post(url, {"format": "csv", "csrfmiddlewaretoken": str(token)}).status_code == 200


def test_the_pages_offer_the_download_and_list_the_last_ones(client, race, scheduled, director):
    event, other = scheduled("5K"), scheduled("10K")
    people = [ParticipantFactory(event=event) for _ in range(3)]
    download(client, race, event=event)
    download(client, race, event=other, kind="json")
    Participant.objects.filter(pk__in=[person.pk for person in people[:2]]).update(bib="9")

    event_page = client.get(reverse("event_page", args=[race.pk, event.pk]))
    race_page = client.get(reverse("race_page", args=[race.pk]))

    (row,) = event_page.context["exports"].exports
    assert (row.scope, row.format, row.rows, row.made_by) == ("5K", "CSV", 3, director.username)
    latest, first = race_page.context["exports"].exports
    assert (latest.scope, first.scope) == ("10K", "5K")
    for page, export, said in (
        (event_page, row, "<strong>2 changes</strong> since"),
        (race_page, first, "<strong>2 changes</strong> since"),
        (race_page, latest, "No change since"),
    ):
        count = reverse("export_changes_count", args=[race.pk, export.pk])
        link = f'<a href="{reverse("export_changes", args=[race.pk, export.pk])}" hx-get="{count}"'
        assert link in page.content.decode()
        assert client.get(count).content.decode() == said


def test_the_pages_ask_the_same_for_one_export_and_for_many(client, race, event):
    ParticipantFactory(event=event)

    def queries(url: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            client.get(url)
        return len(captured)

    urls = [reverse("race_page", args=[race.pk]), reverse("event_page", args=[race.pk, event.pk])]
    download(client, race, event=event)
    before = [queries(url) for url in urls]
    for _ in range(7):
        download(client, race, event=event)
        ParticipantFactory(event=event)

    assert [queries(url) for url in urls] == before
    assert len(client.get(urls[0]).context["exports"].exports) == 5
