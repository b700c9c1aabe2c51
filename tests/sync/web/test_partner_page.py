"""The staff page of a partner: keys, their forecast as a drawing and in words, and the races with their next start."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from partners.models import ApiUsage, CallBudget, Credential
from sync.core.forecast import EventStart, forecast
from sync.core.policy import DEFAULT_POLICY
from sync.core.tiers import StartWindow
from sync.services.event_schedule import reschedule
from sync.web.forecast_chart import chart
from tests.factories import CredentialFactory, EventFactory, RaceFactory, TimingPartnerFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("heartbeat")]

NEW_YORK = ZoneInfo("America/New_York")


@pytest.fixture(autouse=True)
def database_clock(monkeypatch, now):
    monkeypatch.setattr("partners.gate.database_now", lambda: now)


@pytest.fixture
def key(db):
    return CredentialFactory(partner=TimingPartnerFactory(name="Ridgeline Timing", slug="ridgeline"))


@pytest.fixture
def crowded(key, now):
    """Twenty races of the key that start in twelve hours."""
    events = [EventFactory(race=RaceFactory(credential=key), starts_at=now + timedelta(hours=12)) for _ in range(20)]
    reschedule(events=events, now=now)
    return events


@pytest.fixture
def page(log_in, staff):
    def shown(slug: str = "ridgeline") -> str:
        response = log_in(staff).get(reverse("partner_page", args=[slug]))
        assert response.status_code == 200
        return " ".join(response.content.decode().split())

    return shown


def test_the_page_exists_for_staff_only(key, director, member, log_in):
    url = reverse("partner_page", args=["ridgeline"])
    assert log_in(director).get(url).status_code == 404
    assert log_in(member).get(url).status_code == 404
    assert Client().get(url).status_code == 302


def test_a_partner_that_does_not_exist_is_a_404(log_in, staff):
    assert log_in(staff).get(reverse("partner_page", args=["nobody"])).status_code == 404


def test_a_crowded_key_shows_what_will_be_late_in_words_numbers_and_a_drawing(crowded, key, now, page):
    ApiUsage.objects.create(credential=key, minute=now - timedelta(minutes=5), calls=420)
    shown = page()

    assert "420 of 1,000" in shown
    assert "Busiest hour: Saturday 14:00 EDT, 1,440 calls wanted." in shown
    assert "Saturday 14:00–19:00 EDT: 1,440 calls/h wanted (20 races), 1,000 allowed; race-day races" in shown
    assert re.search(r'Sat Jun 6</th><td class="number">1,440</td>.{,200}Too much: </span>151 %', shown)
    assert "20 races every 83 s" in shown
    assert "Events that are not known yet come on top" in shown
    assert '<path class="over"' in shown
    assert '<path class="limit"' in shown
    assert "<title id=" in shown


def test_a_key_with_room_draws_nothing_over_the_line(key, page):
    shown = page()
    assert "Room" in shown
    assert 'class="over"' not in shown


def test_the_page_needs_no_inline_style(crowded, page):
    assert "style=" not in page()


@pytest.mark.parametrize(
    ("status", "word"), [("refused", "Refused"), ("paused", "Paused"), ("unverified", "Unverified"), ("ok", "OK")]
)
def test_the_state_of_a_key_is_a_word(key, page, status, word):
    Credential.objects.update(status=status)
    assert f"</svg> {word}</p>" in page()


def test_a_key_that_was_slowed_down_says_to_what(key, now, page):
    CallBudget.objects.create(credential=key, rate_per_hour=700, rate_changed_at=now)
    assert "Slowed down to 700 an hour" in page()


def test_a_partner_that_is_off_says_so(key, page):
    key.partner.is_active = False
    key.partner.save()
    shown = page()
    assert "Switched off: nothing of its races is synced." in shown
    assert "Partner off" in shown


def test_the_races_are_listed_by_their_next_start(key, now, page):
    nothing = RaceFactory(credential=key, name="Aardvark Run")
    later = EventFactory(race=RaceFactory(credential=key, name="Later Run"), starts_at=now + timedelta(days=3)).race
    soon = EventFactory(race=RaceFactory(credential=key, name="Soon Run"), starts_at=now + timedelta(hours=2)).race
    EventFactory(race=soon, starts_at=now - timedelta(days=300))
    EventFactory(
        race=RaceFactory(credential=key, name="Some Day Run"),
        starts_at=datetime(2026, 6, 8, 4, 0, tzinfo=UTC),
        start_is_placeholder=True,
    )
    RaceFactory(name="Somebody Else's Run")

    shown = page()

    places = [shown.index(name) for name in ("Soon Run", "Some Day Run", "Later Run", "Aardvark Run")]
    assert places == sorted(places)
    assert "Somebody Else" not in shown
    assert "08:00 EDT</time>" in shown
    assert "Mon Jun 8, no time of day" in shown
    assert reverse("race_page", args=[later.pk]) in shown
    assert "nothing to come" in shown.split(nothing.name)[1]


def test_a_partner_without_keys_and_races_says_what_to_do(page):
    TimingPartnerFactory(slug="ridgeline")
    shown = page()
    assert "No key yet" in shown
    assert "No race yet" in shown


def test_the_page_asks_the_same_for_one_and_for_many_keys_and_races(crowded, key, log_in, staff, now):
    client = log_in(staff)
    url = reverse("partner_page", args=["ridgeline"])

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(url).status_code == 200
        return len(captured)

    before = queries()
    for number in range(4):
        other = CredentialFactory(partner=key.partner, label=f"key {number}")
        events = [EventFactory(race=RaceFactory(credential=other), starts_at=now + timedelta(days=1)) for _ in range(9)]
        reschedule(events=events, now=now)

    assert queries() == before
    assert before <= 14


def starting(at: datetime, races: int) -> list[EventStart]:
    return [EventStart(race_id=number, window=StartWindow(earliest=at, latest=at)) for number in range(races)]


def drawn(starts, now, *, days: int = 14):
    found = forecast(
        starts, begins=now, ends=now + timedelta(days=days), limit=1000, zone=NEW_YORK, policy=DEFAULT_POLICY
    )
    return chart(found, zone=NEW_YORK)


def test_the_drawing_steps_at_the_half_hours_in_which_the_tiers_change(now):
    found = drawn(starting(now + timedelta(hours=30), 20), now)

    assert found.width == 14 * 48
    xs = [float(x) for x in re.findall(r"H([\d.]+)", found.area)]
    # MEDIUM from 6 h on, HIGH from 26 h to 31 h.
    assert xs == [12, 52, 62, 672]
    assert [float(x) for x in re.findall(r"[MH]([\d.]+)", found.over)] == [52, 62]


def test_the_line_and_the_area_stay_inside_the_drawing(now):
    for races in (0, 5, 300):
        found = drawn(starting(now + timedelta(hours=30), races), now)
        heights = [float(y) for y in re.findall(r"V([\d.]+)", found.area)]
        assert all(0 < y <= found.height for y in [*heights, found.line_y])


def test_the_days_are_named_at_the_midnights_of_the_zone_also_when_the_clocks_change():
    found = drawn([], datetime(2026, 10, 30, 10, 0, tzinfo=UTC), days=4)
    assert [(day.name, day.x) for day in found.days] == [
        ("Sat 31", 36.0),
        ("Sun 1", 84.0),
        ("Mon 2", 134.0),
        ("", 182.0),
    ]
