"""The Saturday: 120 events HIGH at once on 13 keys, of which one wants more calls than it may make."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from partners.runsignup.sandbox.model import Event
from partners.runsignup.sandbox.saturday import build_saturday
from tests.partners.sandbox.caller import ANCHOR

LATER = datetime(2026, 11, 24, 23, 7, 41, tzinfo=UTC)


def tier(event: Event, at: datetime) -> str:
    assert event.starts_at is not None
    ahead = event.starts_at - at
    if ahead < -timedelta(hours=1):
        return "PAST"
    if ahead <= timedelta(hours=4):
        return "HIGH"
    return "MEDIUM" if ahead <= timedelta(hours=24) else "LOW"


@pytest.mark.parametrize("anchor", [ANCHOR, LATER])
def test_120_events_are_high_60_medium_and_464_low_for_an_hour(anchor):
    world = build_saturday(anchor=anchor)
    for minutes in (0, 60):
        tiers = Counter(tier(event, anchor + timedelta(minutes=minutes)) for event in world.events.values())
        assert {name: tiers[name] for name in ("HIGH", "MEDIUM", "LOW")} == {"HIGH": 120, "MEDIUM": 60, "LOW": 464}
    # None of them is about to start, when its races would keep their minute before all others.
    high = [
        event.starts_at - anchor for event in world.events.values() if event.starts_at and tier(event, anchor) == "HIGH"
    ]
    assert timedelta(hours=2) < min(high) < max(high) < timedelta(hours=4)


def test_each_key_has_its_share_of_the_events_that_start_soon_and_of_the_others():
    world = build_saturday(anchor=ANCHOR)
    of_key = [[world.races[race_id] for race_id in key.race_ids] for key in world.keys.values()]
    high = [[event for race in races for event in race.events if tier(event, ANCHOR) == "HIGH"] for races in of_key]
    assert [len(events) for events in high] == [42, 25, 13, 8, 6, 5, 4, 4, 3, 3, 3, 2, 2]
    assert [len({event.race.race_id for event in events}) for events in high] == [
        18,
        8,
        5,
        3,
        3,
        3,
        1,
        2,
        1,
        2,
        1,
        1,
        1,
    ]
    for races in of_key:
        tiers = {tier(event, ANCHOR) for race in races for event in race.events}
        assert {"HIGH", "MEDIUM", "LOW"} <= tiers
    assert sorted(race.race_id for races in of_key for race in races) == sorted(world.races)


def test_everybody_is_there_and_the_same_seed_and_moment_make_the_same_world():
    world = build_saturday(anchor=ANCHOR, participants=7_000)
    assert sum(registration.is_active for registration in world.registrations.values()) == 7_000
    coming = [event for event in world.events.values() if tier(event, ANCHOR) != "PAST"]
    assert all(any(registration.is_active for registration in event.registrations) for event in coming)
    again = build_saturday(anchor=ANCHOR, participants=7_000)
    assert again.key_list() == world.key_list()
    assert [again.history(pk) for pk in again.events] == [world.history(pk) for pk in world.events]
    assert build_saturday(seed=2, anchor=ANCHOR, participants=7_000).key_list() != world.key_list()


@pytest.mark.parametrize(
    ("sizes", "sentence"),
    [({"participants": 6_439}, "at least 6440 people, not 6439"), ({"hourly_limit": 0}, "at least one call an hour")],
)
def test_sizes_that_do_not_fit_are_refused_with_a_sentence(sizes: dict[str, Any], sentence: str):
    with pytest.raises(ValueError, match=sentence):
        build_saturday(anchor=ANCHOR, **sizes)
