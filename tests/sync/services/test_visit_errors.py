"""An error is never read as "no participants": the list stays, the run says what happened, the rest goes on."""

from __future__ import annotations

from datetime import timedelta

import pytest

from partners.audit import command_actor
from partners.gate import database_now
from partners.models import CallBudget, Credential
from partners.onboarding import credential_replace_secret, credential_verify
from partners.secret import Secret
from races import ingest
from races.models import Participant
from sync.models import EventSync, Outcome
from sync.services.cycles import cycle_run
from sync.services.key_releases import key_release
from sync.services.lanes import lane_run
from tests.sync.provider_stage import Stage, assert_mirror_is_truth, from_now, listed

pytestmark = pytest.mark.django_db(transaction=True)

PERIODS = {"HIGH": timedelta(minutes=1), "MEDIUM": timedelta(minutes=5), "LOW": timedelta(hours=1)}


def states() -> list[tuple]:
    rows = Participant.objects.order_by("pk")
    return list(rows.values_list("pk", "removed_at", "removed_reason", "raw_hash"))


def places(*fields: str) -> list[tuple]:
    return list(EventSync.objects.order_by("pk").values_list(*fields))


@pytest.fixture
def synced(stage: Stage) -> Stage:
    """A race of three HIGH events, with people, synced once."""
    stage.add_race(starts=[from_now(hours=2)] * 3)
    stage.discover()
    stage.sync()
    return stage


BROKEN = [
    ({"status": 500}, Outcome.FAILED, "RunSignUp is unavailable (HTTP 500)"),
    ({"status": 502, "html": True}, Outcome.FAILED, "RunSignUp is unavailable"),
    ({"status": 503}, Outcome.FAILED, "RunSignUp is unavailable"),
    ({"error": 4}, Outcome.FAILED, "RunSignUp had an error of its own (error 4"),
    ({"error": 99}, Outcome.FAILED, "does not know (error 99"),
    ({"error": 3}, Outcome.FAILED, "does not understand what Project88 asked (error 3"),
    ({"html": True}, Outcome.FAILED, "RunSignUp"),
    ({"location": "http://127.0.0.1:9/login"}, Outcome.FAILED, "it redirects elsewhere"),
    ({"truncate": 0.5}, Outcome.FAILED, "cut off or damaged"),
    ({"truncate": 0.5, "honest": True}, Outcome.FAILED, "RunSignUp"),
    ({"drop": True}, Outcome.FAILED, "RunSignUp is unavailable"),
    ({"body": ""}, Outcome.FAILED, "RunSignUp"),
    ({"body": "null"}, Outcome.FAILED, "RunSignUp"),
    ({"body": '{"error":"sorry"}'}, Outcome.FAILED, "RunSignUp"),
    ({"body": '[{"something":"else"}]'}, Outcome.FAILED, "RunSignUp"),
    ({"body": '{"participants_of":[]}'}, Outcome.FAILED, "RunSignUp"),
]


@pytest.mark.parametrize(("fault", "outcome", "text"), BROKEN, ids=[str(fault) for fault, *_ in BROKEN])
def test_a_broken_answer_keeps_everybody_and_backs_off(synced, fault, outcome, text):
    """Rows 1, 2, 7, 9, 10."""
    kept, cursors = states(), places("cursor", "removals_cursor", "checked_at", "visits")
    synced.world.faults.add(endpoint="participants", **fault)
    began = database_now()
    runs = synced.sync()
    assert states() == kept
    assert places("cursor", "removals_cursor", "checked_at", "visits") == cursors
    assert len(runs) == 3
    for run in runs:
        assert (run.outcome, run.fetched, run.removed, run.lease_until) == (outcome, 0, 0, None)
        assert text in run.error_text
        assert synced.key.api_key not in run.error_text
    for failures, due_at in places("failures", "due_at"):
        assert failures == 1
        assert began <= due_at <= database_now() + PERIODS["HIGH"]


def test_an_empty_list_in_any_of_the_providers_shapes_is_no_error(synced):
    """Row 7: a true empty; but three people of three at once are too few to need a person."""
    for body in ("[]", "[{}]"):
        synced.world.faults.clear()
        synced.world.faults.add(endpoint="participants", body=body)
        runs = synced.sync()
        assert {run.outcome for run in runs} == {Outcome.UNCHANGED}
    # They were incremental fetches: nobody changed.
    assert Participant.objects.filter(removed_at=None).count() == 9


def test_one_failure_is_made_up_for_by_the_next_visit(synced):
    """Row 1."""
    synced.world.faults.add(endpoint="participants", status=503, calls=1)
    [number] = synced.world.change("register", event_id=first(synced).event_id)["registration_ids"]
    assert {run.outcome for run in synced.sync()} == {Outcome.FAILED}
    runs = synced.sync()
    assert sum(run.added for run in runs) == 1
    assert number in listed(first(synced))
    assert set(places("failures")) == {(0,)}
    assert_mirror_is_truth(synced.world)


def test_the_back_off_grows_and_never_waits_longer_than_the_tier_allows(synced):
    """Row 2."""
    synced.world.faults.add(endpoint="participants", status=500)
    EventSync.objects.update(failures=30)
    for _ in range(4):
        synced.sync()
        for [due_at] in places("due_at"):
            assert due_at <= database_now() + timedelta(minutes=5)
    assert set(places("failures")) == {(34,)}


def test_a_failed_look_for_withdrawals_fails_the_visit_whole(synced):
    event = first(synced)
    synced.world.change("register", event_id=event.event_id)
    EventSync.objects.update(visits=-event.race.race_id % 5)
    cursors = places("cursor")
    synced.world.faults.add(endpoint="removed-participants", status=500, calls=1)
    runs = synced.sync()
    assert {(run.outcome, run.added, run.pages) for run in runs} == {(Outcome.FAILED, 0, 0)}
    assert places("cursor") == cursors
    synced.sync()
    assert_mirror_is_truth(synced.world)


def first(stage: Stage):
    return next(iter(stage.world.events.values()))


# --- throttled ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "seconds"),
    [
        ({"status": 429}, 60),
        ({"status": 429, "retry_after": "300"}, 300),
        ({"status": 429, "retry_after": "86400"}, 3600),
        ({"status": 429, "retry_after": "soon"}, 60),
        ({"status": 503, "retry_after": "120"}, 120),
        ({"error": 14}, 60),
    ],
    ids=str,
)
def test_slow_down_pauses_this_key_only(stage_of, fault, seconds):
    """Rows 3 and 4."""
    stage = stage_of(2)
    for key in (0, 1):
        stage.add_race(starts=[from_now(hours=2)], key=key)
        stage.add_race(starts=[from_now(hours=2)], key=key)
    stage.discover()
    stage.sync()
    kept, due = states(), places("failures", "cursor")
    slow, other = stage.keys
    stage.world.faults.add(endpoint="participants", key=slow.api_key, **fault)
    before = len(stage.calls("participants"))
    runs = stage.sync()
    assert sorted(run.outcome for run in runs) == [Outcome.THROTTLED, Outcome.UNCHANGED, Outcome.UNCHANGED]
    # One call was answered so; no other was made with this key.
    assert len(stage.calls("participants")) == before + 3
    assert states() == kept
    assert [row[0] for row in places("failures")] == [row[0] for row in due]
    paused = CallBudget.objects.get(credential=slow).paused_until - database_now()
    assert timedelta(seconds=seconds - 10) < paused <= timedelta(seconds=seconds)
    assert CallBudget.objects.get(credential=other).paused_until is None
    still_due = EventSync.objects.filter(credential=slow, due_at__lte=database_now(), picked_at=None)
    assert still_due.count() == 2
    # No retry inside the pause.
    stage.world.faults.clear()
    assert {run.event.race.credential_id for run in stage.sync()} == {other.pk}


# --- refused key ------------------------------------------------------------------------------------------------


def test_a_refused_key_stops_after_one_confirming_call_and_the_others_go_on(stage_of):
    """Row 5."""
    stage = stage_of(2)
    for key in (0, 0, 0, 1):
        stage.add_race(starts=[from_now(hours=2)], key=key)
    stage.discover()
    stage.sync()
    kept = states()
    refused, _other = stage.keys
    stage.world.change("key", key=refused.api_key, secret="another-secret-0123456789")
    before = len(stage.world.ledger.calls())
    runs = stage.sync()
    assert sorted(run.outcome for run in runs) == [Outcome.REFUSED, Outcome.UNCHANGED]
    made = [call for call in stage.world.ledger.calls()[before:] if call["key"] == refused.api_key]
    assert [call["endpoint"] for call in made] == ["participants", "races"]
    refused.refresh_from_db()
    assert refused.status == Credential.Status.REFUSED
    assert "enter them again" in refused.status_detail
    assert refused.refused_at is not None
    assert states() == kept
    # It stays stopped.
    assert len(stage.sync()) == 1
    assert len([call for call in stage.world.ledger.calls() if call["key"] == refused.api_key]) == 6


def test_a_new_secret_resumes_the_key_at_once(stage):
    """Row 5."""
    stage.add_race(starts=[from_now(hours=2)])
    stage.discover()
    stage.world.change("key", key=stage.key.api_key, secret="another-secret-0123456789")
    stage.sync()
    credential = Credential.objects.get()
    credential_replace_secret(credential=credential, api_secret=Secret("another-secret-0123456789"), now=database_now())
    key_release(credential_id=credential.pk, now=database_now())
    assert EventSync.objects.get().due_at <= database_now()
    assert [run.outcome for run in stage.sync()] == [Outcome.OK]
    assert_mirror_is_truth(stage.world)


def test_a_key_that_works_again_resumes_after_verify(stage):
    """Row 5: the provider refused it by mistake."""
    stage.add_race(starts=[from_now(hours=2)])
    stage.discover()
    stage.world.faults.add(error=6, calls=2)
    assert [run.outcome for run in stage.sync()] == [Outcome.REFUSED]
    credential_verify(Credential.objects.get(), by=command_actor(), now=database_now())
    assert [run.outcome for run in stage.sync()] == [Outcome.OK]


def test_a_key_whose_confirming_call_works_is_not_stopped(stage):
    stage.add_race(starts=[from_now(hours=2)])
    stage.discover()
    stage.world.faults.add(endpoint="participants", error=6, calls=1)
    assert [run.outcome for run in stage.sync()] == [Outcome.REFUSED]
    assert Credential.objects.get().status == Credential.Status.OK
    assert EventSync.objects.get().failures == 1
    assert [run.outcome for run in stage.sync()] == [Outcome.OK]


@pytest.mark.parametrize("fault", [{"status": 500}, {"status": 429}])
def test_a_confirming_call_that_says_something_else_confirms_nothing(stage, fault):
    stage.add_race(starts=[from_now(hours=2)])
    stage.discover()
    stage.world.faults.add(endpoint="participants", error=6, calls=1)
    stage.world.faults.add(endpoint="races", **fault)
    stage.sync()
    assert Credential.objects.get().status == Credential.Status.OK


def test_the_caller_registration_is_refused_for_every_key(stage):
    """Row 5, error 17: HTTP 400."""
    stage.add_race(starts=[from_now(hours=2)])
    stage.discover()
    stage.world.faults.add(error=17, status=400)
    [run] = stage.sync()
    assert run.outcome == Outcome.REFUSED
    assert "RUNSIGNUP_REG" in Credential.objects.get().status_detail


def test_a_lane_does_not_call_with_a_key_that_was_stopped_after_the_pick(stage):
    stage.add_race(starts=[from_now(hours=2)])
    stage.discover()
    report = cycle_run(now=database_now(), call_lanes=False)
    assert report.credentials == (stage.key.pk,)
    Credential.objects.update(status=Credential.Status.PAUSED)
    lane = lane_run(credential_id=stage.key.pk)
    assert (lane.visits, lane.calls) == (0, 0)
    assert "paused by staff" in lane.stopped
    assert stage.calls() == []
    assert EventSync.objects.get().picked_at is None


def test_our_own_bug_is_a_sentence_without_data_and_stops_nothing(stage, monkeypatch):
    stage.add_race(starts=[from_now(hours=2)])
    stage.add_race(starts=[from_now(hours=2)])
    stage.discover()
    store, failed = ingest.store_participants, []

    def breaks_once(**options):
        if not failed:
            failed.append(options)
            raise KeyError("Ada Lovelace")
        return store(**options)

    monkeypatch.setattr(ingest, "store_participants", breaks_once)
    runs = stage.sync()
    assert sorted(run.outcome for run in runs) == [Outcome.FAILED, Outcome.OK]
    [bad] = [run for run in runs if run.outcome == Outcome.FAILED]
    assert bad.error_text.startswith("Project88 failed here (KeyError).")
    assert "Ada" not in bad.error_text
