"""The staff page of a weekend: its dates, and every race by its start, with what is open before it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from races.models import Race
from sync.models import EventSync
from tests.factories import EventFactory, EventSyncFactory, ParticipantFactory, RaceFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("heartbeat")]

URL = "/operations/weekend/"


@pytest.fixture(autouse=True)
def clock(monkeypatch, now):
    monkeypatch.setattr("sync.web.weekend_views.database_now", lambda: now)


@pytest.fixture
def race_at(now):
    def make(name: str, starts_at: datetime, *, race: Race | None = None, **race_fields):
        race = race or RaceFactory(name=name, **race_fields)
        event = EventFactory(race=race, starts_at=starts_at)
        EventSyncFactory(event=event, tier="HIGH", due_at=now, checked_at=now, reconciled_at=now - timedelta(minutes=5))
        ParticipantFactory(event=event, bib="1")
        return event

    return make


def names(page: str) -> list[str]:
    """Of the table, in its order."""
    table = page[page.index("<table") :]
    links = [(table.find(f">{race.name}</a>"), race.name) for race in Race.objects.all()]
    return [name for place, name in sorted(links) if place >= 0]


def test_the_races_of_friday_to_sunday_by_their_start(race_at, now, staff, log_in):
    race_at("Sunday evening", datetime(2026, 6, 8, 3, 30, tzinfo=UTC))
    race_at("Saturday", now + timedelta(hours=2))
    race_at("Friday", datetime(2026, 6, 5, 4, 0, tzinfo=UTC))
    race_at("Monday", datetime(2026, 6, 8, 4, 0, tzinfo=UTC))
    race_at("Thursday", datetime(2026, 6, 5, 3, 59, tzinfo=UTC))
    # 23:00 on Sunday in Honolulu is Monday everywhere else.
    race_at("Sunday in Hawaii", datetime(2026, 6, 8, 9, 0, tzinfo=UTC), timezone="Pacific/Honolulu")

    page = log_in(staff).get(URL).content.decode()

    assert "Weekend Fri Jun 5 – Sun Jun 7" in page
    assert names(page) == ["Friday", "Saturday", "Sunday evening", "Sunday in Hawaii"]


def test_each_has_its_word_and_what_is_open(race_at, now, staff, log_in):
    race_at("Fine", now + timedelta(hours=2))
    twice = race_at("Twice", now + timedelta(hours=3))
    ParticipantFactory(event=twice, bib="1")
    race_at("Done", now - timedelta(hours=9))
    EventSync.objects.filter(event=race_at("Never", now + timedelta(hours=4))).update(reconciled_at=None)

    page = log_in(staff).get(URL).content.decode()

    assert "2 with a problem, 1 ready, 1 over" in page
    assert "1 bib is worn by more than one person: 1." in page
    assert "5K: the whole list was never compared with RunSignUp." in page
    assert page.count(">nothing</span>") == 2


@pytest.mark.parametrize(
    ("asked", "title"),
    [
        ("2026-06-05", "Fri Jun 5 – Sun Jun 7"),
        ("2026-06-07", "Fri Jun 5 – Sun Jun 7"),
        ("2026-06-08", "Fri Jun 12 – Sun Jun 14"),
        ("2026-10-29", "Fri Oct 30 – Sun Nov 1"),
        ("2027-03-14", "Fri Mar 12 – Sun Mar 14, 2027"),
        ("", "Fri Jun 5 – Sun Jun 7"),
    ],
)
def test_another_weekend_is_asked_for_by_any_of_its_days_or_those_before(asked, title, staff, log_in):
    page = log_in(staff).get(URL, {"from": asked}).content.decode()
    assert f"<h1>Weekend {title}</h1>" in page
    assert "No race is known on these days." in page


def test_an_empty_weekend_leads_to_the_next_one_with_races(race_at, staff, log_in):
    client = log_in(staff)
    page = client.get(URL).content.decode()
    assert "None is known on a weekend after it, either." in page
    assert "manage.py onboard" in page

    race_at("In the week", datetime(2026, 6, 17, 12, 0, tzinfo=UTC))
    race_at("Far ahead", datetime(2026, 6, 27, 12, 0, tzinfo=UTC))

    page = client.get(URL).content.decode()
    assert '<a href="?from=2026-06-26">Fri Jun 26 – Sun Jun 28</a>' in page
    assert names(client.get(URL, {"from": "2026-06-26"}).content.decode()) == ["Far ahead"]


def test_the_weekends_beside_it_and_any_other_are_one_step_away(staff, log_in):
    client = log_in(staff)
    page = client.get(URL).content.decode()
    assert 'href="?from=2026-05-29" rel="prev"' in page
    assert 'href="?from=2026-06-12" rel="next"' in page
    assert "The coming one" not in page
    assert 'name="from" type="date" value="2026-06-06"' in page
    assert f'<a href="{URL}">The coming one</a>' in client.get(URL, {"from": "2026-06-12"}).content.decode()


@pytest.mark.parametrize("asked", ["soon", "2026-13-01", "0001-01-01", "9999-12-31", "<b>"])
def test_what_is_no_date_is_said_and_the_coming_weekend_is_shown(asked, staff, log_in):
    page = log_in(staff).get(URL, {"from": asked}).content.decode()
    assert "is not a date such as 2026-06-05" in page
    assert "Weekend Fri Jun 5 – Sun Jun 7" in page
    assert "<b>”" not in page


def test_it_exists_for_staff_only(director, staff, log_in):
    assert log_in(director).get(URL).status_code == 404
    assert Client().get(URL).status_code == 302
    assert f'href="{URL}"' in log_in(staff).get(reverse("operations")).content.decode()


def test_fifty_races_cost_as_many_queries_as_one(race_at, now, staff, log_in):
    race_at("First", now + timedelta(hours=2))
    client = log_in(staff)

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(URL).status_code == 200
        return len(captured)

    before = queries()
    for number in range(49):
        race_at(f"Race {number}", now + timedelta(hours=3, minutes=number))
    assert queries() == before
    assert before <= 12
