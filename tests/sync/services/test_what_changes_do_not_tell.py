"""What a fetch of changes cannot find: a new registration that bears an old time, an edit that moved none, and who left
unseen. The first is found by its id, the others by the next full comparison."""

from __future__ import annotations

import time

import pytest

from races.models import Participant, ParticipantChange
from sync.core.cadence import IDS_EVERY, ids_due, removals_due
from sync.core.tiers import Tier
from sync.models import EventSync, Outcome
from tests.sync.provider_stage import Stage, assert_mirror_is_truth, from_now, hook_calls, listed

pytestmark = pytest.mark.django_db(transaction=True)

DAYS = 86_400.0


@pytest.fixture
def synced(stage: Stage) -> Stage:
    """A race of two HIGH events, compared in full once."""
    stage.add_race(starts=[from_now(hours=2)] * 2)
    stage.discover()
    stage.sync()
    return stage


def event_of(stage: Stage):
    return next(iter(stage.world.events.values()))


def at_the_visit_that_asks_by_id() -> None:
    race_id = EventSync.objects.values_list("event__race__provider_race_id", flat=True).first()
    EventSync.objects.update(visits=(1 - race_id) % IDS_EVERY[Tier.HIGH])


def test_a_new_registration_with_an_old_time_of_change_is_found_by_its_id(synced, monkeypatch):
    event = event_of(synced)
    newest = max(synced.world.registrations)
    assert set(EventSync.objects.values_list("newest_registration_id", flat=True)) == {newest}
    [number] = synced.world.change("register", event_id=event.event_id, now=time.time() - 3 * DAYS)["registration_ids"]
    synced.sync()
    assert number not in listed(event)
    asked = []
    hook_calls(monkeypatch, lambda _path, params: asked.append(dict(params)))
    at_the_visit_that_asks_by_id()
    [run, _other] = synced.sync()
    assert (run.outcome, run.added, run.full) == (Outcome.OK, 1, False)
    assert number in listed(event)
    by_id = [params for params in asked if "modified_after_timestamp" not in params]
    assert [params["after_registration_id"] for params in by_id] == [str(newest)]
    assert set(EventSync.objects.values_list("newest_registration_id", flat=True)) == {number}
    assert_mirror_is_truth(synced.world)


def test_ids_that_a_fetch_of_changes_brought_do_not_hide_an_older_new_one(synced):
    """The newest id known is not enough: what counts is up to which id everybody was asked for."""
    event = event_of(synced)
    [hidden] = synced.world.change("register", event_id=event.event_id, now=time.time() - 3 * DAYS)["registration_ids"]
    [found] = synced.world.change("register", event_id=event.event_id)["registration_ids"]
    synced.sync()
    assert found in listed(event)
    assert hidden not in listed(event)
    at_the_visit_that_asks_by_id()
    synced.sync()
    assert hidden in listed(event)


def test_a_key_with_too_few_calls_leaves_new_ids_to_the_full_comparison():
    assert not any(ids_due(tier=Tier.HIGH, visits=visit, overloaded=True, race_id=1) for visit in range(60))


@pytest.mark.parametrize(("tier", "often"), [(Tier.HIGH, 1), (Tier.MEDIUM, 5), (Tier.LOW, 10)])
def test_new_ids_are_asked_for_about_once_an_hour_and_not_beside_withdrawals(tier, often):
    asking = [visit for visit in range(60) if ids_due(tier=tier, visits=visit, overloaded=False, race_id=974_501)]
    assert len(asking) == often
    if tier is not Tier.LOW:
        assert not any(removals_due(tier=tier, visits=visit, race_id=974_501) for visit in asking)


def test_an_edit_that_did_not_move_last_modified_is_found_by_the_next_full_comparison(synced):
    event = event_of(synced)
    number = event.registrations[0].registration_id
    synced.world.change("edit", registration_id=number, user={"last_name": "Marsh"}, silent=True)
    synced.sync()
    assert Participant.objects.get(registration_id=number).last_name != "Marsh"
    EventSync.objects.update(reconciled_at=None)
    [run, _other] = synced.sync()
    assert (run.full, run.changed) == (True, 1)
    assert Participant.objects.get(registration_id=number).last_name == "Marsh"
    assert ParticipantChange.objects.get(kind="changed").changes["last_name"][1] == "Marsh"
    assert_mirror_is_truth(synced.world)


def test_who_left_in_a_look_for_withdrawals_that_was_answered_with_nothing_still_gets_the_reason(synced):
    """The look came back empty though somebody had left; the complete list lacks that person: it is asked once more."""
    one, two = synced.world.events.values()
    leaves = one.registrations[0].registration_id
    [new] = synced.world.change(
        "transfer", registration_id=leaves, to_event_id=two.event_id, now=time.time() - DAYS / 24
    )["successor_ids"]
    synced.world.faults.add(endpoint="removed-participants", calls=1, body="[]")
    EventSync.objects.update(reconciled_at=None)
    synced.sync()
    gone = Participant.objects.get(registration_id=leaves)
    assert (gone.removed_reason, gone.successor_registration_id) == ("transferred", new)
    assert_mirror_is_truth(synced.world)


def test_who_is_missing_without_a_reason_is_asked_about_once_more_at_the_next_comparison(synced):
    event = event_of(synced)
    leaves = event.registrations[0].registration_id
    synced.world.change("defer", registration_id=leaves, now=time.time() - DAYS / 24)
    synced.world.faults.add(endpoint="removed-participants", calls=2, body="[]")
    EventSync.objects.update(reconciled_at=None)
    synced.sync()
    assert Participant.objects.get(registration_id=leaves).removed_reason == "missing"
    # A day later.
    EventSync.objects.update(reconciled_at=Participant.objects.get(registration_id=leaves).removed_at)
    EventSync.objects.update(
        due_trigger="manual", hold_reason="Nobody is removed until staff decide whether they have left."
    )
    synced.sync()
    assert Participant.objects.get(registration_id=leaves).removed_reason == "deferred"
    assert_mirror_is_truth(synced.world)
