"""Discovery over HTTP against the sandbox: what it stores, what it schedules, how it fails."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone
from django_q.models import OrmQ

from partners.gate import database_now
from partners.models import ApiUsage, CallBudget, Credential
from partners.runsignup.sandbox import build_world
from races.models import Event, Race
from sync import tasks
from sync.models import EventSync
from sync.services import discovery
from sync.services.discovery import CLAIM_LASTS, FAILED_WAITS, discoveries_start, discovery_run
from sync.services.event_schedule import reschedule
from sync.services.key_releases import key_release
from tests.factories import CredentialFactory, EventFactory, EventSyncFactory, RaceFactory
from tests.partners.sandbox_keys import first_key, secret_of, serve, small_world

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world():
    return small_world()


@pytest.fixture(autouse=True)
def provider(world, settings):
    with serve(world) as server:
        settings.RUNSIGNUP_URL = server.url
        yield server


@pytest.fixture
def credential(world):
    key = first_key(world)
    return CredentialFactory(api_key=key.key, api_secret=secret_of(key))


def discover(credential, **options):
    report = discovery_run(credential_id=credential.pk, now=database_now(), **options)
    credential.refresh_from_db()
    return report


def listed(world, credential) -> list:
    return [world.races[race_id] for race_id in world.keys[credential.api_key].race_ids]


def an_answer(races: list[dict]) -> str:
    return json.dumps({"races": [{"race": race} for race in races]})


def a_race(race_id: int, **fields) -> dict:
    return {"race_id": race_id, "name": f"Race {race_id}", "timezone": "America/New_York", "events": []} | fields


def test_all_races_of_the_key_are_stored_with_their_events_in_the_schedule(world, credential):
    report = discover(credential)
    races = listed(world, credential)
    assert set(Race.objects.values_list("provider_race_id", flat=True)) == {race.race_id for race in races}
    assert (report.problem, report.races, report.calls) == ("", len(races), 1)
    assert Event.objects.count() == report.events == report.events_added
    assert EventSync.objects.count() == Event.objects.count()
    upcoming = EventSync.objects.filter(event__starts_at__gt=timezone.now())
    assert upcoming.exists()
    assert not upcoming.filter(due_at=None).exists()


def test_a_race_that_was_over_long_ago_is_found_too_and_owes_no_visit(settings):
    world = build_world(seed=7, keys=2, races=40, events=80, participants=80)
    over = next(race for race in world.races.values() if _ended_before(race, timezone.now() - timedelta(days=7)))
    key = next(key for key in world.keys.values() if over.race_id in key.race_ids)
    with serve(world) as server:
        settings.RUNSIGNUP_URL = server.url
        discover(CredentialFactory(api_key=key.key, api_secret=secret_of(key)))
    events = EventSync.objects.filter(event__race__provider_race_id=over.race_id)
    assert events.exists()
    assert not events.exclude(due_at=None).exists()


def _ended_before(race, moment: datetime) -> bool:
    return all(event.starts_at and event.starts_at < moment for event in race.listed_events)


def test_a_second_discovery_of_the_same_answer_changes_nothing(credential):
    discover(credential)
    before = list(EventSync.objects.order_by("pk").values())
    report = discover(credential)
    assert (report.races_added, report.events_added, report.events_changed, report.scheduled) == (0, 0, 0, 0)
    assert list(EventSync.objects.order_by("pk").values()) == before


def test_a_start_that_moved_changes_the_tier_at_once(world, credential):
    discover(credential)
    event = Event.objects.filter(sync__tier__isnull=False, race__timezone__gt="").first()

    def starts_in(**offset):
        start = (timezone.now() + timedelta(**offset)).astimezone(ZoneInfo(event.race.timezone))
        world.events[event.provider_event_id].start_time = f"{start.month}/{start.day}/{start.year} {start:%H:%M}"

    starts_in(days=9)
    discover(credential)
    assert EventSync.objects.get(event=event).tier == "LOW"
    starts_in(hours=2)
    assert discover(credential).events_changed == 1
    assert EventSync.objects.get(event=event).tier == "HIGH"


def test_a_race_that_is_not_listed_any_more_stays_as_it_was(world, credential):
    discover(credential)
    before = list(Race.objects.order_by("pk").values("pk", "gone_at", "name"))
    world.faults.add(endpoint="races", body='{"races":[]}')
    assert discover(credential).problem == ""
    assert list(Race.objects.order_by("pk").values("pk", "gone_at", "name")) == before


def test_the_time_of_the_last_discovery_is_set_after_an_error_free_one_only(world, credential):
    world.faults.add(endpoint="races", status=502, html=True, calls=1)
    assert "RunSignUp is unavailable" in discover(credential).problem
    assert credential.discovered_at is None
    Credential.objects.update(discovery_claimed_until=None)
    began = database_now()
    assert discover(credential).problem == ""
    assert credential.discovered_at >= began
    assert credential.discovery_claimed_until is None


def test_a_failed_discovery_waits_a_few_minutes(world, credential):
    world.faults.add(endpoint="races", status=502, html=True)
    now = database_now()
    assert discovery_run(credential_id=credential.pk, now=now).problem
    assert discovery_run(credential_id=credential.pk, now=now + FAILED_WAITS - timedelta(seconds=1)) is None
    assert discovery_run(credential_id=credential.pk, now=now + FAILED_WAITS).problem


def test_one_discovery_of_a_key_at_a_time(credential):
    now = database_now()
    Credential.objects.update(discovery_claimed_until=now + timedelta(minutes=1))
    assert discovery_run(credential_id=credential.pk, now=now) is None
    assert not ApiUsage.objects.exists()
    # The one that held the claim was killed: its claim ends.
    assert discovery_run(credential_id=credential.pk, now=now + CLAIM_LASTS).problem == ""


def test_a_task_that_was_queued_twice_asks_once(world, credential):
    asked_at = database_now().isoformat()
    tasks.discovery(credential.pk, asked_at)
    tasks.discovery(credential.pk, asked_at)
    assert len(world.ledger.calls()) == 1
    tasks.discovery(credential.pk, database_now().isoformat())
    assert len(world.ledger.calls()) == 2


def test_who_was_overtaken_stores_nothing_and_leaves_the_others_claim(credential, monkeypatch):
    theirs = database_now() + timedelta(minutes=9)
    whole = discovery.paging.all_races

    def overtaken(client, *, start_date):
        pages = list(whole(client, start_date=start_date))
        Credential.objects.update(discovery_claimed_until=theirs)
        return iter(pages)

    monkeypatch.setattr(discovery.paging, "all_races", overtaken)
    report = discover(credential)
    assert report.problem == "Another discovery of this key took over."
    assert not Race.objects.exists()
    assert (credential.discovered_at, credential.discovery_claimed_until) == (None, theirs)


def test_a_key_that_is_refused_twice_stops_and_says_why(world, credential):
    world.faults.add(endpoint="races", error=6)
    report = discover(credential)
    assert "Asked twice: the key is not used until somebody verifies it." in report.problem
    assert credential.status == Credential.Status.REFUSED
    assert "does not accept this API key and secret" in credential.status_detail
    # And is not asked again.
    calls = len(world.ledger.calls())
    assert "RunSignUp refuses the key" in discover(credential).problem
    assert len(world.ledger.calls()) == calls == 2


def test_a_single_refusal_does_not_stop_a_key(world, credential):
    world.faults.add(endpoint="races", error=6, calls=1)
    assert discover(credential).problem
    assert credential.status == Credential.Status.OK


def test_throttling_slows_the_key_down_and_keeps_what_is_stored(world, credential):
    discover(credential)
    races = Race.objects.count()
    world.faults.add(endpoint="races", error=14)
    assert "slow down" in discover(credential).problem
    assert Race.objects.count() == races
    assert CallBudget.objects.get(credential=credential).rate_per_hour == 700


def test_a_discovery_that_finds_no_call_free_comes_back_when_there_are(world, credential):
    now = database_now()
    CallBudget.objects.create(credential=credential, paused_until=now + timedelta(minutes=55))
    report = discover(credential)
    assert report.problem.startswith("The key may not call now: the provider asked this key to pause until ")
    assert len(world.ledger.calls()) == report.calls == 0
    assert credential.discovery_claimed_until > now + timedelta(minutes=50)


def test_nothing_of_the_public_catalogue_is_imported(world, credential):
    for first in (1, 1001, 2001):
        races = [a_race(number) for number in range(first, first + 1000)]
        world.faults.add(endpoint="races", body=an_answer(races), calls=1)
    report = discover(credential)
    assert "public catalogue" in report.problem
    assert not Race.objects.exists()


def test_one_bad_race_does_not_stop_the_others(world, credential):
    races = [a_race(1), a_race(2) | {"name": {"no": "text"}}, a_race(3)]
    world.faults.add(endpoint="races", body=an_answer(races))
    report = discover(credential)
    assert set(Race.objects.values_list("provider_race_id", flat=True)) == {1, 3}
    assert ["Race 2" in text for text in report.rejected] == [True]
    assert credential.discovered_at is not None


def test_a_bug_of_ours_is_reported_and_gives_the_claim_an_end(credential, monkeypatch):
    def fail(**_arguments):
        raise KeyError("starts_at")

    monkeypatch.setattr(discovery, "races_store", fail)
    report = discover(credential)
    assert report.problem == "Project88 failed here (KeyError). Staff find the details in the log."
    assert credential.discovery_claimed_until <= database_now() + FAILED_WAITS


@pytest.mark.parametrize("fields", [{"status": "paused"}, {"status": "refused"}])
def test_a_key_that_may_not_be_used_is_not_asked(world, credential, fields):
    Credential.objects.update(**fields)
    assert "Not looked for races" in discover(credential).problem
    assert len(world.ledger.calls()) == 0


def test_progress_is_told_after_each_page(credential):
    seen = []
    discover(credential, progress=seen.append)
    assert [(report.pages, report.calls) for report in seen] == [(1, 1)]


def queued() -> list[int]:
    return [task.task["args"][0] for task in OrmQ.objects.order_by("pk")]


def test_due_keys_are_queued_beside_the_lanes_new_ones_first():
    now = database_now()
    older = CredentialFactory(discovered_at=now - timedelta(days=2))
    new = CredentialFactory()
    CredentialFactory(discovered_at=now)
    assert discoveries_start(now=now) == queued() == [new.pk, older.pk]
    task = OrmQ.objects.first()
    assert (task.key, task.task["func"]) == ("sync", "sync.tasks.discovery")


def test_keys_that_may_not_call_or_are_being_looked_at_are_not_queued():
    now = database_now()
    CredentialFactory(status="refused")
    CredentialFactory(status="paused")
    CredentialFactory(partner__is_active=False)
    CredentialFactory(discovery_claimed_until=now + timedelta(minutes=1))
    assert discoveries_start(now=now) == []


def test_a_thousand_due_keys_do_not_fill_the_queue_of_the_lanes():
    CredentialFactory.create_batch(discovery.STARTED_AT_ONCE + 3)
    tasks.discoveries()
    assert len(queued()) == discovery.STARTED_AT_ONCE


def test_looking_what_is_due_costs_one_query(django_assert_num_queries):
    CredentialFactory.create_batch(20, discovered_at=database_now())
    now = database_now()
    with django_assert_num_queries(1):
        discoveries_start(now=now)


def test_events_of_a_key_that_works_again_do_not_wait_out_their_back_off():
    now = database_now()
    late = EventSyncFactory(failures=6, due_at=now + timedelta(hours=3), tier="LOW")
    same_key = EventFactory(race=RaceFactory(credential=late.credential))
    fine = EventSyncFactory(event=same_key, failures=0, due_at=now + timedelta(minutes=40), tier="LOW")
    other_key = EventSyncFactory(failures=6, due_at=now + timedelta(hours=3), tier="LOW")
    tasks.key_released(late.credential_id)
    for row in (late, fine, other_key):
        row.refresh_from_db()
    assert late.due_at <= database_now()
    assert fine.due_at == now + timedelta(minutes=40)
    assert other_key.due_at == now + timedelta(hours=3)
    assert key_release(credential_id=late.credential_id, now=now) == 0


def test_a_race_that_staff_switched_off_is_discovered_but_not_scheduled(credential):
    discover(credential)
    race = Race.objects.filter(events__sync__due_at__isnull=False).first()
    Race.objects.filter(pk=race.pk).update(sync_enabled=False)
    reschedule(events=race.events.select_related("race"), now=database_now())
    discover(credential)
    race.refresh_from_db()
    assert race.sync_enabled is False
    assert not EventSync.objects.filter(event__race=race, due_at__isnull=False).exists()
