"""The sentence at the top of a race, through the selector that every page uses."""

from __future__ import annotations

from datetime import timedelta

import pytest

from partners.models import CallBudget
from races.models import Event
from sync.core.tiers import zone_of
from sync.models import EventSync, Policy
from sync.services.policies import policy_now
from sync.web.event_status import event_statuses, with_state
from sync.web.race_sentence import Sentence, race_sentence
from sync.web.scheduler import last_beat
from sync.web.words import Kind
from tests.factories import EventFactory, EventSyncFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("heartbeat")]


@pytest.fixture
def sentence(race, now):
    def said() -> Sentence:
        beat = last_beat(now=now, policy=policy_now())
        events = list(with_state(Event.objects.filter(race=race).order_by("name")))
        statuses = event_statuses(events, beat=beat, now=now, policy=policy_now())
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

    assert sentence().text == "as of 05:59:20 EDT, checking now."


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
    assert said.text == "It waits for its turn in the schedule. All 7 events: the list is as of 05:57:30 EDT."
    assert len(said.details) == 5
    assert said.details[-1] == "And 3 more, see below."


def test_a_late_event_names_the_pause_that_the_provider_asked_for(sentence, race, scheduled, now):
    scheduled("5K", due_at=now - timedelta(minutes=9))
    CallBudget.objects.create(credential=race.credential, paused_until=now + timedelta(minutes=5))

    assert "RunSignUp asked the key to slow down, it is paused until" in sentence().text


def test_a_late_event_names_a_key_whose_calls_are_used_up(sentence, race, scheduled, now):
    scheduled("5K", due_at=now - timedelta(minutes=9))
    CallBudget.objects.create(credential=race.credential, theoretical_arrival_at=now + timedelta(minutes=5))

    assert "The key has 0 calls free of its 1,000 an hour, too few for HIGH." in sentence().text


@pytest.mark.parametrize(
    ("picked_ago", "lease", "words"),
    [
        (timedelta(minutes=8), timedelta(seconds=50), "at 05:52:00 EDT, which is busy with other races."),
        (timedelta(seconds=30), None, "at 05:59:30 EDT, which is about to begin."),
        (timedelta(minutes=8), None, "at 05:52:00 EDT, and no lane works."),
    ],
)
def test_a_late_event_that_its_lane_did_not_reach_says_so(sentence, race, scheduled, now, picked_ago, lease, words):
    scheduled("5K", due_at=now - timedelta(minutes=9), picked_at=now - picked_ago)
    CallBudget.objects.create(credential=race.credential, lane_lease_until=now + lease if lease else None)

    assert f"Handed to its key's lane {words}" in sentence().text


def test_an_event_that_its_crowded_key_checks_less_often_is_not_late_before_that(sentence, race, scheduled, now):
    # One HIGH race and 60 calls an hour: a visit every 90 s or so.
    race.credential.hourly_limit = 60
    race.credential.save()
    event = scheduled("5K", due_at=now - timedelta(seconds=61), checked_at=now - timedelta(seconds=150))
    assert sentence().word == "Up to date"

    EventSync.objects.filter(event=event).update(due_at=now - timedelta(minutes=4))
    assert sentence().word in {"Late", "Overdue"}


def test_a_silent_scheduler_is_the_reason_whatever_the_last_try_said(sentence, scheduled, run_of, heartbeat, now):
    failing(scheduled, run_of, now, age=timedelta(minutes=9))
    heartbeat.delete()

    assert sentence().text.startswith("The scheduler is silent. 5K: ")


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

    said = sentence()

    assert said.word == "Checks finished"
    assert "Sync now" not in said.text


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

    said = sentence()

    assert said.text.startswith("The scheduler is silent. 5K: ")
    assert said.details == ("5K: was due 05:30:00 EDT, 30 min ago.",)


def failing(scheduled, run_of, now, *, age: timedelta, failures: int = 2, name: str = "5K"):
    event = scheduled(name, failures=failures, checked_at=now - age, due_at=now + timedelta(minutes=3))
    run_of(event, outcome="failed", error_text="RunSignUp is unavailable (HTTP 503).")
    return event


def test_a_list_that_gets_old_while_tries_fail_is_late_with_the_reason_first(sentence, scheduled, run_of, now):
    failing(scheduled, run_of, now, age=timedelta(seconds=61))

    said = sentence()

    assert (said.word, said.kind) == ("Late", Kind.WARN)
    assert said.text == "RunSignUp is unavailable (HTTP 503). 5K: the list is as of 05:58:59 EDT."
    assert said.details == ("5K: 2 tries in a row failed; next try 06:03:00 EDT.",)


def test_after_two_periods_of_failures_it_is_overdue_also_while_a_try_is_running(sentence, scheduled, run_of, now):
    event = failing(scheduled, run_of, now, age=timedelta(seconds=121))
    run_of(event, ago=timedelta(seconds=5), outcome="", finished_at=None, lease_until=now + timedelta(minutes=1))

    said = sentence()

    assert (said.word, said.kind) == ("Overdue", Kind.BAD)
    assert said.text.startswith("RunSignUp is unavailable (HTTP 503). 5K: the list is as of")


def test_a_failed_try_is_said_while_the_list_is_still_fresh(sentence, scheduled, run_of, now):
    failing(scheduled, run_of, now, age=timedelta(seconds=50), failures=1)

    said = sentence()

    assert said.word == "Up to date"
    assert said.details == ("The last try failed: RunSignUp is unavailable (HTTP 503).",)


def test_different_reasons_stay_with_their_events(sentence, scheduled, run_of, now):
    failing(scheduled, run_of, now, age=timedelta(minutes=9), name="10K")
    failing(scheduled, run_of, now, age=timedelta(minutes=9), name="5K")
    scheduled("Kids run", due_at=now - timedelta(minutes=2))

    said = sentence()

    assert said.text.startswith("RunSignUp is unavailable (HTTP 503). All 3 events")
    assert said.details[-1] == "Kids run: it waits for its turn in the schedule; was due 05:58:00 EDT, 2 min ago."


def test_a_paused_key_is_said_before_anything_is_late(sentence, race, scheduled, now):
    scheduled("5K")
    scheduled("10K")
    CallBudget.objects.create(credential=race.credential, paused_until=now + timedelta(minutes=5))

    said = sentence()

    assert said.word == "Up to date"
    assert len(said.details) == 1
    assert said.details[0].startswith("RunSignUp asked the key to slow down, it is paused until")


def test_the_policy_in_force_decides_what_is_late_and_when_checks_end(sentence, race, scheduled, now):
    Policy.objects.update_or_create(pk=1, defaults={"high_period_seconds": 20, "after_start_minutes": 90})
    event = scheduled("5K", due_at=now - timedelta(seconds=41))
    assert sentence().word == "Overdue"

    event.starts_at = now - timedelta(minutes=91)
    event.save()
    EventSync.objects.update(due_at=None, tier=None)
    assert "Automatic checks ended 1 h 30 min after the start, at 05:59:00 EDT" in sentence().text


def test_withdrawals_that_are_older_than_the_list_are_dated_in_a_line_of_their_own(sentence, scheduled, now):
    scheduled("5K", removals_checked_at=now - timedelta(seconds=111))
    scheduled("10K", removals_checked_at=now - timedelta(seconds=40))

    assert sentence().note == "Withdrawals as of 05:58:09 EDT, looked for at every fifth check."


def test_withdrawals_as_old_as_the_list_need_no_line(sentence, scheduled, now):
    scheduled("5K", removals_checked_at=now - timedelta(seconds=40))

    assert sentence().note == ""


def test_withdrawals_that_were_never_asked_for_are_said(sentence, scheduled):
    scheduled("5K", removals_checked_at=None)

    assert sentence().note == "Withdrawals not asked for yet, looked for at every fifth check."


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(15, "checking now"), (16, "the next check has waited since 05:59:44 EDT")],
)
def test_a_check_that_begins_with_the_next_cycle_does_not_read_like_a_delay(sentence, scheduled, now, seconds, words):
    scheduled("5K", due_at=now - timedelta(seconds=seconds))

    assert sentence().text == f"as of 05:59:20 EDT, {words}."


def test_a_key_with_more_races_than_calls_looks_for_withdrawals_less_often(sentence, race, scheduled, now):
    race.credential.hourly_limit = 60
    race.credential.save()
    scheduled("5K")

    assert sentence().note.endswith("looked for at every tenth check.")
