"""Why an event is or is not synced now: on its page in the very sentences of `manage.py explain`."""

from __future__ import annotations

import html
import io
import re
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.urls import reverse

from partners.models import CallBudget, Credential
from sync.models import EventSync, Heartbeat
from sync.services.event_schedule import reschedule
from tests.factories import CredentialFactory, EventFactory, EventSyncFactory, RaceFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("heartbeat")]

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
LOADED = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def one_clock(monkeypatch, now):
    monkeypatch.setattr("sync.management.commands.explain.database_now", lambda: now)


@pytest.fixture
def event(scheduled):
    return scheduled("5K")


def healthy(event, now):
    """As it is."""


def silent_scheduler(event, now):
    EventSync.objects.update(due_at=now - 3 * HOUR)
    Heartbeat.objects.update(beat_at=now - timedelta(hours=3, minutes=10))


def key_paused(event, now):
    EventSync.objects.update(due_at=now - MINUTE)
    CallBudget.objects.create(credential=event.race.credential, paused_until=now + 12 * MINUTE)


def key_refused(event, now):
    Credential.objects.update(status="refused", status_detail="Invalid API secret.", refused_at=now - MINUTE)


def race_off(event, now):
    event.race.sync_enabled = False
    event.race.save()
    reschedule(events=[event], now=now)


def cap_deferral(event, now):
    EventSync.objects.update(due_at=now - SECOND)
    other = RaceFactory(credential=event.race.credential)
    for _ in range(60):
        EventSyncFactory(event=EventFactory(race=other), tier="HIGH", due_at=now - MINUTE)


def budget_deferral(event, now):
    EventSync.objects.update(due_at=now - 30 * SECOND)
    CallBudget.objects.create(credential=event.race.credential, theoretical_arrival_at=now + 73 * SECOND)


def stretched(event, now):
    for _ in range(18):
        other = EventFactory(race=RaceFactory(credential=event.race.credential), starts_at=now + 2 * HOUR)
        EventSyncFactory(event=other, tier="HIGH", due_at=now + MINUTE)


def failing(event, now):
    EventSync.objects.update(failures=3, due_at=now + 40 * SECOND)


def page_lines(client, event) -> dict[str, str]:
    part = client.get(reverse("event_why", args=[event.race_id, event.pk]), headers=LOADED)
    assert part.status_code == 200
    return dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", html.unescape(part.content.decode())))


def command_lines(event) -> dict[str, str]:
    """What the command says, without the UTC that it puts beside the race's time."""
    out = io.StringIO()
    call_command("explain", str(event.provider_event_id), stdout=out)
    said = re.sub(r" \(\d\d:\d\d(:\d\d)? UTC\)", "", out.getvalue()).splitlines()
    return {line[:11].strip(): line[11:] for line in said[1:13]}


@pytest.mark.parametrize(
    ("situation", "why", "change"),
    [
        (healthy, "Its next sync is due at 06:00:20 EDT, in 20 s.", "nothing: it is due at 06:00:20 EDT."),
        (
            silent_scheduler,
            "No cycle runs: the scheduler is silent since 02:50:00 EDT, 3 h 10 min ago.",
            "the cluster does not run: start it with manage.py cluster.",
        ),
        (key_paused, "asked the key", "wait until 06:12 EDT: RunSignUp asked the key to pause."),
        (key_refused, "Invalid API secret.", "the key is refused: store a new secret in the admin."),
        (race_off, "This race is switched off", "switch the race on in the admin."),
        (
            cap_deferral,
            "This cycle already took 50 HIGH events.",
            "nothing: a later cycle takes it; one starts every 10 s.",
        ),
        (budget_deferral, "The key has 0 calls free of its 1,000 an hour, too few for HIGH.", "in about 4 s"),
        (stretched, "Its next sync is due", "nothing: it is due"),
        (failing, "3 tries in a row failed", "nothing: it is due"),
    ],
)
def test_the_page_says_what_the_command_says(log_in, director, event, now, situation, why, change):
    situation(event, now)

    found = page_lines(log_in(director), event)

    assert found == command_lines(event)
    assert why in found["Why"]
    assert change in found["To change"]


def test_an_event_of_a_crowded_key_names_its_pace(log_in, director, event, now):
    stretched(event, now)

    pace = page_lines(log_in(director), event)["Pace"]

    assert "instead of 60 s" in pace
    assert "has 19 races in their last 4 hours" in pace


def test_a_director_reads_no_key_and_no_partner_but_their_own(log_in, director, event, now):
    foreign = CredentialFactory(label="Foreign label", status="refused", status_detail="foreign detail")
    cap_deferral(event, now)
    for _ in range(3):
        other = EventFactory(race=RaceFactory(credential=foreign, name="Foreign race"))
        EventSyncFactory(event=other, tier="HIGH", due_at=now - HOUR)

    page = log_in(director).get(reverse("event_why", args=[event.race_id, event.pk])).content.decode()

    assert str(event.race.credential) in html.unescape(page)
    for word in ("Foreign", "foreign", foreign.partner.name, foreign.api_key, event.race.credential.api_key):
        assert word not in page


def test_the_page_loads_it_by_itself_and_has_a_link_for_who_runs_no_javascript(log_in, director, event):
    client = log_in(director)

    page = client.get(reverse("event_page", args=[event.race_id, event.pk])).content.decode()
    part = client.get(url := reverse("event_why", args=[event.race_id, event.pk]), headers=LOADED)
    alone = client.get(url)

    assert f'hx-get="{url}" hx-trigger="load, every 15s' in page
    assert f'<noscript><p><a href="{url}">See why</a></p></noscript>' in page
    assert 'As of <time datetime="2026-06-06T10:00:00+00:00">06:00:00 EDT</time>' in part.content.decode()
    assert part.content.decode() in alone.content.decode()
    assert f'<a href="{reverse("event_page", args=[event.race_id, event.pk])}">' in alone.content.decode()
    # A browser that kept the one must not show it for the other.
    assert "HX-Request" in part["Vary"]
    assert "HX-Request" in alone["Vary"]


def test_its_seconds_leave_the_live_part_alone(log_in, director, event, monkeypatch, now):
    client = log_in(director)
    why, live = (reverse(name, args=[event.race_id, event.pk]) for name in ("event_why", "event_live"))
    monkeypatch.setattr("sync.web.views.database_now", lambda: now + 2 * SECOND)
    tags = {url: client.get(url, headers=LOADED)["ETag"] for url in (why, live)}
    monkeypatch.setattr("sync.web.views.database_now", lambda: now + 7 * SECOND)

    assert client.get(live, headers={"If-None-Match": tags[live]}).status_code == 304
    assert client.get(why, headers={**LOADED, "If-None-Match": tags[why]}).status_code == 200


def test_looking_at_it_costs_a_bounded_number_of_queries(log_in, director, event, now, django_assert_max_num_queries):
    client, url = log_in(director), reverse("event_why", args=[event.race_id, event.pk])
    with django_assert_max_num_queries(9):
        client.get(url)
    cap_deferral(event, now)
    with django_assert_max_num_queries(14):
        client.get(url)
