"""While a sync that somebody asked for waits, its page shows the place in the line of its key, until it begins."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django_q.models import OrmQ

from sync.models import EventSync
from tests.factories import EventFactory, EventSyncFactory, RaceFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("heartbeat")]


@pytest.fixture
def others(race, now):
    """Races of the same key that its lane takes first."""

    def make(number: int) -> list:
        events = []
        for _ in range(number):
            event = EventFactory(race=RaceFactory(credential=race.credential), starts_at=now + timedelta(hours=1))
            EventSyncFactory(event=event, tier="HIGH", due_at=now - timedelta(seconds=9), picked_at=now)
            events.append(event)
        return events

    return make


def live(client, race) -> str:
    return client.get(reverse("race_live", args=[race.pk])).content.decode()


def test_the_page_says_the_place_and_when_it_begins_and_goes_on_as_the_line_does(
    log_in, director, race, scheduled, others, run_of, now
):
    event = scheduled()
    before = others(6)
    client = log_in(director)

    page = client.post(reverse("sync_now", args=[race.pk]), follow=True).content.decode()

    assert "1 event is in line: 7th for this key, in about 20 s." in page
    EventSync.objects.filter(event__in=before[:5]).update(picked_at=None, due_at=now + timedelta(minutes=1))
    assert "1 event is in line: 2nd for this key, within 10 s." in live(client, race)
    run_of(event, ago=timedelta(0), outcome="", finished_at=None, lease_until=now + timedelta(minutes=1))
    assert "1 event is being synced now." in live(client, race)


def test_the_event_page_says_it_too(log_in, director, race, scheduled, others):
    event = scheduled()
    others(2)

    page = log_in(director).post(reverse("event_sync_now", args=[race.pk, event.pk]), follow=True).content.decode()

    assert "1 event is in line: 3rd for this key, within 10 s." in page


def test_what_waits_in_another_keys_line_does_not_count(log_in, director, race, scheduled, now):
    scheduled()
    EventSyncFactory(event=EventFactory(starts_at=now), tier="HIGH", due_at=now - timedelta(minutes=1), picked_at=now)

    page = log_in(director).post(reverse("sync_now", args=[race.pk]), follow=True).content.decode()

    assert "next for this key" in page


def test_fifty_clicks_are_one_sync(log_in, director, race, scheduled):
    scheduled("5K")
    scheduled("10K")
    client = log_in(director)

    for _ in range(50):
        client.post(reverse("sync_now", args=[race.pk]))

    assert OrmQ.objects.count() == 1
    assert EventSync.objects.filter(due_trigger="manual").count() == 2


@pytest.mark.parametrize("rows", [1, 50])
def test_a_long_line_costs_no_query_per_race(
    log_in, director, race, scheduled, others, rows, django_assert_max_num_queries
):
    scheduled()
    others(rows)
    client = log_in(director)
    client.post(reverse("sync_now", args=[race.pk]))

    with django_assert_max_num_queries(15):
        assert (
            f"in line: {'2nd' if rows == 1 else '51st'} for this key"
            in client.get(reverse("race_page", args=[race.pk])).content.decode()
        )
