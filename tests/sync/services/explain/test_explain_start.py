"""The start, the tier that follows from it, and its boundaries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sync.models import EventSync

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def test_a_start_without_a_time_of_day_says_what_it_is_taken_for(said, event_of, now):
    event = event_of(starts_at=datetime(2026, 6, 7, 4, 0, tzinfo=UTC), is_placeholder=True)
    found = said(event, now)
    assert found["Start"] == (
        "RunSignUp gives no time of day: taken as between Sun Jun 7, 04:00 EDT and Sun Jun 7, 14:00 EDT; "
        "zone America/New_York"
    )
    assert found["Tier"] == (
        "MEDIUM since 04:00 EDT, 24 h before the earliest start, until Sun Jun 7, 00:00 EDT: every 5 min"
    )


def test_an_event_without_any_start_stays_low(said, event_of, now):
    event = event_of(starts_at=None)
    found = said(event, now)
    assert found["Start"] == "RunSignUp gives no usable start; zone America/New_York"
    assert found["Tier"] == "LOW: without a start it never becomes more urgent; every 1 h"


def test_a_race_without_a_zone_says_which_is_taken(said, event_of, now):
    event = event_of()
    event.race.timezone = "Mars/Olympus"
    event.race.save()
    assert said(event, now)["Start"].endswith("zone Mars/Olympus, taken as America/New_York")


def test_a_tier_that_the_next_cycle_changes_is_said(said, event_of, now):
    event = event_of(starts_at=now + 4 * HOUR)
    EventSync.objects.update(tier="MEDIUM")
    assert said(event, now)["Tier"].endswith("; the schedule still says MEDIUM, the next cycle changes that")


def test_on_a_day_of_a_clock_change_the_boundaries_stay_hours_apart(said, event_of, heartbeat):
    # 2026-11-01: 02:00 EDT becomes 01:00 EST. A start at 05:30 EST is HIGH from 01:30 EST on.
    event = event_of(starts_at=datetime(2026, 11, 1, 10, 30, tzinfo=UTC))
    at = datetime(2026, 11, 1, 5, 45, tzinfo=UTC)
    EventSync.objects.update(tier="MEDIUM", due_at=at + MINUTE)
    found = said(event, at)
    assert found["Tier"] == ("MEDIUM since Sat Oct 31, 06:30 EDT, 24 h before the start, until 01:30 EST: every 5 min")
    assert found["Due"] == "01:46:00 EDT, in 60 s"


def test_a_finished_event_says_when_its_syncs_ended_and_how_to_get_one_more(said, event_of, now):
    event = event_of(starts_at=now - 3 * HOUR)
    EventSync.objects.update(due_at=None, tier=None)
    found = said(event, now)
    assert found["Why"] == "Automatic syncs ended at 04:00 EDT, 1 h after the start."
    assert found["To change"] == f"nothing. manage.py sync_now {event.provider_event_id} syncs it once more."
    assert found["Tier"] == "none: HIGH ended at 04:00 EDT, 1 h after the start"
    assert found["Pace"] == "none: the event is over"
