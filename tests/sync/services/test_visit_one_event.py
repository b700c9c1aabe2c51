"""Errors about one race or one event of it: it is flagged, its people kept, and the others still sync (row 6)."""

from __future__ import annotations

import pytest

from partners.gate import database_now
from races.models import Participant, ParticipantChange
from sync.models import Cycle, EventSync, Outcome
from tests.sync.provider_stage import Stage, assert_mirror_is_truth, from_now, listed, refill

pytestmark = pytest.mark.django_db(transaction=True)


def states() -> list[tuple]:
    rows = Participant.objects.order_by("pk")
    return list(rows.values_list("pk", "removed_at", "removed_reason", "raw_hash"))


def holds() -> list[str]:
    return list(EventSync.objects.values_list("hold_reason", flat=True))


@pytest.fixture
def synced(stage: Stage) -> Stage:
    """A race of three HIGH events, with people, synced once."""
    stage.add_race(starts=[from_now(hours=2)] * 3)
    stage.discover()
    stage.sync()
    return stage


def first(stage: Stage):
    return next(iter(stage.world.events.values()))


@pytest.mark.parametrize(
    ("error", "outcome", "text"),
    [
        (7, Outcome.REFUSED, "the race director must add the timing company"),
        (201, Outcome.GONE, "does not know this race"),
        (301, Outcome.GONE, "does not know this event"),
    ],
)
def test_one_event_that_fails_leaves_the_other_events_of_the_call_in_sync(synced, error, outcome, text):
    """Row 6."""
    kept = states()
    one, two, three = synced.world.events.values()
    new = synced.world.change("register", event_id=three.event_id)["registration_ids"]
    synced.world.faults.add(endpoint="participants", event_id=two.event_id, error=error)
    runs = {run.event.provider_event_id: run for run in synced.sync()}
    assert runs[two.event_id].outcome == outcome
    assert text in runs[two.event_id].error_text
    assert runs[one.event_id].outcome == Outcome.UNCHANGED
    assert runs[three.event_id].outcome == Outcome.OK
    assert set(new) <= listed(three)
    # Its people stay as they were.
    assert [state for state in states() if state in kept] == kept
    synced.event(one).race.refresh_from_db()
    assert synced.event(one).race.gone_at is None
    assert synced.row(one).due_at is not None
    flagged = synced.row(two)
    assert flagged.hold_reason
    assert (flagged.due_at is None) == (outcome == Outcome.GONE)


@pytest.mark.parametrize("error", [7, 201, 301])
def test_a_whole_race_that_fails_is_flagged_and_its_people_kept(synced, error):
    """Row 6."""
    kept = states()
    synced.world.faults.add(endpoint="participants", error=error)
    runs = synced.sync()
    assert {run.outcome for run in runs} == {Outcome.REFUSED if error == 7 else Outcome.GONE}
    assert states() == kept
    assert all(holds())
    race = synced.event(first(synced)).race
    assert (race.gone_at is not None) == (error == 201)
    assert ParticipantChange.objects.exclude(kind="added").count() == 0


def test_a_race_that_stays_refused_costs_one_call_a_visit(synced):
    """Row 6: which events are meant was asked once."""
    synced.world.faults.add(endpoint="participants", error=7)
    synced.sync()
    before = len(synced.calls())
    assert {run.outcome for run in synced.sync()} == {Outcome.REFUSED}
    assert len(synced.calls()) == before + 1


def test_a_race_whose_director_gives_access_again_loses_its_flag(synced):
    race = first(synced).race
    synced.world.change("revoke", key=synced.key.api_key, race_id=race.race_id)
    synced.sync()
    assert all(holds())
    synced.world.change("grant", key=synced.key.api_key, race_id=race.race_id)
    synced.sync()
    assert set(holds()) == {""}
    assert_mirror_is_truth(synced.world)


def test_every_event_has_exactly_one_run_of_a_visit_that_had_to_ask_again(synced):
    """I4, and the calls of the cycle are the calls that were made."""
    _one, two, _three = synced.world.events.values()
    synced.world.faults.add(endpoint="participants", event_id=two.event_id, error=301)
    before = len(synced.calls())
    runs = synced.sync()
    assert len(runs) == 3
    assert len({run.event_id for run in runs}) == 3
    cycle = Cycle.objects.latest("pk")
    assert cycle.calls == len(synced.calls()) - before
    assert (cycle.gone, cycle.unchanged) == (1, 2)


def test_a_key_that_is_throttled_while_it_asks_for_each_event_leaves_the_rest_due(synced):
    _one, two, _three = synced.world.events.values()
    synced.world.faults.add(endpoint="participants", event_id=two.event_id, error=301, calls=1)
    synced.world.faults.add(endpoint="participants", status=429, calls=1)
    runs = synced.sync()
    assert {run.outcome for run in runs} == {Outcome.THROTTLED}
    assert EventSync.objects.filter(due_at__lte=database_now(), picked_at=None).count() == 3


def test_a_key_that_is_refused_while_it_asks_for_each_event_makes_no_further_call(synced):
    _one, two, _three = synced.world.events.values()
    synced.world.faults.add(endpoint="participants", event_id=two.event_id, error=301, calls=1)
    synced.world.faults.add(error=6)
    before = len(synced.world.ledger.calls())
    runs = synced.sync()
    made = synced.world.ledger.calls()[before:]
    # The list, the first event, the confirming call.
    assert [call["endpoint"] for call in made] == ["participants", "participants", "races"]
    assert sorted(run.outcome for run in runs) == [Outcome.REFUSED, Outcome.THROTTLED, Outcome.THROTTLED]


def test_a_cancelled_event_comes_back_when_discovery_sees_it_again(synced):
    """Row 18."""
    one, *_ = synced.world.events.values()
    synced.world.change("cancel", event_id=one.event_id)
    synced.sync()
    assert synced.event(one).gone_at is not None
    assert synced.row(one).due_at is None
    one.cancelled = False
    refill()
    synced.discover()
    assert synced.event(one).gone_at is None
    assert synced.row(one).hold_reason == ""
    synced.sync()
    assert_mirror_is_truth(synced.world)
