"""What happens in the world: scripted, by chance, and as history tells it."""

from __future__ import annotations

import threading
from collections import Counter
from random import Random
from typing import Any

import pytest

from partners.runsignup.sandbox import World
from partners.runsignup.sandbox.changes import ChangeError
from partners.runsignup.sandbox.life_thread import LifeThread
from tests.partners.sandbox.caller import ANCHOR, Caller, Clock, sibling_of, small_world


def change(caller: Caller, kind: str, **details: Any) -> dict[str, Any]:
    reply = caller.tell("change", kind=kind, **details)
    assert reply.status == 200, reply.json
    return reply.json


def of_id(caller: Caller, event_id: int, registration_id: int) -> dict[str, Any]:
    truth = caller.sandbox(f"truth?event_id={event_id}")
    return next(entry for entry in truth if entry["registration_id"] == registration_id)


def listed(caller: Caller, event_id: int) -> dict[int, dict[str, Any]]:
    return {row["registration_id"]: row for row in caller.participants(event_id).rows}


def gone(caller: Caller, event_id: int) -> dict[int, dict[str, Any]]:
    return {row["registration_id"]: row for row in caller.removed(event_id).removed}


def test_somebody_registers_under_a_new_highest_id(caller: Caller, event_id: int):
    highest = max(caller.world.registrations)
    (new,) = change(caller, "register", event_id=event_id, user={"first_name": "Änne"})["registration_ids"]
    assert new == highest + 1
    assert listed(caller, event_id)[new]["user"]["first_name"] == "Änne"
    assert of_id(caller, event_id, new)["state"] == "active"


def test_an_edit_and_a_bib_keep_the_id_and_move_last_modified(caller: Caller, clock: Clock, event_id: int):
    clock.at += 60
    (edited,) = change(caller, "edit", event_id=event_id, user={"last_name": "Øre"}, row={"age": 44})[
        "registration_ids"
    ]
    row = listed(caller, event_id)[edited]
    assert (row["user"]["last_name"], row["age"], row["last_modified"]) == ("Øre", 44, int(clock.at))
    clock.at += 60
    change(caller, "bib", registration_id=edited, bib_num="12A", chip_num="A-1")
    row = listed(caller, event_id)[edited]
    assert (row["bib_num"], row["chip_num"], row["last_modified"]) == ("12A", "A-1", int(clock.at))
    change(caller, "bib", registration_id=edited)
    numbers = [row["bib_num"] for row in listed(caller, event_id).values() if row["bib_num"]]
    assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize("reason", ["removed", "cleared", "deferred"])
def test_whoever_leaves_is_removed_with_the_reason(caller: Caller, event_id: int, reason: str):
    kind, details = ("defer", {}) if reason == "deferred" else ("withdraw", {"reason": reason})
    (left,) = change(caller, kind, event_id=event_id, **details)["registration_ids"]
    assert left not in listed(caller, event_id)
    assert gone(caller, event_id)[left]["removed_reason"] == reason
    assert gone(caller, event_id)[left]["new_registration_id"] is None
    truth = of_id(caller, event_id, left)
    assert (truth["state"], truth["reason"], truth["successor"]) == ("removed", reason, None)


def test_a_switch_ends_the_old_id_begins_a_new_one_and_loses_the_bib(caller: Caller, event_id: int):
    sibling = sibling_of(caller.world, event_id)
    (bibbed,) = change(caller, "bib", event_id=event_id)["registration_ids"]
    moved = change(caller, "transfer", registration_id=bibbed, to_event_id=sibling)
    (successor,) = moved["successor_ids"]
    assert moved["registration_ids"] == [bibbed]
    assert bibbed not in listed(caller, event_id)
    old, new = gone(caller, event_id)[bibbed], listed(caller, sibling or 0)[successor]
    assert (old["removed_reason"], old["new_registration_id"]) == ("transferred", successor)
    assert (new["bib_num"], new["user"], new["event_id"]) == (None, old["user"], sibling)
    assert old["last_modified_ts"] == new["last_modified"]


def test_a_removal_may_be_taken_back(caller: Caller, event_id: int):
    (left,) = change(caller, "withdraw", event_id=event_id)["registration_ids"]
    change(caller, "restore", registration_id=left)
    assert left in listed(caller, event_id)
    assert left not in gone(caller, event_id)
    states = [version["state"] for version in versions_of(caller, event_id, left)]
    assert states[-3:] == ["active", "removed", "active"]


def versions_of(caller: Caller, event_id: int, registration_id: int) -> list[dict[str, Any]]:
    history = caller.sandbox(f"history?event_id={event_id}")
    return next(entry["versions"] for entry in history if entry["registration_id"] == registration_id)


def test_history_tells_what_was_true_at_any_moment(caller: Caller, clock: Clock, event_id: int):
    sibling = sibling_of(caller.world, event_id)
    (person,) = change(caller, "register", event_id=event_id)["registration_ids"]
    seen = [(clock.at, listed(caller, event_id)[person])]
    for kind, details in (("edit", {"user": {"last_name": "B"}}), ("bib", {"bib_num": 7})):
        clock.at += 10.25
        change(caller, kind, registration_id=person, **details)
        seen.append((clock.at, listed(caller, event_id)[person]))
    clock.at += 10.25
    (successor,) = change(caller, "transfer", registration_id=person, to_event_id=sibling)["successor_ids"]
    versions = versions_of(caller, event_id, person)
    assert [version["at"] for version in versions] == [*(at for at, _ in seen), clock.at]
    for version, (_, row) in zip(versions, seen, strict=False):
        assert {name: version["row"][name] for name in row if name != "user"} == {
            name: value for name, value in row.items() if name != "user"
        }
    assert (versions[-1]["state"], versions[-1]["reason"], versions[-1]["successor"]) == (
        "removed",
        "transferred",
        successor,
    )
    assert [version["state"] for version in versions_of(caller, sibling or 0, successor)] == ["active"]


def test_an_edit_may_say_or_leave_out_what_no_provider_should(caller: Caller, event_id: int):
    (person,) = change(
        caller,
        "edit",
        event_id=event_id,
        user={"first_name": "nul\x00 and \ud800"},
        row={"age": "forty", "new_field": {"a": 1}, "last_modified": "yesterday"},
        drop=["user.email", "giveaway"],
    )["registration_ids"]
    row = listed(caller, event_id)[person]
    assert row["user"]["first_name"] == "nul\x00 and \ud800"
    assert (row["age"], row["new_field"], row["last_modified"]) == ("forty", {"a": 1}, "yesterday")
    assert "email" not in row["user"]
    assert "giveaway" not in row
    assert person in {row["registration_id"] for row in caller.participants(event_id, sort="age DESC").rows}


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({}, "Name the kind"),
        ({"kind": "vanish"}, "no change 'vanish'"),
        ({"kind": "register"}, "does not fit"),
        ({"kind": "register", "event_id": 1}, "no event 1"),
        ({"kind": "edit"}, "Name a registration_id"),
        ({"kind": "edit", "registration_id": 1}, "no active registration 1"),
        ({"kind": "withdraw", "event_id": 990_101, "reason": "bored"}, "no reason 'bored'"),
        ({"kind": "start", "event_id": 990_101, "start_time": 7}, "A start_time is a text"),
        ({"kind": "key", "key": "sandbox-key-01", "hourly_limit": 0}, "whole number from 1"),
        ({"kind": "key", "key": "nobody"}, "no key 'nobody'"),
        ({"kind": "grant", "key": "sandbox-key-01", "race_id": 1}, "no race 1"),
    ],
)
def test_a_change_that_cannot_be_is_refused_with_a_sentence(caller: Caller, body: dict[str, Any], sentence: str):
    reply = caller.tell("change", **body)
    assert reply.status == 400
    assert sentence in reply.json["error"]


def test_a_switch_leads_only_into_another_event_of_the_race(world: World, event_id: int):
    other = next(event.event_id for event in world.events.values() if event.race is not world.events[event_id].race)
    for target in (other, event_id):
        with pytest.raises(ChangeError, match="not another event"):
            world.change("transfer", event_id=event_id, to_event_id=target)


def lived(steps: int) -> World:
    world, rng = small_world(), Random(4)
    for number in range(steps):
        world.live(ANCHOR.timestamp() + number, rng)
    return world


def test_life_is_the_same_for_the_same_generator_and_moments():
    one, two = lived(300), lived(300)
    assert [one.history(event_id) for event_id in one.events] == [two.history(event_id) for event_id in two.events]


def test_life_does_everything_that_people_do_and_most_of_it_where_the_start_is_near():
    world, rng = small_world(), Random(4)
    kinds: Counter[str] = Counter()
    soon = 0
    for number in range(600):
        happened = world.live(ANCHOR.timestamp() + number / 100, rng)
        assert happened is not None
        kinds[happened["kind"]] += 1
        event = world.registrations[happened["registration_ids"][0]].event
        soon += (event.starts_at - ANCHOR).total_seconds() < 24 * 3600 if event.starts_at else 0
    assert set(kinds) == {"register", "bib", "edit", "transfer", "withdraw", "defer"}
    assert soon > 450


def test_life_ends_with_the_last_event():
    world = small_world()
    assert world.live(ANCHOR.timestamp() + 400 * 86_400, Random(1)) is None


def test_what_the_api_says_is_the_truth_after_a_lively_hour(caller: Caller):
    rng = Random(9)
    for number in range(800):
        caller.world.live(ANCHOR.timestamp() + number * 4.5, rng)
    for event_id in caller.world.events:
        states = {entry["registration_id"]: entry for entry in caller.world.truth(event_id)}
        assert set(listed(caller, event_id)) == {i for i, entry in states.items() if entry["state"] == "active"}
        for registration_id, row in gone(caller, event_id).items():
            entry = states.pop(registration_id)
            assert (entry["reason"], entry["successor"]) == (row["removed_reason"], row["new_registration_id"])
        assert all(entry["state"] == "active" for entry in states.values())


def test_the_rate_of_life_can_be_set_while_it_runs(caller: Caller):
    assert caller.sandbox("life") == {"changes_per_minute": 0.0, "changes": 0}
    assert caller.tell("life", changes_per_minute=30_000).json == {"changes_per_minute": 30_000.0}
    before = len(caller.world.registrations)
    for _ in range(2000):
        if caller.sandbox("life")["changes"] >= 50:
            break
    assert caller.sandbox("life")["changes"] >= 50
    assert len(caller.world.registrations) > before
    for wrong in (-1, "many", None, True):
        assert caller.tell("life", changes_per_minute=wrong).status == 400


def test_a_world_at_a_standstill_stands_still(world: World):
    life = LifeThread(world)
    life.start()
    life.stop()
    assert life.changes == 0


def test_a_change_is_dated_while_nobody_else_can_look(caller: Caller, clock: Clock):
    """Else history would date a change before an answer that does not have it yet."""
    looked: list[bool] = []

    def dated() -> float:
        if threading.current_thread().name == "sandbox-life":
            looked.append(caller.world.lock._is_owned())  # type: ignore[attr-defined]
        return clock.at

    caller.world.clock = dated
    caller.server.life.changes_per_minute = 30_000
    for _ in range(2000):
        if caller.server.life.changes:
            break
        caller.sandbox("life")
    assert caller.server.life.changes
    assert looked
    assert all(looked)
