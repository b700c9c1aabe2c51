"""Backfill: all editions of all races, a checkpoint after each page, and nobody pays for it twice (row 30)."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from partners.gate import database_now
from partners.models import CallBudget, Credential
from partners.runsignup import paging
from races.models import Event, Participant, ParticipantChange, Race
from sync.models import Backfill, BackfillStep, EventSync, Outcome, SyncRun, Trigger
from sync.services import backfill as service
from sync.services.backfill import BackfillBusy, BackfillRunner, Report, Scope, backfill_claim, waiting_races
from sync.services.cycles import cycle_run
from sync.services.leases import Fenced
from tests.sync.provider_stage import Stage, assert_mirror_is_truth, from_now, hook_calls, in_threads, refill

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def small_pages_and_one_try(monkeypatch):
    monkeypatch.setattr(paging, "PAGE_SIZE", 4)
    # A second try would wait for seconds.
    monkeypatch.setattr(service, "TRIES", 1)


@pytest.fixture
def history(stage: Stage) -> Stage:
    """Two races: one with an edition of last year that the list of races does not name, one that is over."""
    first = stage.add_race(starts=[from_now(hours=2), from_now(hours=3)], people=3)
    stage.add_event(first, start=from_now(days=-364), people=9, days_id=1)
    stage.add_race(starts=[from_now(days=-30)], people=6)
    stage.discover()
    with_calls_to_spare(stage)
    return stage


def with_calls_to_spare(stage: Stage) -> None:
    """The background gets nine calls at once of a key of 1000 an hour, then one in four seconds."""
    for credential in stage.keys:
        stage.world.change("key", key=credential.api_key, hourly_limit=100_000)
    Credential.objects.update(hourly_limit=100_000)


def claim(scope: Scope | None = None, *, restart: bool = False) -> Backfill:
    return backfill_claim(scope or Scope(), restart=restart, now=database_now())


def load(scope: Scope | None = None, *, restart: bool = False) -> Report:
    refill()
    return BackfillRunner(claim(scope, restart=restart), tell=lambda _progress: None).run()


def test_everything_is_loaded_past_editions_too(history):
    report = load()
    assert (report.done, report.races, report.rows, report.added, report.problems) == (2, 2, 21, 21, ())
    assert Event.objects.count() == 4
    assert_mirror_is_truth(history.world)
    assert Backfill.objects.get().status == Backfill.Status.DONE
    assert Backfill.objects.get().lease_until is None
    assert Backfill.objects.get().calls == report.calls == len(history.calls())
    # Every event has an "as of", and its incremental fetches start where this load began.
    for row in EventSync.objects.all():
        assert row.checked_at is not None
        assert row.cursor is not None


def test_a_second_run_changes_nothing(history):
    """I8."""
    load()
    rows = list(Participant.objects.order_by("pk").values())
    changes = ParticipantChange.objects.count()
    report = load()
    assert (report.done, report.rows, report.added, report.changed) == (2, 21, 0, 0)
    assert list(Participant.objects.order_by("pk").values()) == rows
    assert ParticipantChange.objects.count() == changes
    outcomes = SyncRun.objects.filter(trigger=Trigger.BACKFILL).order_by("pk").values_list("outcome", flat=True)
    assert list(outcomes) == [Outcome.OK] * 4 + [Outcome.UNCHANGED] * 4


def test_the_visits_after_a_backfill_are_incremental(history):
    load()
    asked = {run.event.provider_event_id: run for run in history.sync()}
    assert {run.full for run in asked.values()} == {False}
    assert {run.outcome for run in asked.values()} == {Outcome.UNCHANGED}


def record(monkeypatch, interrupt=None) -> list[tuple[str, str, str]]:
    """The calls in their order, each with its place in the list; `interrupt` is asked before each."""
    made: list[tuple[str, str, str]] = []

    def before(path, params):
        if interrupt:
            interrupt(len(made))
        made.append((path, params.get("event_id", ""), params.get("after_registration_id", "")))

    hook_calls(monkeypatch, before)
    return made


CALLS_OF_HISTORY = 9


def test_the_calls_of_a_whole_load(history, monkeypatch):
    """What the tests of interruption count on: 1 document, 4 pages and who left meanwhile; 2 pages and who left."""
    made = record(monkeypatch)
    load()
    assert len(made) == CALLS_OF_HISTORY
    assert len(set(made)) == CALLS_OF_HISTORY


@pytest.mark.parametrize("call", range(CALLS_OF_HISTORY))
def test_interrupted_at_any_call_it_continues_at_the_page(history, monkeypatch, call):
    """Ctrl-C: the running call is finished, nothing more is asked, and nothing is asked twice."""
    refill()
    runner = BackfillRunner(claim(), tell=lambda _progress: None)
    made = record(monkeypatch, lambda number: runner.stop.set() if number == call else None)
    runner.run()
    assert len(made) == call + 1
    assert not SyncRun.objects.filter(outcome="").exists()
    status = Backfill.Status.DONE if call == CALLS_OF_HISTORY - 1 else Backfill.Status.INTERRUPTED
    assert Backfill.objects.get().status == status
    report = load()
    pages = [one for one in made if one[0].endswith("/participants")]
    if status == Backfill.Status.INTERRUPTED:
        assert len(set(pages)) == len(pages)
        assert Backfill.objects.count() == 1
    assert report.done == 2
    assert_mirror_is_truth(history.world)


@pytest.mark.parametrize("call", [0, 1, 3, 5, 7])
def test_killed_at_any_call_it_continues_when_its_claim_has_ended(history, monkeypatch, call):
    """Row 25: nobody cleans up; the lease does."""

    def dies(number):
        if number == call:
            raise SystemExit

    refill()
    with monkeypatch.context() as patched:
        first = record(patched, dies)
        patched.setattr(BackfillRunner, "_give_back", lambda _self: None)
        with pytest.raises(SystemExit):
            BackfillRunner(claim(), tell=lambda _progress: None).run()
    with pytest.raises(BackfillBusy, match="running already"):
        claim()
    past = database_now() - timedelta(seconds=1)
    Backfill.objects.update(lease_until=past)
    SyncRun.objects.filter(lease_until__isnull=False).update(lease_until=past)
    cycle_run(now=database_now(), call_lanes=False)
    EventSync.objects.update(picked_at=None)
    assert not SyncRun.objects.filter(outcome="").exists()
    second = record(monkeypatch)
    report = load()
    assert (report.done, report.rows) == (2, 21)
    pages = [one for one in [*first, *second] if one[0].endswith("/participants")]
    assert len(set(pages)) == len(pages) >= 6
    assert_mirror_is_truth(history.world)


def test_who_leaves_while_it_is_interrupted_is_gone_when_it_has_ended(history, monkeypatch):
    """Also somebody of an event that no visit syncs any more, and who left before this backfill began."""
    load()
    _first, _second, past, _other = history.world.events.values()
    an_hour_ago = time.time() - 3600
    history.world.change("withdraw", registration_id=past.registrations[0].registration_id, now=an_hour_ago)
    refill()
    runner = BackfillRunner(claim(), tell=lambda _progress: None)
    record(monkeypatch, lambda number: runner.stop.set() if number == 2 else None)
    runner.run()
    history.world.change("withdraw", registration_id=past.registrations[1].registration_id)
    load()
    assert_mirror_is_truth(history.world)


def test_restart_loads_everything_again(history, monkeypatch):
    refill()
    runner = BackfillRunner(claim(), tell=lambda _progress: None)
    record(monkeypatch, lambda number: runner.stop.set() if number == 4 else None)
    runner.run()
    made = record(monkeypatch)
    report = load(restart=True)
    assert (report.done, report.rows) == (2, 21)
    assert [one[2] for one in made if one[0].endswith("/participants")].count("0") == 2
    assert Backfill.objects.count() == 1


def test_since_leaves_out_what_started_before_that_day(history):
    report = load(Scope(since=(database_now() - timedelta(days=100)).date()))
    assert report.done == 2
    assert Participant.objects.count() == 12
    assert not Participant.objects.filter(event__starts_at__lt=database_now() - timedelta(days=200)).exists()


def test_since_keeps_what_has_no_start_yet(stage):
    race = stage.add_race(starts=[from_now(days=2), None])
    stage.discover()
    load(Scope(since=database_now().date()))
    assert Participant.objects.filter(event__provider_event_id=race.events[1].event_id).count() == 3


def test_since_means_the_day_of_the_race_not_of_utc(stage):
    """23:30 in Phoenix is the next day in UTC."""
    start = from_now(days=-10).replace(hour=6, minute=30)
    stage.add_race(starts=[start])
    stage.discover()
    load(Scope(since=start.date()))
    assert not Participant.objects.exists()
    load(Scope(since=start.date() - timedelta(days=1)))
    assert Participant.objects.count() == 3


def test_one_race_or_one_partner_can_be_chosen(stage_of):
    stage = stage_of(2)
    for key in (0, 0, 1):
        stage.add_race(starts=[from_now(hours=2)], key=key)
    stage.discover()
    one = Race.objects.filter(credential=stage.keys[0]).first()
    assert load(Scope(race=one)).races == 1
    assert set(Participant.objects.values_list("event__race", flat=True)) == {one.pk}
    assert load(Scope(partner=stage.keys[1].partner)).races == 1
    assert load().races == 3
    assert_mirror_is_truth(stage.world)


def test_a_dry_run_knows_what_is_left_and_calls_nobody(history):
    assert len(waiting_races(Scope())) == 2
    assert history.calls() == []
    load()
    assert len(waiting_races(Scope())) == 2


def test_two_at_once_are_one(history):
    first = claim()
    with pytest.raises(BackfillBusy, match="This backfill is running already"):
        claim()
    assert Backfill.objects.get() == first


def test_of_two_that_begin_together_one_is_refused(history):
    def begins():
        try:
            return claim()
        except BackfillBusy as busy:
            return busy

    made = in_threads(*[begins] * 4)
    assert sum(isinstance(one, Backfill) for one in made) == 1
    assert Backfill.objects.count() == 1


def test_a_backfill_that_was_taken_over_writes_nothing_more(history, monkeypatch):
    """Row 26."""
    refill()
    runner = BackfillRunner(claim(), tell=lambda _progress: None)
    taken: list[Backfill] = []

    def sleeps_past_its_lease(number):
        if number == 3:
            Backfill.objects.update(lease_until=database_now() - timedelta(seconds=1))
            taken.append(claim())

    record(monkeypatch, sleeps_past_its_lease)
    with pytest.raises(Fenced):
        runner.run()
    rows = Participant.objects.count()
    assert rows < 21
    assert Backfill.objects.get().lease_until == taken[0].lease_until
    report = BackfillRunner(taken[0], tell=lambda _progress: None).run()
    assert (report.done, report.rows) == (2, 21)
    assert_mirror_is_truth(history.world)


def test_a_page_that_fails_keeps_its_race_for_the_next_run_and_the_others_are_loaded(history):
    race = Race.objects.order_by("pk").first()
    history.world.faults.add(endpoint="participants", race_id=race.provider_race_id, delay=0.0, calls=2)
    history.world.faults.add(endpoint="participants", race_id=race.provider_race_id, status=500, calls=1)
    report = load()
    assert (report.done, report.races) == (1, 2)
    [problem] = report.problems
    assert problem.startswith(f"{race.name} ({race.provider_race_id}): RunSignUp is unavailable")
    assert Backfill.objects.get().status == Backfill.Status.INTERRUPTED
    report = load()
    assert (report.done, report.rows, report.problems) == (2, 21, ())
    assert_mirror_is_truth(history.world)


@pytest.mark.parametrize("error", [7, 201, 301])
def test_one_event_that_is_not_there_leaves_the_others_of_its_race_loaded(history, error):
    """Row 6."""
    _first, second, *_ = history.world.events.values()
    history.world.faults.add(endpoint="participants", event_id=second.event_id, error=error)
    report = load()
    assert (report.done, report.rows) == (2, 18)
    [problem] = report.problems
    assert f"Event 2 ({second.event_id}): RunSignUp" in problem
    event = history.event(second)
    assert (event.gone_at is not None) == (error != 7)
    assert event.race.gone_at is None
    run = SyncRun.objects.get(event=event)
    assert run.outcome == (Outcome.REFUSED if error == 7 else Outcome.GONE)
    assert not SyncRun.objects.filter(outcome="").exists()


def test_a_race_that_is_gone_is_said_and_the_others_are_loaded(history):
    race = Race.objects.order_by("pk").first()
    history.world.faults.add(race_id=race.provider_race_id, error=201)
    report = load()
    assert (report.done, report.races) == (1, 2)
    assert "does not know this race" in report.problems[0]
    race.refresh_from_db()
    assert race.gone_at is not None


def test_a_refused_key_ends_its_races_with_the_sentence_and_others_go_on(stage_of):
    """Row 5."""
    stage = stage_of(2)
    for key in (0, 0, 0, 1):
        stage.add_race(starts=[from_now(hours=2)], key=key)
    stage.discover()
    with_calls_to_spare(stage)
    refused, other = stage.keys
    stage.world.change("key", key=refused.api_key, secret="another-secret-0123456789")
    before = len(stage.world.ledger.calls())
    report = load()
    assert (report.done, report.races) == (1, 4)
    assert all("enter them again" in problem for problem in report.problems)
    assert len(report.problems) == 3
    made = [call["endpoint"] for call in stage.world.ledger.calls()[before:] if call["key"] == refused.api_key]
    assert len(made) == 2
    refused.refresh_from_db()
    assert refused.status == Credential.Status.REFUSED
    assert Participant.objects.filter(event__race__credential=other).count() == 3
    # Again: not even tried.
    report = load()
    assert all("Not loaded: RunSignUp refuses the key" in problem for problem in report.problems)


def test_throttled_it_waits_for_the_key_and_is_no_failure(history, monkeypatch):
    """Row 3: the pause is the gate's; here it is over as soon as somebody looks."""
    monkeypatch.setattr(service, "TRIES", 4)
    history.world.faults.add(endpoint="participants", status=429, calls=1)
    refill()
    runner = BackfillRunner(claim(), tell=lambda _progress: None)

    def the_pause_ends(_seconds: float) -> bool:
        CallBudget.objects.update(paused_until=None)
        return False

    monkeypatch.setattr(runner.stop, "wait", the_pause_ends)
    report = runner.run()
    assert (report.done, report.rows, report.problems) == (2, 21, ())
    assert SyncRun.objects.filter(outcome=Outcome.THROTTLED).count() == 3
    assert_mirror_is_truth(history.world)


def test_a_list_that_shrank_by_nine_tenths_removes_nobody_and_is_said(stage, monkeypatch):
    """Row 20."""
    monkeypatch.setattr(paging, "PAGE_SIZE", 1000)
    stage.add_race(starts=[from_now(days=-3)], people=40)
    stage.discover()
    load()
    stage.world.faults.add(endpoint="participants", share=0.1)
    report = load()
    assert Participant.objects.filter(removed_at=None).count() == 40
    assert "36 of 40 people are missing" in report.problems[0]
    assert BackfillStep.objects.latest("pk").status == BackfillStep.Status.DONE


def test_a_key_that_is_paused_during_a_load_makes_no_further_call(history, monkeypatch):
    """So it is with one whose partner left: a load of everything must not go on with the secret in its memory."""
    made = record(monkeypatch, lambda number: Credential.objects.update(status="paused") if number == 1 else None)
    report = load()

    assert len(made) == 2
    assert (report.done, len(report.problems)) == (0, 2)
    assert not SyncRun.objects.filter(outcome="").exists()
    assert "is paused by staff" in str(report.problems)
