"""What a key has to do with it: its calls, its pauses, its pace, and whether it may be used."""

from __future__ import annotations

from datetime import timedelta

from partners.models import ApiUsage, CallBudget, Credential
from sync.core.pace import LONGEST_LOW, Demand, pace_of
from sync.core.policy import DEFAULT_POLICY, Tier
from sync.core.time_words import span_words
from sync.models import EventSync

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def test_a_crowded_key_says_how_far_its_events_are_stretched(said, event_of, now):
    events = [event_of() for _ in range(18)]
    pace = pace_of(Demand(high=18, medium=0, low=0), rate=1000, policy=DEFAULT_POLICY)
    assert pace.periods[Tier.HIGH] > MINUTE
    assert said(events[0], now)["Pace"] == (
        f"every {span_words(pace.periods[Tier.HIGH])} instead of 60 s: key Ridgeline · main has 18 races in their last "
        f"4 hours (1,296 of {pace.usable:,.0f} calls an hour wanted)"
    )


def test_a_low_event_of_a_crowded_key_names_what_it_gives_way_to(said, event_of, now):
    for _ in range(18):
        event_of()
    low = event_of(starts_at=now + timedelta(days=3))
    assert said(low, now)["Pace"].startswith(f"every {span_words(LONGEST_LOW)} instead of 1 h: key Ridgeline")
    assert "18 races in their last 4 hours, 0 in their last 24 hours and 1 further ahead" in said(low, now)["Pace"]


def test_a_key_without_free_calls_says_when_it_has_one(said, event_of, key, now):
    event = event_of(due_at=now - 30 * SECOND)
    CallBudget.objects.create(credential=key, theoretical_arrival_at=now + timedelta(seconds=73))
    ApiUsage.objects.create(credential=key, minute=now - 5 * MINUTE, calls=990)

    found = said(event, now)

    assert (
        found["Planner"] == "DEFER: the key has 0 calls free of its 1,000 an hour, too few for HIGH (free 0, needs 1)"
    )
    assert found["To change"].startswith("nothing: the key has a call for it in about 4 s")
    assert found["Key"] == (
        "Ridgeline · main: 990 of 1,000 calls in the last hour, 0 free now, rate 1,000 an hour, lane idle"
    )


def test_a_refused_key_asks_for_a_new_secret(said, event_of, key, now):
    event = event_of(due_at=now - HOUR)
    Credential.objects.update(
        status=Credential.Status.REFUSED, status_detail="Invalid API secret.", refused_at=now - 20 * MINUTE
    )

    found = said(event, now)

    assert found["Why"] == "RunSignUp refuses the key Ridgeline · main: Invalid API secret."
    assert found["To change"] == "the key is refused: store a new secret in the admin."
    assert found["Planner"] == (
        "BLOCKED: RunSignUp refuses the key Ridgeline · main: Invalid API secret. (since 05:40:00 EDT, 20 min ago)"
    )


def test_a_paused_key_says_until_when(said, event_of, key, now):
    event = event_of(due_at=now - MINUTE)
    CallBudget.objects.create(
        credential=key, paused_until=now + 12 * MINUTE, rate_per_hour=700, rate_changed_at=now - MINUTE
    )
    ApiUsage.objects.create(credential=key, minute=now - MINUTE, calls=3, throttled=1)

    found = said(event, now)

    assert found["To change"] == "wait until 06:12 EDT: RunSignUp asked the key to pause."
    assert found["Planner"] == ("DEFER: RunSignUp asked the key to pause (paused until 06:12:00 EDT, in 12 min)")
    assert "told to slow down 1 time, paused until 06:12:00 EDT, in 12 min" in found["Key"]


def test_a_finished_event_of_a_refused_key_needs_nobody(said, event_of, key, now):
    event = event_of(starts_at=now - 3 * HOUR)
    EventSync.objects.update(due_at=None, tier=None)
    Credential.objects.update(status=Credential.Status.REFUSED)
    assert said(event, now)["To change"].startswith("nothing.")
