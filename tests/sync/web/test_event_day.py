"""The last day of an event on its page: the picture, its words, and what it costs."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from races.models import ParticipantChange
from sync.core.day_ticks import day_of
from sync.core.policy import DEFAULT_POLICY
from sync.models import EventDay, SyncRun
from sync.services.event_schedule import window_of
from sync.web.event_day import event_day
from tests.factories import EventFactory, ParticipantFactory, RaceFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("heartbeat")]
MOST_BYTES = 30_000


@pytest.fixture(autouse=True)
def day_clock(monkeypatch, now):
    monkeypatch.setattr("sync.web.day_views.database_now", lambda: now)


@pytest.fixture
def event(race, now):
    """A 5K that starts in two hours, of a race whose slots lie 40 s after the minute."""
    race.provider_race_id = 974_559
    race.save()
    return EventFactory(race=race, starts_at=now + timedelta(hours=2))


@pytest.fixture
def planned(event, now):
    """The planned times of its last day up to now."""

    def make(until=now):
        event.refresh_from_db()
        found = day_of(
            window_of(event),
            race_id=event.race.provider_race_id,
            good=[],
            bad=[],
            known_since=now - timedelta(days=9),
            now=until,
            policy=DEFAULT_POLICY,
        )
        return [tick.at for tick in found.ticks if tick.at < until - timedelta(seconds=3)]

    return make


@pytest.fixture
def every_minute(event, planned):
    """A run three seconds after each planned time, those at the places `but` failed."""

    def make(*, but=(), **fields):
        SyncRun.objects.bulk_create(
            SyncRun(
                event=event,
                visit=uuid.uuid4(),
                started_at=at + timedelta(seconds=3),
                outcome="failed" if place in but else "unchanged",
                **fields,
            )
            for place, at in enumerate(planned())
        )

    return make


def shown(event, now):
    return event_day(event=event, now=now, policy=DEFAULT_POLICY)


def page_of(log_in, user, event) -> str:
    """As a reader without JavaScript sees it."""
    return log_in(user).get(reverse("event_day_live", args=[event.race_id, event.pk])).content.decode()


def test_a_complete_day_says_so_far_that_every_planned_sync_was_made(event, every_minute, now):
    every_minute()

    day = shown(event, now)

    assert day.sentence.startswith("So far every planned sync was made: 36")
    assert day.kind == "good"
    assert not any(view.holes for view in day.bands)


def test_a_hole_has_its_time_and_length_as_its_title_in_the_races_zone(event, every_minute, log_in, director):
    every_minute(but=range(300, 304))

    html = page_of(log_in, director, event)

    assert re.search(
        r'<rect class="hole" data-kind="bad"[^>]*><title>Sat 04:59:\d\d to 05:04:\d\d EDT: 5 min without a sync, '
        r"4 tries brought nothing</title>",
        html,
    )
    assert "The longest time between two was 5 min, from 04:59:" in html


def test_a_day_to_come_says_when_it_begins(race, now, log_in, director):
    event = EventFactory(race=race, starts_at=now + timedelta(days=2))

    html = page_of(log_in, director, event)

    assert "The last day begins at Sun Jun 7, 06:00 EDT." in html
    assert '<figure class="day">' not in html


def test_an_event_without_a_start_has_no_last_day(race, log_in, director):
    assert "There is no start" in page_of(log_in, director, EventFactory(race=race, starts_at=None))


def test_who_changed_when_is_a_dot_and_a_sum(event, run_of, now):
    run_of(event, ago=timedelta(hours=30))
    run_of(event, ago=timedelta(minutes=29), outcome="ok", added=3, removed=1)
    run_of(event, ago=timedelta(minutes=9), outcome="ok", changed=2)

    day = shown(event, now)

    assert day.changes == "In the list: 3 new, 2 changed, 1 left; the last change at 05:51 EDT."
    dots = {lane: path for view in day.bands for lane, path in view.dots if view.name == "HIGH"}
    assert all(dots.values())
    hours = {hour.label: hour for hour in day.hours}
    assert (hours["Sat 05:00 EDT"].added, hours["Sat 05:00 EDT"].changed) == (3, 2)


def test_what_was_before_the_events_first_sync_is_not_called_missed(event, run_of, now):
    run_of(event, ago=timedelta(minutes=30))

    day = shown(event, now)

    assert "lay before the first one of this event" in day.note
    assert "planned syncs were made" in day.sentence
    assert day.bands[0].holes == ()


def test_a_day_whose_runs_are_gone_shows_its_changes_and_no_false_holes(race, now):
    event = EventFactory(race=race, starts_at=now - timedelta(days=400))
    start = event.starts_at
    for day, done in ((start - timedelta(days=1), 192), (start, 346)):
        EventDay.objects.create(event=event, day=day.date(), planned=270, done=done, failed=0, rolled_up_at=now)
    person = ParticipantFactory(event=event)
    for kind in ("added", "changed", "transferred"):
        ParticipantChange.objects.create(participant=person, kind=kind, at=start - timedelta(hours=2))
    ParticipantChange.objects.create(
        participant=ParticipantFactory(event=EventFactory(race=race)), kind="added", at=start - timedelta(hours=2)
    )

    day = shown(event, now)

    assert "not kept any more" in day.note
    assert "1 new, 1 changed, 1 left" in day.changes
    assert not any(view.holes for view in day.bands)


def test_a_day_that_is_over_does_not_say_so_far(event, every_minute, now):
    event.starts_at = now - timedelta(hours=2)
    event.save()
    every_minute()

    day = shown(event, now)

    assert day.sentence.startswith("Every planned sync was made: 540 of 540.")
    assert day.now_text == ""


def test_the_picture_stays_small_with_a_change_at_every_sync_and_a_gap_after_every_second(
    event, every_minute, log_in, director, now
):
    event.starts_at = now - timedelta(minutes=59)
    event.save()
    every_minute(but=range(0, 2000, 2), added=1, changed=1, removed=1)

    html = log_in(director).get(reverse("event_day_live", args=[event.race_id, event.pk])).content.decode()

    figure = html[html.index("<figure") : html.index("</figure>")]
    assert len(figure.encode()) <= MOST_BYTES
    assert figure.count("<title>") <= 45


def test_the_event_page_loads_it_and_it_is_not_sent_twice(event, every_minute, log_in, director):
    every_minute()
    client = log_in(director)
    url = reverse("event_day_live", args=[event.race_id, event.pk])
    assert url in client.get(reverse("event_page", args=[event.race_id, event.pk])).content.decode()

    first = client.get(url, headers={"HX-Request": "true"})

    assert "<html" not in first.content.decode()
    assert client.get(url, headers={"HX-Request": "true", "If-None-Match": first["ETag"]}).status_code == 304


def test_seconds_that_pass_change_nothing_and_a_new_sync_does(
    event, every_minute, log_in, director, monkeypatch, now, run_of
):
    every_minute()
    client = log_in(director)
    url = reverse("event_day_live", args=[event.race_id, event.pk])
    first = client.get(url, headers={"HX-Request": "true"})
    monkeypatch.setattr("sync.web.day_views.database_now", lambda: now + timedelta(seconds=4))
    assert client.get(url, headers={"HX-Request": "true", "If-None-Match": first["ETag"]}).status_code == 304

    run_of(event, ago=timedelta(0))

    assert client.get(url, headers={"HX-Request": "true", "If-None-Match": first["ETag"]}).status_code == 200


def test_the_picture_costs_the_same_queries_for_1_and_for_300_runs(event, run_of, every_minute, log_in, director):
    run_of(event)
    client = log_in(director)
    url = reverse("event_day_live", args=[event.race_id, event.pk])

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(url).status_code == 200
        return len(captured)

    before = queries()
    every_minute()
    assert queries() <= before <= 7


def test_a_foreign_day_does_not_exist(event, stranger, log_in):
    foreign = EventFactory(race=RaceFactory())

    assert log_in(stranger).get(reverse("event_day_live", args=[event.race_id, event.pk])).status_code == 404
    assert log_in(stranger).get(reverse("event_day_live", args=[event.race_id, foreign.pk])).status_code == 404


def test_the_window_of_a_placeholder_start_is_drawn_as_a_whole(race, now, run_of):
    event = EventFactory(race=race, starts_at=now.replace(hour=4), start_is_placeholder=True)
    run_of(event, ago=timedelta(hours=40))
    window = window_of(event)
    assert window.earliest != window.latest

    day = shown(event, now)

    assert day.start_text == ""
    assert sum(len(row.ticks) for view in day.bands for row in view.band.rows) == 240 + 15 * 60
