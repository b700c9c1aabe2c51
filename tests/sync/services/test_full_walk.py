"""Discover, cycle, lane: what the provider has is what the mirror has, after every kind of change (I1, I8)."""

from __future__ import annotations

import pytest

from races.models import Participant, ParticipantChange
from sync.models import Outcome
from tests.sync.provider_stage import Stage, assert_mirror_is_truth, from_now, listed

pytestmark = pytest.mark.django_db(transaction=True)

Kind = ParticipantChange.Kind


@pytest.fixture
def walked(stage: Stage) -> Stage:
    """Two races, one of them with three events, known and synced once."""
    stage.add_race(starts=[from_now(hours=2), from_now(hours=2), from_now(hours=3)])
    stage.add_race(starts=[from_now(hours=12)], people=2)
    stage.discover()
    stage.sync()
    return stage


def first_event(stage: Stage):
    return next(iter(stage.world.events.values()))


def changes_of(registration_id: int) -> list[tuple[str, dict]]:
    """Those after the first sync, oldest first."""
    rows = ParticipantChange.objects.filter(participant__registration_id=registration_id)
    return list(rows.order_by("pk").values_list("kind", "changes"))


def test_discover_cycle_and_lane_bring_the_whole_truth(walked):
    assert Participant.objects.count() == 11
    assert_mirror_is_truth(walked.world)
    assert set(ParticipantChange.objects.values_list("kind", flat=True)) == {Kind.ADDED}
    assert {run.outcome for run in walked.sync()} == {Outcome.UNCHANGED}


def test_syncing_the_same_answer_again_writes_no_participant_and_no_change(walked):
    """I8, seen by the database itself: `xmin` is the transaction that last wrote a row."""

    def written():
        return list(
            Participant.objects.extra(select={"written": "xmin::text"}).order_by("pk").values_list("pk", "written")
        ), ParticipantChange.objects.count()

    before = written()
    for _ in range(3):
        runs = walked.sync()
        assert {(run.outcome, run.added, run.changed, run.removed) for run in runs} == {(Outcome.UNCHANGED, 0, 0, 0)}
    assert written() == before


def test_somebody_who_registers_is_added(walked):
    event = first_event(walked)
    [number] = walked.world.change("register", event_id=event.event_id)["registration_ids"]
    [run] = [run for run in walked.sync() if run.event.provider_event_id == event.event_id]
    assert (run.outcome, run.added, run.changed, run.removed) == (Outcome.OK, 1, 0, 0)
    assert changes_of(number) == [(Kind.ADDED, {})]
    assert_mirror_is_truth(walked.world)


def test_an_edit_is_noted_with_old_and_new_value(walked):
    event = first_event(walked)
    number = event.registrations[0].registration_id
    walked.world.change("edit", registration_id=number, user={"last_name": "Marsh", "gender": "X"})
    walked.sync()
    kind, changes = changes_of(number)[-1]
    assert kind == Kind.CHANGED
    assert changes["gender"] == ["F", "X"]
    assert changes["last_name"][1] == "Marsh"
    assert set(changes) == {"gender", "last_name"}
    assert_mirror_is_truth(walked.world)


def test_a_bib_is_text_and_noted(walked):
    number = first_event(walked).registrations[1].registration_id
    walked.world.change("bib", registration_id=number, bib_num="12A")
    walked.sync()
    assert changes_of(number)[-1] == (Kind.CHANGED, {"bib": ["", "12A"]})
    assert_mirror_is_truth(walked.world)


@pytest.mark.parametrize(("kind", "reason"), [("withdraw", "removed"), ("defer", "deferred")])
def test_who_leaves_stays_with_the_reason(walked, kind, reason):
    """Row 19."""
    event = first_event(walked)
    [number] = walked.world.change(kind, event_id=event.event_id)["registration_ids"]
    runs = until_seen(walked)
    assert sum(run.removed for run in runs) == 1
    assert number not in listed(event)
    kind, changes = changes_of(number)[-1]
    assert (kind, changes["removed_reason"]) == (Kind.REMOVED, ["", reason])
    assert_mirror_is_truth(walked.world)


def test_a_transfer_has_its_reason_and_its_successor_and_one_person_stays_on_one_list(walked):
    """Row 19."""
    first, second, *_ = walked.world.events.values()
    old = first.registrations[0].registration_id
    walked.world.change("bib", registration_id=old, bib_num=1207)
    walked.sync()
    moved = walked.world.change("transfer", registration_id=old, to_event_id=second.event_id)
    [new] = moved["successor_ids"]
    until_seen(walked)
    kind, changes = changes_of(old)[-1]
    assert kind == Kind.TRANSFERRED
    assert changes["removed_reason"] == ["", "transferred"]
    assert changes["successor_registration_id"] == [None, new]
    assert changes["bib"] == ["1207", ""]
    assert old not in listed(first)
    assert new in listed(second)
    assert_mirror_is_truth(walked.world)


def test_who_is_restored_is_listed_again_with_the_same_row(walked):
    """Row 19."""
    event = first_event(walked)
    [number] = walked.world.change("withdraw", event_id=event.event_id)["registration_ids"]
    until_seen(walked)
    walked.world.change("restore", registration_id=number)
    walked.sync()
    assert Participant.objects.filter(registration_id=number).count() == 1
    assert changes_of(number)[-1][0] == Kind.RESTORED
    assert_mirror_is_truth(walked.world)


def test_who_registers_again_is_a_new_row_beside_the_old_one(walked):
    """Row 19."""
    event = first_event(walked)
    person = dict(event.registrations[0].current.row["user"])
    [old] = walked.world.change("withdraw", registration_id=event.registrations[0].registration_id)["registration_ids"]
    [new] = walked.world.change("register", event_id=event.event_id, user=person)["registration_ids"]
    until_seen(walked)
    assert new in listed(event)
    assert old not in listed(event)
    assert Participant.objects.filter(user_id=person["user_id"]).count() == 2
    assert_mirror_is_truth(walked.world)


def test_who_came_and_went_between_two_visits_was_never_there(walked):
    event = first_event(walked)
    [number] = walked.world.change("register", event_id=event.event_id)["registration_ids"]
    walked.world.change("withdraw", registration_id=number)
    runs = until_seen(walked)
    assert {run.outcome for run in runs} == {Outcome.UNCHANGED}
    assert not Participant.objects.filter(registration_id=number).exists()
    assert_mirror_is_truth(walked.world)


def test_many_changes_at_once_are_all_brought_over(walked):
    world = walked.world
    first, second, third, *_ = world.events.values()
    world.change("register", event_id=third.event_id)
    world.change("bib", event_id=first.event_id, chip_num="A0F3")
    world.change("withdraw", registration_id=first.registrations[1].registration_id, reason="cleared")
    world.change("transfer", registration_id=second.registrations[0].registration_id, to_event_id=third.event_id)
    world.change("defer", registration_id=third.registrations[0].registration_id)
    until_seen(walked)
    assert_mirror_is_truth(world)


def until_seen(stage: Stage) -> list:
    """The HIGH visits up to the one that asks who left: every fifth."""
    runs = []
    for _ in range(5):
        runs += stage.sync()
    return runs
