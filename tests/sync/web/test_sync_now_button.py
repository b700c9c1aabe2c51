"""The button "Sync now": a POST with a CSRF token, through the same service as the command."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from django_q.models import OrmQ

from sync.models import EventSync

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("heartbeat")]


def test_the_button_queues_a_sync_of_the_race_and_says_so(log_in, director, race, scheduled, now):
    scheduled("5K")
    scheduled("10K")
    client = log_in(director)

    response = client.post(reverse("sync_now", args=[race.pk]), follow=True)

    assert response.redirect_chain == [(reverse("race_page", args=[race.pk]), 302)]
    assert "2 events are being synced now." in response.content.decode()
    assert set(EventSync.objects.values_list("due_trigger", "picked_at")) == {("manual", now)}
    assert OrmQ.objects.count() == 1


def test_the_button_of_an_event_syncs_that_event_only(log_in, director, race, scheduled):
    event, other = scheduled("5K"), scheduled("10K")

    response = log_in(director).post(reverse("event_sync_now", args=[race.pk, event.pk]), follow=True)

    assert response.redirect_chain == [(reverse("event_page", args=[race.pk, event.pk]), 302)]
    assert "1 event is being synced now." in response.content.decode()
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
