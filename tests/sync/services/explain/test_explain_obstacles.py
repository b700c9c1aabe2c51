"""What keeps an event from being synced until somebody does something."""

from __future__ import annotations

from datetime import timedelta

import pytest

from partners.models import Credential
from sync.models import Heartbeat
from sync.services.event_schedule import RACE_OFF, reschedule

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("switch", "change"),
    [
        ("partner", "switch the partner on in the admin."),
        ("key", "resume the key in the admin: staff paused it."),
        ("race", "switch the race on in the admin."),
    ],
)
def test_what_is_switched_off_names_the_switch(said, event_of, key, now, switch, change):
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


def test_an_event_that_is_gone_says_so(said, event_of, now):
    event = event_of()
    event.gone_at = now
    event.save()
    reschedule(events=[event], now=now)
    found = said(event, now)
    assert "does not exist any more" in found["Why"]
    assert "Discovery opens it again" in found["To change"]


def test_a_silent_scheduler_comes_before_everything_that_it_would_have_done(said, event_of, heartbeat, now):
    event = event_of(due_at=now - 3 * HOUR)
    heartbeat.beat_at = now - timedelta(hours=3, minutes=10)
    heartbeat.save()
    found = said(event, now)
    assert found["Why"] == "No cycle runs: the scheduler is silent since 02:50:00 EDT, 3 h 10 min ago."
    assert found["To change"] == "the cluster does not run: start it with manage.py cluster."

    Heartbeat.objects.all().delete()
    assert said(event, now)["Scheduler"] == "silent: it has never run"


def test_a_partner_that_is_off_names_the_key_too(event_of, key, said, now):
    key.partner.is_active = False
    key.partner.save()

    assert said(event_of(due_at=now), now)["Planner"] == "BLOCKED: Ridgeline is switched off (key Ridgeline · main)"


def test_a_silent_scheduler_comes_before_what_the_last_tries_said(event_of, heartbeat, run_of, said, now):
    event = event_of(failures=2, due_at=now - MINUTE)
    run_of(event, now - MINUTE, outcome="failed", error_text="RunSignUp answered with HTTP 500.")
    heartbeat.delete()

    assert said(event, now)["Why"] == "No cycle runs: the scheduler is silent: it has never run."
