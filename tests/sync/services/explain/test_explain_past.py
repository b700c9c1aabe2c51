"""Why an event was or was not synced at an earlier moment."""

from __future__ import annotations

from datetime import timedelta

from partners.models import ApiUsage, Credential
from sync.models import Cycle

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def test_an_earlier_moment_names_the_gap_that_contains_it_and_what_ended_it(past_said, run_of, event_of, now):
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


def test_a_gap_that_is_not_over_and_a_scheduler_that_was_alive(past_said, run_of, event_of, key, now):
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


def test_a_moment_before_any_record_says_that_nothing_is_recorded(past_said, run_of, event_of, now):
    event = event_of()
    assert past_said(event, now - HOUR, now)["Gap"].startswith("no run of this event is recorded")
    run_of(event, now - MINUTE)
    found = past_said(event, now - HOUR, now)
    assert found["Gap"] == "no good sync is recorded before it; the first run that is kept began 05:59:00 EDT"
    assert found["Scheduler"] == "no cycle is recorded before it; 0 cycles in the gap"
