"""The facts behind an event's word, read off its rows without any page: what metrics and alerts count by."""

from __future__ import annotations

from datetime import timedelta

import pytest

from partners.models import Credential
from races.models import Event
from sync.core.policy import DEFAULT_POLICY
from sync.core.status import Status, Word, status_of
from sync.services.event_schedule import RACE_OFF
from sync.services.event_states import event_state
from tests.factories import EventFactory, EventSyncFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def status(now, django_assert_num_queries):
    def said(event: Event) -> Status:
        loaded = Event.objects.select_related("sync", "race__credential__partner").get(pk=event.pk)
        with django_assert_num_queries(0):
            state = event_state(loaded, is_running=False, pace=None, now=now, policy=DEFAULT_POLICY)
            return status_of(state, now=now, policy=DEFAULT_POLICY)

    return said


@pytest.fixture
def event(now):
    event = EventFactory(starts_at=now + timedelta(hours=2))
    EventSyncFactory(event=event, tier="HIGH", due_at=now - timedelta(seconds=61), checked_at=now)
    return event


def test_a_late_event_is_late_without_any_page(event, status):
    assert status(event).word is Word.LATE


@pytest.mark.parametrize(
    ("key", "word"),
    [
        (Credential.Status.PAUSED, Word.NOT_SCHEDULED),
        (Credential.Status.REFUSED, Word.NEEDS_ACTION),
    ],
)
def test_a_paused_key_is_on_purpose_and_a_refused_one_needs_somebody(event, status, key, word):
    Credential.objects.update(status=key)

    assert status(event).word is word
    assert status(event).reason


def test_a_race_that_the_provider_does_not_know_any_more_is_not_called_switched_off(event, status, now):
    event.race.gone_at, event.race.sync_enabled = now, False
    event.race.save()

    assert status(event).word is Word.NEEDS_ACTION
    assert "does not exist any more" in status(event).reason


def test_an_event_that_is_over_is_finished_whatever_became_of_its_race_and_key(event, status, now):
    Event.objects.update(starts_at=now - timedelta(hours=2))
    event.sync.due_at = event.sync.tier = None
    event.sync.hold_reason = RACE_OFF
    event.sync.save()
    event.race.sync_enabled = False
    event.race.save()
    Credential.objects.update(status=Credential.Status.REFUSED)

    assert status(event) == Status(word=Word.FINISHED)
