"""`manage.py explain`: one screen about one event, now or at an earlier moment."""

from __future__ import annotations

import io
import uuid
from datetime import datetime, timedelta

import pytest
from django.core.management import CommandError, call_command

from sync.models import EventSync, Heartbeat, SyncRun
from sync.services.event_schedule import reschedule
from tests.factories import CredentialFactory, EventFactory, RaceFactory, TimingPartnerFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock(monkeypatch, now):
    def set_to(at: datetime) -> None:
        monkeypatch.setattr("sync.management.commands.explain.database_now", lambda: at)
        monkeypatch.setattr("partners.gate.database_now", lambda: at)

    set_to(now)
    return set_to


@pytest.fixture
def event(now):
    Heartbeat.objects.create(name="cycle", beat_at=now - timedelta(seconds=4))
    key = CredentialFactory(partner=TimingPartnerFactory(name="Ridgeline", slug="ridgeline"))
    race = RaceFactory(credential=key, provider_race_id=974_559, name="Harbor Lights")
    event = EventFactory(race=race, provider_event_id=701_234, name="5K", starts_at=now + timedelta(hours=2))
    reschedule(events=[event], now=now)
    EventSync.objects.update(due_at=now + timedelta(seconds=20), checked_at=now - timedelta(seconds=40))
    for ago in (40, 100):
        started = now - timedelta(seconds=ago)
        SyncRun.objects.create(event=event, visit=uuid.uuid4(), started_at=started, outcome="unchanged", calls=1)
    return event


def explain(*arguments: str) -> str:
    out = io.StringIO()
    call_command("explain", *arguments, stdout=out)
    return out.getvalue()


def test_one_screen_answers_why(event):
    said = explain("701234")
    lines = said.splitlines()
    assert lines[0] == "5K (701234) of Harbor Lights (974559), Ridgeline (ridgeline)"
    assert lines[1] == "Why        Its next sync is due at 06:00:20 EDT (10:00:20 UTC), in 20 s."
    assert lines[2] == "To change  nothing: it is due at 06:00:20 EDT (10:00:20 UTC)."
    assert [line[:11].strip() for line in lines[3:13]] == [
        "Start", "Tier", "Due", "List", "Compared", "Failures", "Planner", "Key", "Pace", "Scheduler",
    ]  # fmt: skip
    assert lines[13] == "Last runs"
    assert lines[14] == "  05:59:20 EDT (09:59:20 UTC): no change, 1 call, 60 s after the one before"
    assert len(lines) <= 24


def test_an_event_without_runs_says_none(event):
    SyncRun.objects.all().delete()
    assert explain("701234").endswith("Last runs: none\n")


def test_an_earlier_moment_of_today_in_the_zone_of_the_race(event):
    said = explain("701234", "--at", "05:59")
    assert "At         05:59:00 EDT (09:59:00 UTC), 60 s ago" in said
    assert "Gap        synced 05:58:20 EDT (09:58:20 UTC), then 05:59:20 EDT (09:59:20 UTC): 60 s without" in said
    assert (
        "Runs around it\n"
        "  05:59:20 EDT (09:59:20 UTC): no change, 1 call, 60 s after the one before\n"
        "  — 05:59:00 EDT (09:59:00 UTC) —\n"
        "  05:58:20 EDT (09:58:20 UTC): no change, 1 call\n"
    ) in said


@pytest.mark.parametrize("text", ["2026-06-06T05:59", "2026-06-06T09:59Z", "2026-06-06T03:59-06:00"])
def test_a_whole_time_with_or_without_an_offset(event, text):
    assert "At         05:59:00 EDT (09:59:00 UTC)" in explain("701234", "--at", text)


def test_a_time_that_the_clocks_pass_twice_is_the_first_of_the_two(event, clock):
    clock(datetime.fromisoformat("2026-11-01T10:00Z"))
    assert "At         01:30:00 EDT (05:30:00 UTC)" in explain("701234", "--at", "01:30")


@pytest.mark.parametrize(
    ("text", "problem"), [("06:01", "lies ahead"), ("soon", "is not a time"), ("25:00", "is not a time"), ("", "not a")]
)
def test_a_time_that_cannot_be_ends_with_code_2(event, text, problem):
    with pytest.raises(CommandError, match=problem) as error:
        explain("701234", "--at", text)
    assert error.value.returncode == 2


def test_an_unknown_event_ends_with_code_2(event):
    with pytest.raises(CommandError, match="No race or event has the id 99") as error:
        explain("99")
    assert error.value.returncode == 2


def test_a_race_is_answered_with_its_events(event):
    with pytest.raises(CommandError, match=r"974559 is a race: name one of its events \(701234 5K\)") as error:
        explain("974559")
    assert error.value.returncode == 2


def test_an_id_of_two_partners_needs_the_partner(event):
    EventFactory(race=RaceFactory(provider_race_id=974_559), provider_event_id=701_234)
    with pytest.raises(CommandError, match="add --partner SLUG") as error:
        explain("701234")
    assert error.value.returncode == 2
    assert "Ridgeline (ridgeline)" in explain("701234", "--partner", "ridgeline")


def test_names_are_data_not_markup(event):
    event.name = "[bold]5K[/bold]"
    event.save()
    assert explain("701234").startswith("[bold]5K[/bold] (701234)")
