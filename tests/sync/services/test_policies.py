"""The policy as a row: edited as a whole, in force with the next cycle, refused without a trace when it cannot work."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse
from django_q.models import Schedule

from partners.gate import database_now
from sync import tasks
from sync.core.policy import DEFAULT_POLICY, Tier
from sync.models import Cycle, EventSync, Policy
from sync.services.cycles import cycle_run
from sync.services.event_schedule import reschedule
from sync.services.policies import PolicyRefused, policy_now, policy_store
from tests.factories import EventFactory, EventSyncFactory, RaceFactory, UserFactory

pytestmark = pytest.mark.django_db


def row(**changes) -> Policy:
    stored = Policy.objects.get()
    for name, value in changes.items():
        setattr(stored, name, value)
    return stored


def test_a_fresh_installation_has_the_defaults():
    assert policy_now() == DEFAULT_POLICY


def test_a_policy_that_cannot_work_changes_nothing():
    with pytest.raises(PolicyRefused, match="must divide"):
        policy_store(row(medium_period_seconds=400), now=database_now())
    assert policy_now() == DEFAULT_POLICY


def test_a_row_spoilt_past_the_admin_does_not_stop_the_syncs():
    Policy.objects.update(high_cap=0)
    assert policy_now() == DEFAULT_POLICY


def test_the_next_cycle_works_by_the_new_caps():
    for _ in range(6):
        EventSyncFactory(
            event__starts_at=database_now() + timedelta(hours=2),
            tier="HIGH",
            tier_until=database_now() + timedelta(hours=3),
            due_at=database_now() - timedelta(seconds=1),
        )
    policy_store(row(high_cap=4), now=database_now())
    tasks.cycle()
    assert Cycle.objects.get().high_picked == 4


def test_new_leads_re_tier_what_is_scheduled_within_a_cycle():
    now = database_now()
    race = RaceFactory()
    near, far = (EventFactory(race=race, starts_at=now + timedelta(hours=hours)) for hours in (6, 60))
    reschedule(events=[near, far], now=now)
    assert EventSync.objects.get(event=near).tier == Tier.MEDIUM
    policy_store(row(high_lead_minutes=8 * 60, medium_lead_minutes=48 * 60), now=now)
    cycle_run(now=database_now(), call_lanes=False, policy=policy_now())
    assert EventSync.objects.get(event=near).tier == Tier.HIGH
    entering = EventSync.objects.get(event=far).tier_until
    assert abs(entering - (far.starts_at - timedelta(hours=48))) < timedelta(seconds=1)


def test_shorter_periods_bring_forward_what_waits():
    now = database_now()
    waiting = EventSyncFactory(tier="LOW", due_at=now + timedelta(minutes=55), tier_until=now + timedelta(days=3))
    policy_store(row(low_period_seconds=600), now=now)
    waiting.refresh_from_db()
    assert now <= waiting.due_at <= now + timedelta(minutes=10)


def test_a_new_cycle_length_is_the_schedules():
    policy_store(row(cycle_seconds=20), now=database_now())
    assert Schedule.objects.get(name="sync-cycle").cron == "* * * * * */20"


def test_staff_edit_it_in_the_admin_and_the_history_says_old_and_new(client):
    staff = UserFactory(is_staff=True, is_superuser=True)
    client.force_login(staff)
    page = reverse("admin:sync_policy_change", args=[1])
    assert client.get(reverse("admin:sync_policy_changelist")).headers["Location"] == page
    values = {field.name: getattr(row(), field.name) for field in Policy._meta.fields if not field.primary_key}
    refused = client.post(page, {**values, "medium_period_seconds": 420})
    assert "MEDIUM&#x27;s period 420 s must divide LOW&#x27;s 3600 s" in refused.content.decode()
    assert policy_now() == DEFAULT_POLICY
    assert client.post(page, {**values, "high_cap": 60}).status_code == 302
    assert policy_now().high.cap == 60
    entry = LogEntry.objects.get()
    assert (entry.user, entry.change_message) == (staff, "high_cap: 50 → 60")
