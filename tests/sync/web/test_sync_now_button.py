"""The button "Sync now": a POST with a CSRF token, through the same service as the command."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django_q.models import OrmQ

from partners.models import CallBudget
from sync.models import EventSync

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("heartbeat")]


def test_the_button_queues_a_sync_of_the_race_and_says_so(log_in, director, race, scheduled, now):
    scheduled("5K")
    scheduled("10K")
    client = log_in(director)

    response = client.post(reverse("sync_now", args=[race.pk]), follow=True)

    assert response.redirect_chain == [(reverse("race_page", args=[race.pk]), 302)]
    assert "2 events are in line: next for this key, within 10 s." in response.content.decode()
    assert set(EventSync.objects.values_list("due_trigger", "picked_at")) == {("manual", now)}
    assert OrmQ.objects.count() == 1


def test_the_button_of_an_event_syncs_that_event_only(log_in, director, race, scheduled):
    event, other = scheduled("5K"), scheduled("10K")

    response = log_in(director).post(reverse("event_sync_now", args=[race.pk, event.pk]), follow=True)

    assert response.redirect_chain == [(reverse("event_page", args=[race.pk, event.pk]), 302)]
    assert "1 event is in line: next for this key, within 10 s." in response.content.decode()
    assert list(EventSync.objects.filter(due_trigger="manual").values_list("event", flat=True)) == [event.pk]
    assert EventSync.objects.get(event=other).due_trigger == "scheduled"


def test_a_race_that_may_not_be_synced_says_why(log_in, director, race, scheduled):
    scheduled()
    race.sync_enabled = False
    race.save()

    response = log_in(director).post(reverse("sync_now", args=[race.pk]), follow=True)

    assert "This race is switched off" in response.content.decode()
    assert not OrmQ.objects.exists()


def test_asking_by_get_is_refused_and_does_nothing(log_in, director, race, scheduled):
    scheduled()

    assert log_in(director).get(reverse("sync_now", args=[race.pk])).status_code == 405
    assert not EventSync.objects.filter(due_trigger="manual").exists()


def test_a_post_without_the_token_is_refused_in_our_look(director, race, scheduled):
    scheduled()
    client = Client(enforce_csrf_checks=True)
    client.force_login(director)

    response = client.post(reverse("sync_now", args=[race.pk]))

    assert response.status_code == 403
    assert "The form was too old" in response.content.decode()
    assert not EventSync.objects.filter(due_trigger="manual").exists()


def test_the_page_brings_the_token_that_its_button_needs(director, race, scheduled):
    scheduled()
    client = Client(enforce_csrf_checks=True)
    client.force_login(director)
    token = client.get(reverse("race_page", args=[race.pk])).context["csrf_token"]

    response = client.post(reverse("sync_now", args=[race.pk]), {"csrfmiddlewaretoken": str(token)})

    assert response.status_code == 302
    assert EventSync.objects.filter(due_trigger="manual").exists()


def test_nobody_without_a_login_can_ask(race, scheduled):
    scheduled()

    assert Client().post(reverse("sync_now", args=[race.pk])).status_code == 302
    assert not EventSync.objects.filter(due_trigger="manual").exists()


def live(client, race) -> str:
    return client.get(reverse("race_live", args=[race.pk])).content.decode()


def test_that_it_is_being_synced_is_said_by_the_live_part_and_not_for_ever(log_in, director, race, scheduled, now):
    scheduled()
    client = log_in(director)
    page = client.post(reverse("sync_now", args=[race.pk]), follow=True).content.decode()

    assert page.count("1 event is in line") == 1
    assert 'class="messages"' not in page
    assert "1 event is in line: next for this key, within 10 s." in live(client, race)
    EventSync.objects.update(due_trigger="scheduled", picked_at=None)
    assert "in line" not in live(client, race)


def test_what_came_back_is_said_for_a_minute(log_in, director, race, scheduled, run_of, monkeypatch, now):
    for name, counts in (("5K", {"added": 2, "changed": 1}), ("10K", {"added": 1, "removed": 2})):
        run_of(scheduled(name), ago=timedelta(seconds=3), trigger="manual", outcome="ok", **counts)
    client = log_in(director)

    assert "Synced at 05:59:58 EDT: 3 new, 1 changed, 2 withdrawn." in live(client, race)

    monkeypatch.setattr("sync.web.views.database_now", lambda: now + timedelta(seconds=80))
    assert "Synced at" not in live(client, race)


def test_a_sync_that_found_nothing_new_says_so(log_in, director, race, scheduled, run_of):
    event = scheduled()
    run_of(event, trigger="manual")
    client = log_in(director)

    page = client.get(reverse("event_live", args=[race.pk, event.pk])).content.decode()

    assert "Synced at 05:59:21 EDT: no change." in page


def test_a_sync_that_failed_says_why(log_in, director, race, scheduled, run_of):
    event = scheduled()
    run_of(event, trigger="manual", outcome="failed", error_text="RunSignUp is unavailable (HTTP 503).")
    client = log_in(director)

    assert "Sync now at 05:59:21 EDT brought nothing. Failed: RunSignUp is unavailable (HTTP 503)." in live(
        client, race
    )

    run_of(scheduled("10K"), trigger="manual", outcome="ok", added=4)
    assert "Synced 1 of 2 events at 05:59:21 EDT: 4 new. 5K failed: RunSignUp is unavailable (HTTP 503)." in live(
        client, race
    )


def test_a_sync_that_must_wait_for_a_paused_key_says_so(log_in, director, race, scheduled, now):
    scheduled(due_trigger="manual", due_at=now, picked_at=now)
    CallBudget.objects.create(credential=race.credential, paused_until=now + timedelta(minutes=5))

    assert "Sync now: 1 event must wait. RunSignUp asked the key to slow down" in live(log_in(director), race)


def test_a_sync_that_nobody_serves_is_not_called_running(log_in, director, race, scheduled, now):
    asked_at = now - timedelta(minutes=2)
    scheduled(due_trigger="manual", due_at=asked_at, picked_at=asked_at)

    assert "Sync now, asked for at 05:58:00 EDT: 1 event not synced yet." in live(log_in(director), race)


def test_a_second_click_within_seconds_is_answered(log_in, director, race, scheduled, now):
    scheduled(checked_at=now - timedelta(seconds=2))

    page = log_in(director).post(reverse("sync_now", args=[race.pk]), follow=True).content.decode()

    assert "Checked a few seconds ago: nothing to do." in page
