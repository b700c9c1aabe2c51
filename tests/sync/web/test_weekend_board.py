"""The weekend as a board: races by partner, each a bar with its word, and what the keys will lack."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.urls import reverse

from partners.models import Credential
from tests.factories import CredentialFactory, EventFactory, EventSyncFactory, ParticipantFactory, RaceFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("heartbeat")]

URL = "/operations/weekend/"
SUNDAY = datetime(2026, 6, 7, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clock(monkeypatch, now):
    monkeypatch.setattr("sync.web.weekend_views.database_now", lambda: now)


@pytest.fixture
def key_of():
    def make(name: str, *, timezone: str = "America/New_York", **fields):
        return CredentialFactory(partner__name=name, partner__timezone=timezone, **fields)

    return make


@pytest.fixture
def race_of(now):
    def make(key, *starts: datetime, **fields):
        race = RaceFactory(credential=key, **fields)
        for number, start in enumerate(starts or [SUNDAY]):
            event = EventFactory(race=race, name=f"{number + 1} Mile", starts_at=start)
            EventSyncFactory(event=event, tier="LOW", due_at=now, checked_at=now, reconciled_at=now)
            ParticipantFactory(event=event, bib="1")
        return race

    return make


@pytest.fixture
def board(staff, log_in):
    """The page from its head to the table, and of it what belongs to one partner."""

    def shown(asked: str = "", *, partner: str = "") -> str:
        page = log_in(staff).get(URL, {"from": asked}).content.decode()
        page = page[: page.index('<section class="in-words"')]
        if partner:
            page = page[page.index(f'aria-labelledby="name-{partner}"') :]
            page = page[: page.index("</section>")]
        return page

    return shown


def row(page: str, name: str) -> str:
    found = [part for part in re.findall(r"<li data-kind=.*?</li>", page, re.DOTALL) if f">{name}</a>" in part]
    assert len(found) == 1
    return found[0]


def test_races_stand_by_their_partner_each_with_its_start_word_and_bar(key_of, race_of, board):
    harbor, aloha = key_of("Harbor Timing"), key_of("aloha Splits")
    late = race_of(harbor, SUNDAY + timedelta(hours=1), name="Late")
    early = race_of(harbor, name="Early")
    other = race_of(aloha, name="Other")
    ParticipantFactory(event=late.events.get(), bib="1")

    page = board()

    assert re.findall(r'class="name" href="[^"]*">([^<]*)', page) == ["Other", "Early", "Late"]
    harbor_part = board(partner=harbor.partner.slug)
    assert "2 races: 1 with a problem, 1 ready. Axis in EDT (America/New_York)." in harbor_part
    assert "Other" not in harbor_part
    assert f'href="{reverse("partner_page", args=[harbor.partner.slug])}"' in harbor_part
    found = row(page, "Early")
    assert f'href="{reverse("race_page", args=[early.pk])}"' in found
    assert "Sun 08:00 EDT" in found
    assert 'data-kind="good"' in found
    assert "</svg>Ready</a>" in found
    # 04:00 of Sunday is the 28th of 48 hours.
    assert '<rect class="high" x="58.33%" width="10.42%"' in found
    assert '<line class="start" x1="66.67%"' in found
    assert 'data-kind="bad"' in row(page, "Late")
    assert "Problem</a>" in row(page, "Late")
    assert f'href="#partner-{aloha.partner.slug}"' in page
    assert other.partner_id == aloha.partner_id


def test_each_start_has_its_tick_and_the_words_say_first_and_last(key_of, race_of, board):
    key = key_of("Harbor Timing")
    race_of(key, SUNDAY, SUNDAY + timedelta(minutes=30), SUNDAY + timedelta(minutes=90), name="Three")
    race_of(key, SUNDAY - timedelta(days=1), SUNDAY, name="Both days")

    page = board()

    assert row(page, "Three").count('class="start"') == 3
    assert "Sun 08:00–09:30 EDT" in row(page, "Three")
    assert "<title>1 Mile Sun Jun 7, 08:00 EDT, 2 Mile Sun Jun 7, 08:30 EDT" in row(page, "Three")
    assert "Sat 08:00 – Sun 08:00 EDT" in row(page, "Both days")
    assert row(page, "Both days").count('class="high"') == 2
    assert row(page, "Both days").count('class="whole"') == 1


def test_a_start_without_a_time_of_day_has_no_tick_and_says_so(key_of, race_of, board):
    key = key_of("Harbor Timing")
    some = race_of(key, SUNDAY, SUNDAY + timedelta(hours=1), name="One of two")
    some.events.filter(name="2 Mile").update(start_is_placeholder=True)
    race_of(key, name="None at all").events.update(start_is_placeholder=True)

    page = board()

    assert "Sun 08:00 EDT, 1 event without a time" in row(page, "One of two")
    assert row(page, "One of two").count('class="start"') == 1
    assert "Sun, no time of day" in row(page, "None at all")
    assert row(page, "None at all").count('class="vague"') == 1
    assert 'class="start"' not in row(page, "None at all")


def test_a_race_of_another_zone_is_placed_by_its_partners_and_named_by_its_own(key_of, race_of, board):
    key = key_of("Mesa Timing", timezone="America/Phoenix")
    race_of(key, name="East")
    race_of(key, SUNDAY, timezone="Pacific/Honolulu", name="Island")

    page = board(partner=key.partner.slug)

    assert "Axis in MST (America/Phoenix)." in page
    # 12:00 UTC is 05:00 in Phoenix: the 29th hour.
    assert '<line class="start" x1="60.42%"' in row(page, "East")
    assert "Sun 08:00 EDT" in row(page, "East")
    assert '<line class="start" x1="60.42%"' in row(page, "Island")
    assert "Sun 02:00 HST" in row(page, "Island")


@pytest.mark.parametrize(
    ("day", "zone", "starts"),
    [
        ("2026-11-01", "Axis in EDT, then EST: the clocks change (America/New_York).", "Sat 08:00 EDT – Sun 08:00 EST"),
        ("2027-03-14", "Axis in EST, then EDT: the clocks change (America/New_York).", "Sat 08:00 EST – Sun 08:00 EDT"),
    ],
)
def test_a_weekend_with_a_clock_change_says_so_and_places_both_days_right(day, zone, starts, key_of, race_of, board):
    summer, winter = timedelta(hours=12), timedelta(hours=13)
    first, second = (summer, winter) if day == "2026-11-01" else (winter, summer)
    sunday = datetime.fromisoformat(day).replace(tzinfo=UTC)
    key = key_of("Harbor Timing")
    race_of(key, sunday - timedelta(days=1) + first, sunday + second, name="Both days")

    page = board(day)

    assert zone in page
    assert starts in row(page, "Both days")
    hours, last = (33, 49) if day == "2026-11-01" else (31, 48)
    assert f'<line class="start" x1="{100 * hours / last:.2f}%"' in row(page, "Both days")


def test_a_key_that_is_asked_for_too_much_is_marked_with_its_hours_in_words(key_of, race_of, board):
    small, roomy = key_of("Harbor Timing", hourly_limit=60, label="small"), key_of("Aloha Splits")
    race_of(small, name="One")
    race_of(small, SUNDAY + timedelta(hours=1), name="Two")
    race_of(roomy, name="Three")

    page = board()

    assert "1 key cannot make all calls that the races of this weekend want." in page
    assert f'<a href="#partner-{small.partner.slug}">Harbor Timing, Key small</a>: Too much.' in page
    mine = board(partner=small.partner.slug)
    assert "Sunday 04:00–10:00 EDT: 144 calls/h wanted (2 races), 60 allowed" in mine
    # From 04:00 to 10:00, behind each of its races.
    assert '<rect class="track-over" x="58.33%" width="12.5%"' in mine
    assert f'<use href="#track-{small.pk}"/>' in row(page, "One")
    assert 'class="track-over"' not in board(partner=roomy.partner.slug)


def test_a_key_that_makes_no_call_is_a_conflict_too(key_of, race_of, board):
    key = key_of("Harbor Timing", status=Credential.Status.REFUSED, status_detail="key unknown")
    race_of(key)

    page = board()

    assert "1 key cannot make all calls that the races of this weekend want." in page
    assert "Stopped:" in page
    assert "RunSignUp refuses the key Harbor Timing" in page


def test_keys_with_room_are_said_to_have_it(key_of, race_of, board):
    race_of(key_of("Harbor Timing"))
    assert "Forecast: the key has room for the calls that these races want." in board()
    race_of(key_of("Aloha Splits"))
    assert "Forecast: all 2 keys have room for the calls that these races want." in board()


def test_a_weekend_beyond_the_forecast_says_from_when_on_it_is_known(key_of, race_of, board, monkeypatch):
    key = key_of("Harbor Timing", hourly_limit=10)
    race_of(key, SUNDAY + timedelta(days=35))

    assert "The forecast reaches 30 days: what the keys lack on this weekend is known from Sun Jun 14 on." in board(
        "2026-07-11"
    )

    monkeypatch.setattr("sync.web.weekend_views.database_now", lambda: datetime(2026, 6, 14, tzinfo=UTC))
    assert "1 key cannot make all calls" in board("2026-07-11")


def test_a_weekend_that_is_over_has_bars_without_a_forecast(key_of, race_of, board):
    race_of(key_of("Harbor Timing"), SUNDAY - timedelta(days=7), name="Past")

    page = board("2026-05-30")

    assert "1 race: 1 over" in page
    assert "Over</a>" in row(page, "Past")
    assert row(page, "Past").count('class="high"') == 1
    assert "orecast" not in page


def test_now_is_a_line_on_this_weekend_only(key_of, race_of, board):
    key = key_of("Harbor Timing")
    race_of(key)
    race_of(key, SUNDAY + timedelta(days=7))

    # 06:00 of Saturday.
    assert '<line class="track-now" x1="12.5%"' in board()
    assert '<line class="track-now"' not in board("2026-06-12")
