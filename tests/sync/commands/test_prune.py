"""`manage.py prune`, the nightly task, and RETENTION_MONTHS."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from django_q.models import OrmQ, Schedule
from django_q.signing import SignedPackage

from races.models import Event, Participant
from sync import tasks
from sync.management.commands import prune
from sync.services import pruning
from sync.services.schedules import schedules_ensure
from tests.factories import EventFactory, ParticipantFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock(monkeypatch, now):
    monkeypatch.setattr("sync.management.commands.prune.database_now", lambda: now)
    monkeypatch.setattr("sync.tasks.database_now", lambda: now)


@pytest.fixture
def old_event(now):
    event = EventFactory(name="10K", starts_at=now - timedelta(days=740), provider_event_id=701_234)
    ParticipantFactory(event=event, email="ada@example.test", raw="{}")
    return event


def say(*arguments: str) -> str:
    out = io.StringIO()
    call_command("prune", *arguments, stdout=out)
    return out.getvalue()


def test_a_dry_run_says_what_would_be_blanked_and_changes_nothing(old_event):
    said = say("--dry-run")

    assert "Contact data is kept for 24 months: until 2024-06-06 is long over." in said
    assert "1 event with 1 people would be blanked" in said
    assert f"2024-05-27  701234  10K of {old_event.race.name}" in said
    assert Participant.objects.get().email == "ada@example.test"


def test_it_says_what_was_blanked_and_a_second_time_that_nothing_was(old_event):
    assert "1 event with 1 people blanked" in say()
    assert Participant.objects.get().email == ""
    assert "0 events with 0 people blanked" in say()


def test_zero_keeps_everything_and_says_so(old_event, settings):
    settings.RETENTION_MONTHS = 0

    said = say()

    assert "RETENTION_MONTHS is 0: everything is kept for ever." in said
    assert Participant.objects.get().email == "ada@example.test"


def test_an_event_that_is_open_again_is_named_with_what_brings_its_data_back(old_event, settings):
    say()
    settings.RETENTION_MONTHS = 60

    assert "a backfill loads their contact data from RunSignUp again" in say()


def test_people_whose_event_has_no_date_are_not_passed_over_in_silence():
    ParticipantFactory(event=EventFactory(starts_at=None))

    assert "1 event with people and without a date cannot count as over." in say("--dry-run")


def test_progress_is_shown_while_it_works(old_event, monkeypatch):
    monkeypatch.setattr(prune, "LINE_EVERY", 0.0)

    assert "prune: 1 of 1 events, 1 of 1 people" in say()


def test_ctrl_c_says_how_to_go_on(old_event, monkeypatch):
    def interrupted(**_options):
        raise KeyboardInterrupt

    monkeypatch.setattr(prune, "retention_apply", interrupted)
    with pytest.raises(CommandError, match="goes on from here") as ended:
        say()
    assert ended.value.returncode == 130


def test_the_night_queues_one_task_with_the_lanes_and_that_blanks(old_event):
    OrmQ.objects.all().delete()
    tasks.prune()
    (queued,) = OrmQ.objects.all()
    assert (queued.key, SignedPackage.loads(queued.payload)["func"]) == ("sync", "sync.tasks.prune_events")

    tasks.prune_events()

    assert Event.objects.get().blanked_at is not None
    assert OrmQ.objects.count() == 1


def test_what_was_not_reached_in_its_minutes_goes_on_in_the_next_task(old_event, now, monkeypatch):
    ParticipantFactory(event=EventFactory(starts_at=now - timedelta(days=800)), email="bo@example.test")
    monkeypatch.setattr(pruning, "SECONDS_AT_ONCE", -1.0)
    OrmQ.objects.all().delete()

    tasks.prune_events()
    assert OrmQ.objects.count() == 1
    tasks.prune_events()

    assert OrmQ.objects.count() == 1
    assert not Event.objects.filter(blanked_at=None).exists()


def test_a_mended_schedule_waits_for_its_quiet_hour(now):
    Schedule.objects.filter(name="prune").update(cron="* * * * *")

    assert schedules_ensure(now=now, cycle=timedelta(seconds=10)) == 1

    assert Schedule.objects.get(name="prune").next_run == now.replace(hour=3, minute=20) + timedelta(days=1)


def test_a_new_schedule_waits_for_its_quiet_hour_too():
    Schedule.objects.filter(name="prune").delete()

    schedules_ensure(now=timezone.now(), cycle=timedelta(seconds=10))

    night = Schedule.objects.get(name="prune").next_run
    assert (night.hour, night.minute) == (3, 20)
