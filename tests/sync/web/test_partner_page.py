"""The staff page of a partner: keys, their forecast as a drawing and in words, and the races with their next start."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.urls import reverse

from partners.models import ApiUsage, CallBudget, Credential
from sync.core.forecast import EventStart, forecast
from sync.core.policy import DEFAULT_POLICY
from sync.core.tiers import StartWindow
from sync.services.event_schedule import reschedule
from sync.web.forecast_chart import chart
from tests.factories import (
    CredentialFactory,
    EventFactory,
    EventSyncFactory,
    PartnerMembershipFactory,
    RaceAccessFactory,
    RaceFactory,
    TimingPartnerFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("heartbeat")]

NEW_YORK = ZoneInfo("America/New_York")
PAGES = ["partner_page", "partner_live", "partner_ahead", "partner_races"]


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
    def shown(name: str = "partner_page", **query: str) -> str:
        response = log_in(staff).get(reverse(name, args=["ridgeline"]), query)
        assert response.status_code == 200
        return " ".join(response.content.decode().split())

    return shown


@pytest.mark.parametrize("name", PAGES)
def test_the_page_and_its_parts_exist_for_staff_only(key, director, member, log_in, name):
    url = reverse(name, args=["ridgeline"])
    assert log_in(director).get(url).status_code == 404
    assert log_in(member).get(url).status_code == 404
    assert Client().get(url).status_code == 302


@pytest.mark.parametrize("name", PAGES)
def test_a_partner_that_does_not_exist_is_a_404(log_in, staff, name):
    assert log_in(staff).get(reverse(name, args=["nobody"])).status_code == 404


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


@pytest.mark.parametrize("name", PAGES)
def test_the_page_needs_no_inline_style(crowded, page, name):
    assert "style=" not in page(name)


def test_the_forecast_is_looked_at_again_as_the_page_shows_it(crowded, log_in, staff):
    client = log_in(staff)
    url = reverse("partner_ahead", args=["ridgeline"])
    first = client.get(url, headers={"HX-Request": "true"})

    assert f'hx-get="{url}"' in (whole := client.get(reverse("partner_page", args=["ridgeline"])).content.decode())
    assert first.content.decode() in whole
    again = client.get(url, headers={"HX-Request": "true", "If-None-Match": first["ETag"]})
    assert again.status_code == 304


@pytest.mark.parametrize(
    ("status", "word"), [("refused", "Refused"), ("paused", "Paused"), ("unverified", "Unverified"), ("ok", "OK")]
)
def test_the_state_of_a_key_is_a_word(key, page, status, word):
    Credential.objects.update(status=status)
    assert f"</svg> {word}</p>" in page()


def test_a_key_that_was_slowed_down_says_to_what(key, now, page):
    CallBudget.objects.create(credential=key, rate_per_hour=700, rate_changed_at=now)
    assert "Slowed down to 700 an hour" in page()


def test_a_key_that_is_paused_says_until_when(key, now, page):
    CallBudget.objects.create(credential=key, paused_until=now + timedelta(minutes=4))
    shown = page()
    assert "</svg> Throttled</p>" in shown
    assert "it is paused until 06:04:00 EDT" in shown


def test_a_key_says_when_it_was_verified_and_when_it_looked_for_races(key, now, page):
    Credential.objects.update(verified_at=now - timedelta(hours=3), discovered_at=now - timedelta(minutes=50))
    shown = page()
    assert re.search(r"verified <time[^>]*>03:00 EDT</time>", shown)
    assert re.search(r"races last looked for <time[^>]*>05:10 EDT</time>", shown)


def test_what_the_partner_still_misses_is_said_with_where_to_give_it(key, page):
    key.partner.contact_email = ""
    key.partner.save()
    shown = page()
    assert "it has no contact address" in shown
    assert "None of its people can log in" in shown
    assert f'{reverse("partner_access", args=["ridgeline"])}">Give somebody access' in shown


@pytest.mark.parametrize("has_whole_partner", [True, False])
def test_a_partner_with_an_address_and_a_director_misses_nothing(key, page, has_whole_partner):
    if has_whole_partner:
        PartnerMembershipFactory(partner=key.partner)
    else:
        RaceAccessFactory(race=RaceFactory(credential=key))
    shown = page()
    assert 'href="mailto:crew@example.test"' in shown
    assert "can log in" not in shown


def test_a_partner_that_is_off_says_so(key, page):
    key.partner.is_active = False
    key.partner.save()
    shown = page()
    assert "Switched off: nothing of its races is synced." in shown
    assert "Partner off" in shown


def test_the_races_are_listed_by_their_next_start_with_their_state(key, now, page):
    nothing = RaceFactory(credential=key, name="Aardvark Run", sync_enabled=False)
    later = EventFactory(race=RaceFactory(credential=key, name="Later Run"), starts_at=now + timedelta(days=3)).race
    soon = EventFactory(race=RaceFactory(credential=key, name="Soon Run"), starts_at=now + timedelta(hours=2))
    EventSyncFactory(event=soon, tier="HIGH", due_at=now + timedelta(seconds=20), checked_at=now)
    EventFactory(race=soon.race, starts_at=now - timedelta(days=300))
    EventFactory(
        race=RaceFactory(credential=key, name="Some Day Run"),
        starts_at=datetime(2026, 6, 8, 4, 0, tzinfo=UTC),
        start_is_placeholder=True,
    )
    RaceFactory(name="Somebody Else's Run")
    assert f'hx-get="{reverse("partner_races", args=["ridgeline"])}"' in page()

    shown = page("partner_races")

    places = [shown.index(name) for name in ("Soon Run", "Some Day Run", "Later Run", "Aardvark Run")]
    assert places == sorted(places)
    assert "Somebody Else" not in shown
    first = shown[places[0] : places[1]]
    assert "08:00 EDT</time>" in first
    assert "Up to date" in first
    assert ">HIGH</span>" in first
    assert 'data-label="Sync">On<' in first
    assert "Mon Jun 8, no time of day" in shown
    assert reverse("race_page", args=[later.pk]) in shown
    assert re.search(r'data-label="Sync">Off .*This race is switched off', shown.split(nothing.name)[1])


def test_more_races_follow_on_pages(key, page):
    RaceFactory.create_batch(26, credential=key)
    first, second = page("partner_races"), page("partner_races", page="2")

    assert "26 in all" in first
    assert f'href="{reverse("partner_races", args=["ridgeline"])}?page=2"' in first
    races = [set(re.findall(r"/races/(\d+)/", shown)) for shown in (first, second)]
    assert [len(found) for found in races] == [25, 1]
    assert not races[0] & races[1]


def test_a_partner_without_keys_and_races_says_what_to_do(page):
    TimingPartnerFactory(slug="ridgeline")
    shown = page()
    assert "No key yet" in shown
    assert "manage.py backfill --partner ridgeline" in shown
    assert "No race yet" in page("partner_races")


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
