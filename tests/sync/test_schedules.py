"""The schedules, and what we rely on of django-q2's own scheduler."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.utils import timezone
from django_q.models import OrmQ, Schedule
from django_q.scheduler import scheduler
from django_q.signing import SignedPackage

from sync.checks import schedules_are_there
from sync.core.policy import DEFAULT_POLICY
from sync.services.schedules import schedule_specs, schedules_ensure, schedules_unstick

pytestmark = pytest.mark.django_db
CYCLE = DEFAULT_POLICY.cycle


def test_every_migrated_database_has_its_schedules():
    assert set(Schedule.objects.values_list("name", flat=True)) >= {spec.name for spec in schedule_specs(cycle=CYCLE)}
    assert schedules_are_there(databases=["default"]) == []


def test_what_is_right_keeps_its_next_run():
    due = timezone.now() + timedelta(hours=3)
    Schedule.objects.update(next_run=due)
    assert schedules_ensure(now=timezone.now(), cycle=CYCLE) == 0
    assert set(Schedule.objects.values_list("next_run", flat=True)) == {due}


def test_what_is_missing_doubled_or_altered_is_mended():
    Schedule.objects.filter(name="discoveries").delete()
    Schedule.objects.filter(name="sync-cycle").update(cron="0 0 * * *", args="not python")
    Schedule.objects.create(name="sync-cycle", func="sync.tasks.cycle", schedule_type=Schedule.CRON, cron="* * * * *")
    missing = schedules_are_there(databases=["default"])
    assert [message.id for message in missing] == ["sync.W001"]
    assert "discoveries" in missing[0].msg
    assert schedules_ensure(now=timezone.now(), cycle=CYCLE) >= 3
    assert Schedule.objects.filter(name="sync-cycle").count() == 1
    cycle = Schedule.objects.get(name="sync-cycle")
    assert (cycle.cron, cycle.args) == ("* * * * * */10", None)
    assert schedules_are_there(databases=["default"]) == []


@pytest.mark.django_db(transaction=True)
def test_a_due_slot_is_queued_once_with_the_time_it_stands_for():
    slot = timezone.now().replace(microsecond=0) - timedelta(seconds=5)
    Schedule.objects.exclude(name="sync-cycle").delete()
    Schedule.objects.update(next_run=slot)
    OrmQ.objects.all().delete()
    scheduler()
    scheduler()
    (queued,) = OrmQ.objects.all()
    task = SignedPackage.loads(queued.payload)
    assert task["func"] == "sync.tasks.cycle"
    assert datetime.fromisoformat(task["kwargs"]["intended"]) == slot
    following = Schedule.objects.get(name="sync-cycle").next_run
    assert timezone.now() - timedelta(seconds=1) < following <= timezone.now() + timedelta(seconds=10)
    assert following.second % 10 == 0


def test_fault_16_a_slot_that_a_wrong_clock_put_into_the_future_comes_now():
    now = timezone.now()
    Schedule.objects.filter(name="sync-cycle").update(next_run=now + timedelta(hours=1))
    Schedule.objects.filter(name="discoveries").update(next_run=now + timedelta(seconds=50))
    assert schedules_unstick(now=now) == 1
    assert Schedule.objects.get(name="sync-cycle").next_run == now


def test_what_comes_once_a_day_is_not_stuck_when_it_is_hours_away():
    now = timezone.now()
    Schedule.objects.filter(name="prune").update(next_run=now + timedelta(hours=23))
    assert schedules_unstick(now=now) == 0
    Schedule.objects.filter(name="prune").update(next_run=now + timedelta(days=3))
    assert schedules_unstick(now=now) == 1
