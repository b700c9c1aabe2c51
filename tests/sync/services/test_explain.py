"""Why an event is or is not synced: the facts from the database, the planner's decision, the words of the core."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from partners.models import ApiUsage, CallBudget, Credential
from races.models import Event
from sync.core.event_facts import EventFacts
from sync.core.explanation import explanation, run_texts
from sync.core.explanation_past import past_explanation
from sync.core.planning import Verdict
from sync.core.policy import DEFAULT_POLICY
from sync.core.tiers import zone_of
from sync.core.time_words import Clock
from sync.models import Cycle, EventSync, Heartbeat, SyncRun
from sync.services.cycles import cycle_run
from sync.services.event_schedule import RACE_OFF, reschedule
from sync.services.explain import event_facts, past_facts
from tests.factories import CredentialFactory, EventFactory, EventSyncFactory, RaceFactory, TimingPartnerFactory

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def database_clock(monkeypatch, now):
    """The database's clock, where the gate and a cycle read it, is the test's."""
    monkeypatch.setattr("partners.gate.database_now", lambda: now)


@pytest.fixture(autouse=True)
def heartbeat(now):
    return Heartbeat.objects.create(name="cycle", beat_at=now - 4 * SECOND)


@pytest.fixture
def key():
    return CredentialFactory(partner=TimingPartnerFactory(name="Ridgeline"))


@pytest.fixture
def event_of(key, now):
    """An event of the key that starts two hours from now, due in 20 s and checked 40 s ago."""

    def make(*, starts_at: datetime | None = now + 2 * HOUR, is_placeholder: bool = False, **row):
        event = EventFactory(race=RaceFactory(credential=key), starts_at=starts_at, start_is_placeholder=is_placeholder)
        reschedule(events=[event], now=now)
        row = {"due_at": now + 20 * SECOND, "checked_at": now - 40 * SECOND, **row}
        EventSync.objects.filter(event=event).update(**row)
        return event

    return make


def run_of(event, at, **fields):
    fields = {"outcome": "unchanged", "finished_at": at + SECOND, "calls": 1, "tier": "HIGH", **fields}
    return SyncRun.objects.create(event=event, visit=uuid.uuid4(), started_at=at, **fields)


def facts_of(event, now) -> EventFacts:
    loaded = Event.objects.select_related("race__credential__partner").get(pk=event.pk)
    return event_facts(event=loaded, now=now)


def said(event, now) -> dict[str, str]:
    """The explanation by label, in the race's zone."""
    clock = Clock(zone=zone_of(event.race.timezone), now=now)
    lines = explanation(facts_of(event, now), clock=clock, policy=DEFAULT_POLICY)
    return {line.label: line.text for line in lines}


def past_said(event, at, now) -> dict[str, str]:
    clock = Clock(zone=zone_of(event.race.timezone), now=now)
    loaded = Event.objects.select_related("race__credential__partner").get(pk=event.pk)
    past = past_facts(event=loaded, at=at, now=now)
    lines = past_explanation(facts_of(event, now), past, clock=clock, policy=DEFAULT_POLICY)
    return {line.label: line.text for line in lines}


def test_an_event_that_is_not_due_yet_needs_nothing(event_of, now):
    found = said(event_of(changed_at=now - 9 * MINUTE, removals_checked_at=now - 160 * SECOND), now)

    assert found["Why"] == "Its next sync is due at 06:00:20 EDT, in 20 s."
    assert found["To change"] == "nothing: it is due at 06:00:20 EDT."
    assert found["Start"] == "08:00 EDT, in 2 h; zone America/New_York"
    assert found["Tier"] == ("HIGH since 04:00 EDT, 4 h before the start, until 09:00 EDT: every 60 s")
    assert found["Due"] == "06:00:20 EDT, in 20 s"
    assert found["List"] == "as of 05:59:20 EDT, 40 s ago; last change 05:51 EDT; withdrawals as of 05:57 EDT"
    assert found["Failures"] == "none since the last good sync"
    assert found["Planner"] == "WAIT: not due yet (due 06:00:20 EDT, in 20 s)"
    assert found["Pace"] == "every 60 s as planned (72 of 941 calls an hour wanted)"
    assert found["Scheduler"] == "alive: last cycle 05:59:56 EDT, 4 s ago"


def test_the_utc_stands_beside_the_local_time_when_asked_for(event_of, now):
    clock = Clock(zone=zone_of("America/New_York"), now=now, with_utc=True)
    lines = explanation(facts_of(event_of(), now), clock=clock, policy=DEFAULT_POLICY)
    found = {line.label: line.text for line in lines}
    assert found["Due"] == "06:00:20 EDT (10:00:20 UTC), in 20 s"
    assert found["Start"].startswith("08:00 EDT (12:00 UTC), in 2 h")


def test_the_planner_decides_as_a_cycle_would(event_of, key, now):
    due = event_of(due_at=now - 4 * SECOND)
    CallBudget.objects.create(credential=key)

    found = said(due, now)

    assert found["Planner"] == "RUN: due (4 s late)"
    assert found["To change"] == "nothing: the next cycle takes it, within 10 s."
    report = cycle_run(now=now, call_lanes=False)
    assert report is not None
    assert [decision.verdict for decision in report.decisions] == [Verdict.RUN]


def test_what_a_cycle_picked_waits_for_its_lane(event_of, key, now):
    event = event_of(due_at=now - 4 * SECOND, picked_at=now - 30 * SECOND)
    budget = CallBudget.objects.create(credential=key)
    assert said(event, now)["Why"].endswith("the lane is about to begin.")

    budget.lane_lease_until = now + 50 * SECOND
    budget.save()
    found = said(event, now)
    assert found["Why"] == (
        "A cycle handed it to the lane of Ridgeline · main at 05:59:30 EDT, 30 s ago; "
        "the lane is busy with other races of the key."
    )
    assert "lane works, lease until 06:00:50 EDT" in found["Key"]

    budget.lane_lease_until = None
    budget.save()
    EventSync.objects.update(picked_at=now - 5 * MINUTE)
    assert "no worker takes the lane" in said(event, now)["To change"]


def test_a_running_sync_is_said(event_of, now):
    event = event_of(due_at=now - 4 * SECOND)
    run_of(event, now - 3 * SECOND, outcome="", finished_at=None, lease_until=now + MINUTE)
    assert said(event, now)["Why"] == "It is being synced since 05:59:57 EDT, 3 s ago."


def test_a_crowded_key_says_how_far_its_events_are_stretched(event_of, now):
    events = [event_of() for _ in range(18)]
    assert said(events[0], now)["Pace"] == (
        "every 76 s instead of 60 s: key Ridgeline · main has 18 races in their last 4 hours "
        "(1,296 of 941 calls an hour wanted)"
    )


def test_a_low_event_of_a_crowded_key_names_what_it_gives_way_to(event_of, now):
    for _ in range(18):
        event_of()
    low = event_of(starts_at=now + timedelta(days=3))
    assert said(low, now)["Pace"].startswith("every 4 h instead of 1 h: key Ridgeline")
    assert "18 races in their last 4 hours, 0 in their last 24 hours and 1 further ahead" in said(low, now)["Pace"]


def test_a_key_without_free_calls_says_when_it_has_one(event_of, key, now):
    event = event_of(due_at=now - 30 * SECOND)
    CallBudget.objects.create(credential=key, theoretical_arrival_at=now + timedelta(seconds=73))
    ApiUsage.objects.create(credential=key, minute=now - 5 * MINUTE, calls=990)

    found = said(event, now)

    assert found["Planner"] == "DEFER: the key has 0 of 1000 calls free, too few for HIGH (free 0)"
    assert found["To change"].startswith("nothing: the key has a call for it in about 4 s")
    assert found["Key"] == (
        "Ridgeline · main: 990 of 1,000 calls in the last hour, 0 free now, rate 1,000 an hour, lane idle"
    )


def test_a_full_cycle_makes_a_less_overdue_event_wait(event_of, key, now):
    race = RaceFactory(credential=key)
    for _ in range(60):
        EventSyncFactory(event=EventFactory(race=race), tier="HIGH", due_at=now - MINUTE)
    found = said(event_of(due_at=now - SECOND), now)
    assert found["Planner"] == "DEFER: this cycle already took 50 HIGH events (cap 50)"
    assert found["To change"] == "nothing: a later cycle takes it; one starts every 10 s."


def test_a_refused_key_asks_for_a_new_secret(event_of, key, now):
    event = event_of(due_at=now - HOUR)
    Credential.objects.update(status=Credential.Status.REFUSED, status_detail="Invalid API secret.")

    found = said(event, now)

    assert found["Why"] == "RunSignUp refuses the key Ridgeline · main: Invalid API secret."
    assert found["To change"] == "the key is refused: store a new secret in the admin."
    assert found["Planner"].startswith("BLOCKED: RunSignUp refuses the key")


def test_a_paused_key_says_until_when(event_of, key, now):
    event = event_of(due_at=now - MINUTE)
    CallBudget.objects.create(
        credential=key, paused_until=now + 12 * MINUTE, rate_per_hour=700, rate_changed_at=now - MINUTE
    )
    ApiUsage.objects.create(credential=key, minute=now - MINUTE, calls=3, throttled=1)

    found = said(event, now)

    assert found["To change"] == "wait until 06:12 EDT: RunSignUp asked the key to pause."
    assert found["Planner"] == ("DEFER: RunSignUp asked the key to pause (paused until 06:12:00 EDT, in 12 min)")
    assert "told to slow down 1 time, paused until 06:12:00 EDT, in 12 min" in found["Key"]


@pytest.mark.parametrize(
    ("switch", "change"),
    [
        ("partner", "switch the partner on in the admin."),
        ("key", "resume the key in the admin: staff paused it."),
        ("race", "switch the race on in the admin."),
    ],
)
def test_what_is_switched_off_names_the_switch(event_of, key, now, switch, change):
    event = event_of()
    if switch == "partner":
        key.partner.is_active = False
        key.partner.save()
    elif switch == "key":
        Credential.objects.update(status=Credential.Status.PAUSED)
    else:
        event.race.sync_enabled = False
        event.race.save()
        reschedule(events=[event], now=now)
        assert said(event, now)["Why"] == RACE_OFF
        assert said(event, now)["Planner"] == "nothing to decide: it is not in the schedule"
    assert said(event, now)["To change"] == change


def test_an_event_that_is_gone_says_so(event_of, now):
    event = event_of()
    event.gone_at = now
    event.save()
    reschedule(events=[event], now=now)
    found = said(event, now)
    assert "does not exist any more" in found["Why"]
    assert "Discovery opens it again" in found["To change"]


def test_a_finished_event_says_when_its_syncs_ended_and_how_to_get_one_more(event_of, now):
    event = event_of(starts_at=now - 3 * HOUR)
    EventSync.objects.update(due_at=None, tier=None)
    found = said(event, now)
    assert found["Why"] == "Automatic syncs ended at 04:00 EDT, 1 h after the start."
    assert found["To change"] == f"nothing. manage.py sync_now {event.provider_event_id} syncs it once more."
    assert found["Tier"] == "none: HIGH ended at 04:00 EDT, 1 h after the start"
    assert found["Pace"] == "none: the event is over"


def test_a_finished_event_of_a_refused_key_needs_nobody(event_of, key, now):
    event = event_of(starts_at=now - 3 * HOUR)
    EventSync.objects.update(due_at=None, tier=None)
    Credential.objects.update(status=Credential.Status.REFUSED)
    assert said(event, now)["To change"].startswith("nothing.")


def test_a_silent_scheduler_comes_before_everything_that_it_would_have_done(event_of, heartbeat, now):
    event = event_of(due_at=now - 3 * HOUR)
    heartbeat.beat_at = now - timedelta(hours=3, minutes=10)
    heartbeat.save()
    found = said(event, now)
    assert found["Why"] == "No cycle runs: the scheduler is silent since 02:50:00 EDT, 3 h 10 min ago."
    assert found["To change"] == "the cluster does not run: start it with manage.py cluster."

    Heartbeat.objects.all().delete()
    assert said(event, now)["Scheduler"] == "silent: it has never run"


def test_an_event_that_was_never_synced_says_so(event_of, now):
    event = event_of(checked_at=None, due_at=now)
    found = said(event, now)
    assert found["List"] == "never loaded"
    assert found["Planner"] == "RUN: due (0 s late)"
    assert run_texts(facts_of(event, now).runs, clock=Clock(zone=UTC, now=now)) == ()


def test_an_event_that_no_discovery_scheduled_says_so(key, now):
    event = EventFactory(race=RaceFactory(credential=key), starts_at=now + 2 * HOUR)
    found = said(event, now)
    assert found["Why"] == "It is not in the schedule yet."
    assert found["Due"] == "not due: it is not in the schedule"


def test_failures_name_the_last_error_and_the_next_try(event_of, now):
    event = event_of(failures=3, due_at=now + 40 * SECOND)
    run_of(event, now - MINUTE, outcome="failed", error_text="RunSignUp answered with HTTP 500.")
    found = said(event, now)
    assert found["Failures"] == "3 tries in a row failed: RunSignUp answered with HTTP 500."
    assert found["Why"] == (
        "3 tries in a row failed: RunSignUp answered with HTTP 500. Its next try is due at 06:00:40 EDT, in 40 s."
    )


def test_what_waits_for_a_person_is_named_while_it_is_tried_again(event_of, now):
    event = event_of(hold_reason="RunSignUp does not let this key see the race", due_at=now + 5 * MINUTE)
    found = said(event, now)
    assert found["Why"] == "RunSignUp does not let this key see the race."
    assert found["To change"] == "a person must act, see above. It is tried again at 06:05:00 EDT, in 5 min."


def test_a_start_without_a_time_of_day_says_what_it_is_taken_for(event_of, now):
    event = event_of(starts_at=datetime(2026, 6, 7, 4, 0, tzinfo=UTC), is_placeholder=True)
    found = said(event, now)
    assert found["Start"] == (
        "RunSignUp gives no time of day: taken as between Sun Jun 7, 04:00 EDT and Sun Jun 7, 14:00 EDT; "
        "zone America/New_York"
    )
    assert found["Tier"] == (
        "MEDIUM since 04:00 EDT, 24 h before the earliest start, until Sun Jun 7, 00:00 EDT: every 5 min"
    )


def test_an_event_without_any_start_stays_low(event_of, now):
    event = event_of(starts_at=None)
    found = said(event, now)
    assert found["Start"] == "RunSignUp gives no usable start; zone America/New_York"
    assert found["Tier"] == "LOW: without a start it never becomes more urgent; every 1 h"


def test_a_race_without_a_zone_says_which_is_taken(event_of, now):
    event = event_of()
    event.race.timezone = "Mars/Olympus"
    event.race.save()
    assert said(event, now)["Start"].endswith("zone Mars/Olympus, taken as America/New_York")


def test_a_tier_that_the_next_cycle_changes_is_said(event_of, now):
    event = event_of(starts_at=now + 4 * HOUR)
    EventSync.objects.update(tier="MEDIUM")
    assert said(event, now)["Tier"].endswith("; the schedule still says MEDIUM, the next cycle changes that")


def test_on_a_day_of_a_clock_change_the_boundaries_stay_hours_apart(event_of, heartbeat):
    # 2026-11-01: 02:00 EDT becomes 01:00 EST. A start at 05:30 EST is HIGH from 01:30 EST on.
    event = event_of(starts_at=datetime(2026, 11, 1, 10, 30, tzinfo=UTC))
    at = datetime(2026, 11, 1, 5, 45, tzinfo=UTC)
    EventSync.objects.update(tier="MEDIUM", due_at=at + MINUTE)
    found = said(event, at)
    assert found["Tier"] == ("MEDIUM since Sat Oct 31, 06:30 EDT, 24 h before the start, until 01:30 EST: every 5 min")
    assert found["Due"] == "01:46:00 EDT, in 60 s"


def test_the_runs_are_in_plain_words_with_their_gaps(event_of, now):
    event = event_of()
    run_of(event, now - 3 * HOUR, outcome="ok", added=2, changed=1, full=True, calls=3)
    run_of(event, now - 100 * SECOND, outcome="failed", error_text="RunSignUp did not answer in time.")
    run_of(event, now - 40 * SECOND, trigger="manual")
    texts = run_texts(facts_of(event, now).runs, clock=Clock(zone=zone_of("America/New_York"), now=now))
    assert texts == (
        "05:59:20 EDT: no change, 1 call, asked for with Sync now, 60 s after the one before",
        "05:58:20 EDT: failed, 1 call, 2 h 58 min after the one before. RunSignUp did not answer in time.",
        "03:00:00 EDT: updated, +2 ~1 −0, 3 calls, full comparison",
    )


def test_explaining_changes_nothing_and_asks_a_fixed_number_of_queries(event_of, now, django_assert_num_queries):
    event = event_of()
    loaded = Event.objects.select_related("race__credential__partner").get(pk=event.pk)
    with django_assert_num_queries(11):
        event_facts(event=loaded, now=now)
    for _ in range(5):
        run_of(event_of(), now - MINUTE)
    with django_assert_num_queries(11) as captured:
        event_facts(event=loaded, now=now)
    assert all(query["sql"].startswith("SELECT") for query in captured.captured_queries)


def test_an_earlier_moment_names_the_gap_that_contains_it_and_what_ended_it(event_of, now):
    event = event_of()
    run_of(event, now - timedelta(hours=3, minutes=10), outcome="ok", added=1)
    run_of(event, now - 2 * HOUR, outcome="failed", error_text="RunSignUp did not answer in time.")
    run_of(event, now - MINUTE, due_at=now - timedelta(hours=3, minutes=9))
    for ago in (timedelta(hours=3, minutes=10), timedelta(hours=2), timedelta(minutes=1)):
        Cycle.objects.create(started_at=now - ago, high_due=1, high_picked=1)

    found = past_said(event, now - timedelta(hours=2, minutes=30), now)

    assert found["At"] == "03:30:00 EDT, 2 h 30 min ago"
    assert found["Tier then"] == (
        "MEDIUM since Fri Jun 5, 08:00 EDT, 24 h before the start, until 04:00 EDT: every 5 min; "
        "by the start as it is known now"
    )
    assert found["Gap"] == "synced 02:50:00 EDT, then 05:59:00 EDT: 3 h 9 min without a good sync"
    assert found["In the gap"] == "1 run ended badly; the last: RunSignUp did not answer in time."
    assert found["Ended by"] == "05:59:00 EDT: no change, 1 call; it had been due 02:51:00 EDT, 3 h 8 min before"
    assert found["Scheduler"] == ("silent: no cycle ran from 02:50:00 EDT until 04:00:00 EDT; 2 cycles in the gap")
    assert "what the planner decided then" in found["Unknown"]


def test_a_gap_that_is_not_over_and_a_scheduler_that_was_alive(event_of, key, now):
    event = event_of()
    run_of(event, now - HOUR)
    at = now - 30 * MINUTE
    for number in range(3):
        Cycle.objects.create(started_at=at + (number - 1) * 10 * SECOND, high_due=60, high_picked=50, high_deferred=10)
    ApiUsage.objects.create(credential=key, minute=at - 5 * MINUTE, calls=700, throttled=2)
    Credential.objects.update(refused_at=now - 20 * MINUTE)

    found = past_said(event, at, now)

    assert found["Gap"] == "synced 05:00:00 EDT, not since then: 1 h until now"
    assert found["Ended by"] == "nothing yet: no good sync followed"
    assert found["Scheduler"] == (
        "alive: the cycle of 05:30:00 EDT had 60 HIGH events due, took 50, deferred 10; 3 cycles in the gap"
    )
    assert found["Key"] == (
        "Ridgeline · main: 700 calls in the hour before (limit now 1,000), told to slow down 2 times, "
        "last refused 05:40:00 EDT"
    )


def test_a_moment_before_any_record_says_that_nothing_is_recorded(event_of, now):
    event = event_of()
    assert past_said(event, now - HOUR, now)["Gap"].startswith("no run of this event is recorded")
    run_of(event, now - MINUTE)
    found = past_said(event, now - HOUR, now)
    assert found["Gap"] == "no good sync is recorded before it; the first run that is kept began 05:59:00 EDT"
    assert found["Scheduler"] == "no cycle is recorded before it; 0 cycles in the gap"
