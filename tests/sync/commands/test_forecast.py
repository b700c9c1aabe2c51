"""`manage.py forecast`: a table for people, JSON for programs."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from itertools import pairwise

import pytest
from django.core.management import CommandError, call_command

from partners.models import CallBudget, Credential
from sync.services.event_schedule import reschedule
from tests.factories import CredentialFactory, EventFactory, RaceFactory, TimingPartnerFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock(monkeypatch, now):
    monkeypatch.setattr("sync.management.commands.forecast.database_now", lambda: now)
    monkeypatch.setattr("partners.gate.database_now", lambda: now)


@pytest.fixture
def key(now):
    key = CredentialFactory(partner=TimingPartnerFactory(name="Ridgeline", slug="ridgeline"))
    events = [EventFactory(race=RaceFactory(credential=key), starts_at=now + timedelta(hours=12)) for _ in range(20)]
    reschedule(events=events, now=now)
    return key


def forecast(*arguments: str) -> str:
    out = io.StringIO()
    call_command("forecast", *arguments, stdout=out)
    return out.getvalue()


def test_each_key_has_its_colour_its_busiest_hour_and_what_will_be_late(key):
    CredentialFactory(partner__name="Quiet")
    said = forecast()
    assert (
        "Ridgeline · main  red     Saturday 14:00 EDT, 1,440 calls wanted (956 of 1,000 an hour usable; 20 events)"
        in said
    )
    assert "Saturday 14:00–19:00 EDT: 1,440 calls/h wanted (20 races), 1,000 allowed; race-day races" in said
    assert "Quiet · main      green   none in the next 14 days" in said


def test_it_says_that_it_is_a_lower_bound(key):
    assert "Events that are not known yet come on top" in forecast()


def test_only_the_keys_of_a_partner_and_only_so_many_days(key):
    CredentialFactory(partner__name="Quiet")
    said = forecast("--partner", "ridgeline", "--days", "1")
    assert "Quiet" not in said
    assert said.startswith("The next 1 day, each key in its partner's zone.")


def test_a_key_that_may_not_call_or_was_slowed_down_says_so(key, now):
    CallBudget.objects.create(credential=key, rate_per_hour=700, rate_changed_at=now)
    assert "Right now RunSignUp has slowed it down to 700 calls an hour." in forecast()
    Credential.objects.update(status=Credential.Status.PAUSED)
    assert "It makes no call now: the key Ridgeline · main is paused by staff." in forecast()


def test_json_holds_the_intervals_without_gaps(key, now):
    document = json.loads(forecast("--json"))

    assert document["lower_bound"] is True
    assert document["begins"] == now.isoformat()
    (found,) = document["keys"]
    assert (found["partner"], found["key"], found["colour"], found["limit"]) == ("ridgeline", "main", "red", 1000)
    assert found["busiest_hour"] == {
        "begins": "2026-06-06T18:00:00+00:00",
        "ends": "2026-06-06T19:00:00+00:00",
        "wanted": 1440.0,
    }
    intervals = found["intervals"]
    assert [each["races"]["HIGH"] for each in intervals] == [0, 20, 0]
    assert intervals[1]["high_period_seconds"] == pytest.approx(82.8)
    assert all(one["ends"] == two["begins"] for one, two in pairwise(intervals))
    assert intervals[-1]["ends"] == document["ends"]


def test_without_a_key_it_says_how_to_get_one():
    assert "manage.py onboard" in forecast()
    assert json.loads(forecast("--json"))["keys"] == []


def test_an_unknown_partner_ends_with_code_2(key):
    with pytest.raises(CommandError, match=r"no partner 'nobody'\. Known: ridgeline") as error:
        forecast("--partner", "nobody")
    assert error.value.returncode == 2


@pytest.mark.parametrize("days", ["0", "-1", "367", "soon", "1.5"])
def test_a_number_of_days_that_cannot_be_ends_with_code_2(days):
    with pytest.raises(CommandError, match="is not a number of days from 1 to 366"):
        forecast(f"--days={days}")


def test_the_help_documents_the_json(capsys):
    with pytest.raises(SystemExit):
        call_command("forecast", "--help")
    said = capsys.readouterr().out
    for name in ("generated_at", "lower_bound", "busiest_hour", "wanted_per_hour", "high_period_seconds"):
        assert name in said
    assert "Exit code 0" in said
