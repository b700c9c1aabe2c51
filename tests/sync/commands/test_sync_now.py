"""`manage.py sync_now`: a race or an event by RunSignUp's number, now, in words."""

from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command

from partners.models import AuditEntry, Credential
from races.models import Participant, Race
from sync.models import EventSync
from sync.services.leases import lane_claim
from tests.factories import EventFactory, RaceFactory
from tests.sync.provider_stage import Stage, assert_mirror_is_truth, from_now, refill

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def race(stage: Stage):
    """The provider's race, with two events."""
    race = stage.add_race(starts=[from_now(hours=2)] * 2)
    stage.discover()
    return race


def sync_now(*arguments: object) -> str:
    out = io.StringIO()
    call_command("sync_now", *map(str, arguments), stdout=out)
    return out.getvalue()


def refused(*arguments: object) -> tuple[str, int]:
    with pytest.raises(CommandError) as error:
        sync_now(*arguments)
    return str(error.value), error.value.returncode


def test_a_race_is_synced_with_all_its_events(race, stage):
    said = sync_now(race.race_id)
    for event in race.events:
        assert f"{event.name} ({event.event_id}): ok, 3 fetched, +3 ~0 -0, 0 rejected, 1 calls" in said
    assert_mirror_is_truth(stage.world)


def test_an_event_is_synced_alone(race, stage):
    EventSync.objects.update(due_at="2100-01-01T00:00Z")
    said = sync_now(race.events[1].event_id)
    assert f"({race.events[1].event_id}): ok" in said
    assert f"({race.events[0].event_id})" not in said
    assert Participant.objects.count() == 3
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.detail) == ("sync_asked", {"events": 1})
    assert entry.address.startswith("command line of ")


def test_an_id_that_nobody_knows_ends_with_code_2(race):
    text, code = refused(17)
    assert code == 2
    assert text == "No race or event has the id 17. Run manage.py discover if it is new at RunSignUp."


def test_an_id_of_two_partners_asks_for_the_partner(race, stage):
    other = RaceFactory(provider_race_id=race.race_id)
    EventFactory(race=other, provider_event_id=race.events[0].event_id)
    for number in (race.race_id, race.events[0].event_id):
        text, code = refused(number)
        assert code == 2
        assert "exists under several partners" in text
    assert ": ok" in sync_now(race.events[0].event_id, "--partner", stage.key.partner.slug)


def test_a_blocked_key_ends_with_code_1_and_its_reason(race, stage):
    Credential.objects.update(status=Credential.Status.REFUSED, status_detail="error 6")
    text, code = refused(race.race_id)
    assert code == 1
    assert text.startswith("Not synced: RunSignUp refuses the key")
    assert stage.calls() == []


def test_a_race_that_is_switched_off_ends_with_code_1(race):
    Race.objects.update(sync_enabled=False)
    text, code = refused(race.race_id)
    assert code == 1
    assert "switched off" in text


def test_a_sync_that_failed_ends_with_code_1_and_says_why(race, stage, capsys):
    stage.world.faults.add(endpoint="participants", status=500)
    out = io.StringIO()
    with pytest.raises(CommandError, match="Not everything was synced: see above") as error:
        call_command("sync_now", str(race.race_id), stdout=out)
    assert error.value.returncode == 1
    assert "failed" in out.getvalue()
    assert "RunSignUp is unavailable (HTTP 500)" in out.getvalue()


def test_without_budget_it_ends_with_code_1_and_the_events_stay_due(race):
    refill(free=0)
    text, code = refused(race.race_id)
    assert code == 1
    assert text.startswith("Not synced now: the key has 0 calls free, too few for HIGH. It stays due.")


def test_a_busy_lane_takes_it_over(race, stage):
    lane_claim(stage.key.pk)
    said = sync_now(race.race_id)
    assert "takes it over" in said
    assert EventSync.objects.filter(picked_at__isnull=False).count() == 2


def test_help_names_the_exit_codes(capsys):
    with pytest.raises(SystemExit):
        call_command("sync_now", "--help")
    said = " ".join(capsys.readouterr().out.split())
    assert "RACE|EVENT" in said
    assert "2: no such race or event" in said
