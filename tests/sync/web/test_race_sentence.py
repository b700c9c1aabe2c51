"""The sentence at the top of a race, through the selector that every page uses."""

from __future__ import annotations

from datetime import timedelta

import pytest

from partners.gate import database_now
from partners.models import CallBudget
from races.models import Event
from sync.core.tiers import zone_of
from sync.models import EventSync
from sync.web.event_status import event_statuses, with_state
from sync.web.race_sentence import Sentence, race_sentence
from sync.web.scheduler import last_beat
from sync.web.words import Kind
from tests.factories import EventFactory, EventSyncFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("heartbeat")]


@pytest.fixture
def sentence(race, now):
    def said() -> Sentence:
        beat = last_beat(now=now)
        events = list(with_state(Event.objects.filter(race=race).order_by("name")))
        statuses = event_statuses(events, beat=beat, now=now)
        return race_sentence(statuses, beat=beat, zone=zone_of(race.timezone), now=now)

    return said


def test_the_urgent_events_make_the_sentence_and_slower_ones_get_a_line(sentence, race, scheduled, now):
    scheduled("5K")
    event = EventFactory(race=race, name="Kids run", starts_at=now + timedelta(hours=9))
    EventSyncFactory(
        event=event, tier="MEDIUM", checked_at=now - timedelta(minutes=4), due_at=now + timedelta(seconds=70)
    )

    said = sentence()

    assert (said.word, said.text) == ("Up to date", "as of 05:59:20 EDT, next check by 06:01.")
    assert said.details == ("Kids run: as of 05:56:00 EDT, it is checked less often.",)


def test_the_oldest_of_equally_urgent_lists_counts(sentence, scheduled, now):
    scheduled("5K")
    scheduled("10K", checked_at=now - timedelta(seconds=55))

    assert sentence().text.startswith("as of 05:59:05 EDT")


def test_a_check_that_is_due_this_moment_is_said(sentence, scheduled, now):
    scheduled(due_at=now)

    assert sentence().text == "as of 05:59:20 EDT, the next check begins now."


def test_one_event_without_a_list_keeps_the_race_from_being_current(sentence, scheduled):
    scheduled("5K")
    scheduled("10K", checked_at=None)

    said = sentence()

    assert (said.word, said.kind) == ("Loading", Kind.BUSY)
    assert said.text == "1 of 2 events is not loaded yet, next check by 06:01."


def test_many_late_events_are_counted_and_the_first_are_listed(sentence, scheduled, now):
    for number in range(7):
        scheduled(f"Event {number}", due_at=now - timedelta(seconds=90), checked_at=now - timedelta(seconds=150))

    said = sentence()

    assert (said.word, said.kind) == ("Late", Kind.WARN)
    assert said.text == "All 7 events; the list is as of 05:57:30 EDT."
    assert len(said.details) == 5
    assert said.details[-1] == "And 3 more, see below."


def test_a_late_event_names_the_pause_that_the_provider_asked_for(sentence, race, scheduled, now):
    scheduled("5K", due_at=now - timedelta(minutes=9))
    CallBudget.objects.create(credential=race.credential, paused_until=database_now() + timedelta(minutes=5))

    assert "RunSignUp asked the key to slow down, it is paused until" in sentence().details[0]


def test_a_late_event_names_a_key_whose_calls_are_used_up(sentence, race, scheduled, now):
    scheduled("5K", due_at=now - timedelta(minutes=9))
    CallBudget.objects.create(credential=race.credential, theoretical_arrival_at=database_now() + timedelta(minutes=5))

    assert "the key has 0 of its 1,000 calls an hour free, too few for HIGH" in sentence().details[0]


def test_a_late_event_that_its_lane_did_not_reach_says_so(sentence, scheduled, now):
    scheduled("5K", due_at=now - timedelta(minutes=9), picked_at=now - timedelta(minutes=8))

    assert "handed to its key's lane at 05:52:00 EDT, which is busy with other races" in sentence().details[0]


def test_a_held_list_needs_a_person_and_is_still_dated(sentence, scheduled):
    scheduled("5K", hold_reason="40 of 50 people are missing from RunSignUp's list at once.")
    scheduled("10K")

    said = sentence()

    assert (said.word, said.kind) == ("Needs action", Kind.BAD)
    assert said.text == (
        "5K: 40 of 50 people are missing from RunSignUp's list at once. The list is as of 05:59:20 EDT."
    )


def test_events_that_are_over_need_nobody_when_the_race_is_switched_off(sentence, race, now):
    event = EventFactory(race=race, starts_at=now - timedelta(hours=5))
    EventSyncFactory(event=event, checked_at=now - timedelta(hours=4))
    race.sync_enabled = False
    race.save()

    assert sentence().word == "Finished"


def test_while_the_scheduler_is_silent_no_list_is_called_up_to_date(sentence, scheduled, heartbeat, now):
    scheduled()
    heartbeat.beat_at = now - timedelta(seconds=61)
    heartbeat.save()

    said = sentence()

    assert (said.word, said.kind) == ("Not being synced", Kind.BAD)
    assert said.text == (
        "The list is as of 05:59:20 EDT. No check follows: the scheduler is silent since 05:58:59 EDT."
    )


def test_an_event_of_a_silent_scheduler_that_is_late_says_that_as_its_reason(sentence, scheduled, heartbeat, now):
    scheduled("5K")
    EventSync.objects.update(due_at=now - timedelta(minutes=30))
    heartbeat.beat_at = now - timedelta(minutes=31)
    heartbeat.save()

    assert sentence().details == ("5K: was due 05:30:00 EDT, 30 min ago; the scheduler is silent.",)
