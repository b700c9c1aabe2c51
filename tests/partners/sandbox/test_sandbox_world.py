"""The seeded world: the same for the same seed and moment, and shaped like a Saturday morning."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from partners.runsignup.sandbox import World, build_world
from partners.runsignup.sandbox.model import Event
from tests.partners.sandbox.caller import ANCHOR, small_world


@pytest.fixture(scope="module")
def saturday() -> World:
    return build_world(seed=1, anchor=ANCHOR)


def tier(event: Event, anchor: datetime = ANCHOR) -> str:
    assert event.starts_at is not None
    ahead = event.starts_at - anchor
    if ahead < -timedelta(hours=1):
        return "PAST"
    if ahead <= timedelta(hours=4):
        return "HIGH"
    return "MEDIUM" if ahead <= timedelta(hours=24) else "LOW"


def everything(world: World) -> object:
    return (
        world.key_list(),
        [(race.race_id, race.name, race.timezone, race.modified) for race in world.races.values()],
        [(event.event_id, event.start_time) for event in world.events.values()],
        [world.history(event_id) for event_id in world.events],
    )


def test_the_same_seed_and_anchor_make_the_same_world_and_another_seed_another():
    assert everything(small_world()) == everything(small_world())
    other = build_world(seed=8, anchor=ANCHOR, keys=3, races=21, events=60, participants=1500)
    assert everything(other) != everything(small_world())


def test_the_default_world_has_the_promised_sizes(saturday: World):
    active = sum(registration.is_active for registration in saturday.registrations.values())
    assert (len(saturday.keys), len(saturday.races), active) == (13, 60, 20_000)
    assert [len(key.race_ids) for key in saturday.keys.values()] == [10, 8, 7, 6, 6, 5, 4, 4, 3, 3, 2, 1, 1]
    assert sorted(itertools.chain(*(key.race_ids for key in saturday.keys.values()))) == sorted(saturday.races)
    assert all(1 <= len({e.event_id for e in race.events if tier(e) != "PAST"}) <= 5 or tier(race.events[0]) == "PAST"
               for race in saturday.races.values())  # fmt: skip
    assert max(sum(len(event.registrations) for event in race.events) for race in saturday.races.values()) <= 1000


@pytest.mark.parametrize(
    "anchor",
    [
        ANCHOR,
        datetime(2026, 11, 24, 3, 7, 41, tzinfo=UTC),
        datetime(2026, 11, 1, 5, 30, tzinfo=UTC),  # the hour that comes twice in the East is inside the window
        datetime(2027, 3, 14, 8, 0, tzinfo=UTC),  # and the one that is missing
    ],
)
def test_at_any_moment_25_events_are_high_and_35_medium_in_several_races_and_keys(anchor: datetime):
    world = build_world(seed=3, anchor=anchor, participants=500)
    tiers = Counter(tier(event, anchor) for event in world.events.values())
    assert tiers["HIGH"] + tiers["MEDIUM"] + tiers["LOW"] == 150
    assert 24 <= tiers["HIGH"] <= 26
    assert 34 <= tiers["MEDIUM"] <= 36
    assert tiers["PAST"] > 20
    high = [event for event in world.events.values() if tier(event, anchor) == "HIGH"]
    races = {event.race.race_id for event in high}
    assert 7 <= len(races) <= 15
    assert len({key.key for key in world.keys.values() if races & set(key.race_ids)}) >= 4
    assert len({event.starts_at for event in high}) >= 10
    assert any(event.starts_at < anchor for event in high if event.starts_at)


def test_events_of_an_edition_start_on_the_same_morning_or_weekend_in_the_races_own_zone(saturday: World):
    for race in saturday.races.values():
        for days_id in {event.days_id for event in race.events}:
            starts = [event.start_local for event in race.events if event.days_id == days_id]
            days = {start.date() for start in starts if start is not None}
            assert len(starts) == 1 or max(days) - min(days) <= timedelta(days=1)
    zones = {race.timezone for race in saturday.races.values()}
    assert {"America/Phoenix", "Pacific/Honolulu", "America/New_York"} <= zones
    assert len(zones) >= 6


def test_exactly_one_start_is_the_midnight_placeholder_and_it_is_low(saturday: World):
    midnight = [event for event in saturday.events.values() if str(event.start_time).endswith(" 00:00")]
    assert [tier(event) for event in midnight] == ["LOW"]


def test_last_years_edition_has_older_ids_and_the_new_one_points_to_it(saturday: World):
    renewed = [event for event in saturday.events.values() if event.previous_year_event_id]
    assert len(renewed) > 20
    for event in renewed:
        before = saturday.events[event.previous_year_event_id or 0]
        assert before.race is event.race
        assert before.event_id < event.event_id
        assert before.days_id < event.days_id
        assert tier(before) == "PAST"


def test_people_are_invented_and_as_odd_as_real_ones(saturday: World):
    rows = [registration.current.row for registration in saturday.registrations.values()]
    users = [row["user"] for row in rows]
    emails = [user["email"] for user in users if "email" in user]
    assert all(email.endswith("@example.test") for email in emails)
    assert all("555-01" in user["phone"] for user in users if user.get("phone"))
    assert any(user["gender"] == "X" for user in users)
    assert any(user["dob"] is None for user in users)
    assert any(user["is_anonymous"] == "T" for user in users)
    imported = [row for row in rows if row["imported"] == "T"]
    assert imported
    assert all("email" not in row["user"] and row["user"]["user_id"] is None for row in imported)
    assert any(row["team_name"] for row in rows)
    text = "".join(user["first_name"] + user["last_name"] for user in users)
    assert all(letter in text for letter in "ëễ’'王")
    answers = [answer for row in rows for answer in row["question_responses"]]
    assert any(answer["question_text"].endswith(" ") for answer in answers)
    assert any(answer["response"] is None for answer in answers)
    assert {1} == set(Counter((row["event_id"], row["bib_num"]) for row in rows if row["bib_num"]).values())


def test_ids_ascend_with_the_time_of_registering_and_nothing_lies_in_the_future(saturday: World):
    registrations = list(saturday.registrations.values())
    assert [r.registration_id for r in registrations] == sorted(r.registration_id for r in registrations)
    assert [r.registered for r in registrations] == sorted(r.registered for r in registrations)
    for registration in registrations:
        times = [version.at for version in registration.versions]
        assert times == sorted(times)
        assert max(times) <= saturday.began
        assert registration.current.modified <= saturday.began


def test_some_have_left_before_the_world_begins_and_switchers_have_their_successor(saturday: World):
    gone = [registration for registration in saturday.registrations.values() if not registration.is_active]
    assert {registration.current.reason for registration in gone} == {"removed", "cleared", "transferred", "deferred"}
    for registration in gone:
        successor = saturday.registrations.get(registration.current.successor or 0)
        assert (successor is not None) == (registration.current.reason == "transferred")
        if successor is not None:
            assert successor.event.race is registration.event.race
            assert successor.event is not registration.event
            assert successor.registration_id > registration.registration_id
            assert successor.current.row["bib_num"] is None


@pytest.mark.parametrize(
    ("sizes", "sentence"),
    [
        ({"keys": 0}, "at least one key"),
        ({"keys": 13, "races": 12}, "13 keys need at least 13 races"),
        ({"events": 56}, "between 57 and 285 events"),
        ({"events": 286}, "between 57 and 285 events"),
        ({"participants": -1}, "cannot be negative"),
        ({"hourly_limit": 0}, "at least one call an hour"),
    ],
)
def test_sizes_that_do_not_fit_together_are_refused_with_a_sentence(sizes: dict[str, Any], sentence: str):
    with pytest.raises(ValueError, match=sentence):
        build_world(anchor=ANCHOR, **sizes)


def test_other_sizes_make_other_worlds_also_the_smallest():
    smallest = build_world(anchor=ANCHOR, keys=1, races=1, events=1, participants=0)
    assert (len(smallest.events), len(smallest.registrations)) == (1, 0)
    wide = build_world(anchor=ANCHOR, keys=20, races=100, events=400, participants=3000)
    assert len(wide.keys) == 20
    full = build_world(anchor=ANCHOR, keys=1, races=2, events=4, participants=4000)
    assert sum(registration.is_active for registration in full.registrations.values()) == 4000
