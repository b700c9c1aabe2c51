"""What runs, what waits for its lane, and what the last runs brought."""

from __future__ import annotations

from datetime import timedelta

from partners.models import CallBudget
from sync.core.explanation import run_texts
from sync.core.tiers import zone_of
from sync.core.time_words import Clock
from sync.models import EventSync

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def test_what_a_cycle_picked_waits_for_its_lane(said, event_of, key, now):
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


def test_a_running_sync_is_said(said, run_of, event_of, now):
    event = event_of(due_at=now - 4 * SECOND)
    run_of(event, now - 3 * SECOND, outcome="", finished_at=None, lease_until=now + MINUTE)
    assert said(event, now)["Why"] == "It is being synced since 05:59:57 EDT, 3 s ago."


def test_a_try_that_runs_after_failures_says_both(event_of, run_of, said, now):
    event = event_of(due_at=now - 4 * SECOND, failures=1)
    run_of(event, now - MINUTE, outcome="failed", error_text="RunSignUp answered with HTTP 500.")
    run_of(event, now - 3 * SECOND, outcome="", finished_at=None, lease_until=now + MINUTE)

    assert said(event, now)["Why"] == (
        "The last try failed: RunSignUp answered with HTTP 500. It is being synced since 05:59:57 EDT, 3 s ago."
    )


def test_the_runs_are_in_plain_words_with_their_gaps(event_of, facts_of, run_of, now):
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


def test_failures_name_the_last_error_and_the_next_try(said, run_of, event_of, now):
    event = event_of(failures=3, due_at=now + 40 * SECOND)
    run_of(event, now - MINUTE, outcome="failed", error_text="RunSignUp answered with HTTP 500.")
    found = said(event, now)
    assert found["Failures"] == "3 tries in a row failed: RunSignUp answered with HTTP 500."
    assert found["Why"] == (
        "3 tries in a row failed: RunSignUp answered with HTTP 500. Its next try is due at 06:00:40 EDT, in 40 s."
    )


def test_what_waits_for_a_person_is_named_while_it_is_tried_again(said, event_of, now):
    event = event_of(hold_reason="RunSignUp does not let this key see the race", due_at=now + 5 * MINUTE)
    found = said(event, now)
    assert found["Why"] == "RunSignUp does not let this key see the race."
    assert found["To change"] == "a person must act, see above. It is tried again at 06:05:00 EDT, in 5 min."
