"""`manage.py receipt`: one sentence and a line per day, or JSON."""

from __future__ import annotations

import io
import json
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command

from sync.models import SyncRun
from tests.factories import CredentialFactory, EventFactory, RaceFactory, TimingPartnerFactory

pytestmark = pytest.mark.django_db

START = datetime(2026, 6, 6, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    def set_to(at: datetime) -> None:
        monkeypatch.setattr("sync.management.commands.receipt.database_now", lambda: at)

    set_to(START + timedelta(hours=2))
    return set_to


@pytest.fixture
def event():
    key = CredentialFactory(partner=TimingPartnerFactory(name="Ridgeline", slug="ridgeline"))
    race = RaceFactory(credential=key, provider_race_id=974_559, name="Harbor Lights")
    event = EventFactory(race=race, provider_event_id=701_234, name="5K", starts_at=START)
    medium = [START - timedelta(hours=24) + timedelta(minutes=5 * each) for each in range(240)]
    high = [START - timedelta(hours=4) + timedelta(minutes=each) for each in range(299)]
    SyncRun.objects.bulk_create(
        SyncRun(event=event, visit=uuid.uuid4(), started_at=at, outcome="ok", added=at == high[-2])
        for at in (*medium, *high)
    )
    return event


def said(*arguments: str) -> str:
    out = io.StringIO()
    call_command("receipt", *arguments, stdout=out)
    return out.getvalue()


def test_the_sentence_and_a_line_per_day(event):
    assert said("701234").splitlines() == [
        "5K (701234) of Harbor Lights (974559), Ridgeline (ridgeline)",
        "planned 540, done 539, longest gap 2 min at 08:58 EDT (the reason is not recorded), last change 08:57 EDT",
        "Last hours Fri Jun 5, 08:00 EDT – 09:00 EDT",
        "Fri 2026-06-05  planned 192, done 192, longest gap 5 min at Fri Jun 5, 23:55 EDT",
        "Sat 2026-06-06  planned 348, done 347, longest gap 2 min at 08:58 EDT (the reason is not recorded)",
    ]


def test_json_for_programs(event):
    document = json.loads(said("701234", "--json"))
    assert (document["event"], document["race"], document["partner"]) == (701_234, 974_559, "ridgeline")
    assert (document["planned"], document["planned_in_all"], document["done"]) == (540, 540, 539)
    assert document["is_over"] is True
    assert document["longest_gap"] == {
        "seconds": 120.0,
        "at": "2026-06-06T12:58:00+00:00",
        "cause": "the reason is not recorded",
    }
    assert document["last_change"] == "2026-06-06T12:57:00+00:00"
    assert [(day["day"], day["planned"], day["done"]) for day in document["days"]] == [
        ("2026-06-05", 192, 192),
        ("2026-06-06", 348, 347),
    ]


def test_an_event_that_is_not_over_says_so_far(event, clock):
    clock(START)
    SyncRun.objects.filter(started_at__gte=START).delete()
    assert said("701234").splitlines()[1].startswith("so far planned 480, done 480, longest gap 60 s")


def test_before_the_last_hours_it_says_when_they_begin(event, clock):
    clock(START - timedelta(days=2))
    with pytest.raises(CommandError, match="its last hours begin at Fri Jun 5, 08:00 EDT") as refused:
        said("701234")
    assert refused.value.returncode == 1


def test_an_event_without_any_record_or_start_says_so(event):
    SyncRun.objects.all().delete()
    with pytest.raises(CommandError, match="nothing of its last hours is recorded"):
        said("701234")
    event.starts_at = None
    event.save()
    with pytest.raises(CommandError, match="no usable start"):
        said("701234")


@pytest.mark.parametrize("number", ["974559", "1"])
def test_what_is_no_event_is_a_wrong_argument(event, number):
    with pytest.raises(CommandError) as refused:
        said(number)
    assert refused.value.returncode == 2
