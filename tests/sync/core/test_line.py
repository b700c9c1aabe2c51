"""Who is visited before a race, and about when that one begins."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sync.core.line import InLine, KeyPlace, place_text, places_in_line
from sync.core.policy import DEFAULT_POLICY, Tier

# Not the turn of what has waited longest: nothing here is late by an hour.
NOW = datetime(2026, 6, 6, 10, 0, tzinfo=UTC)


def in_line(race_id: int, tier: Tier = Tier.LOW, *, late: int = 5, picked: bool = True, event_id: int = 0) -> InLine:
    return InLine(
        race_id=race_id,
        event_id=event_id or race_id,
        tier=tier,
        due_at=NOW - timedelta(seconds=late),
        picked=picked,
    )


def places(*waiting: InLine, visiting: tuple[int, ...] = (), free: int = 20) -> dict[int, KeyPlace]:
    return places_in_line(waiting, key_id=1, visiting=visiting, free=free, rate=1000, now=NOW, policy=DEFAULT_POLICY)


def numbers(found: dict[int, KeyPlace]) -> dict[int, int]:
    return {race_id: place.number for race_id, place in found.items()}


def test_the_urgent_come_first_and_then_the_most_overdue():
    found = places(in_line(1, late=1), in_line(2, late=9), in_line(3, Tier.HIGH, late=0), in_line(4, Tier.MEDIUM))

    assert numbers(found) == {3: 1, 4: 2, 2: 3, 1: 4}


def test_a_race_has_one_place_however_many_of_its_events_wait():
    found = places(in_line(1, late=1, event_id=11), in_line(1, Tier.HIGH, event_id=12), in_line(2, Tier.MEDIUM))

    assert numbers(found) == {1: 1, 2: 2}


def test_what_no_cycle_has_planned_yet_waits_for_what_the_lane_has_already():
    found = places(in_line(1, Tier.HIGH, picked=False), in_line(2))

    assert numbers(found) == {2: 1, 1: 2}


def test_each_race_before_it_takes_time_and_so_does_the_one_that_is_visited_now():
    alone = places(in_line(1))[1]
    fourteen = [in_line(race, late=100 - race) for race in range(1, 15)]

    assert alone.begins_in == timedelta(seconds=10)
    assert places(*fourteen, free=100)[14].begins_in == timedelta(seconds=30)
    assert places(*fourteen, visiting=(99, 98, 97), free=100)[14].begins_in == timedelta(seconds=40)


def test_a_key_without_free_calls_makes_them_wait_for_calls():
    # Two races, a call and a look for withdrawals each; seven calls stay free for HIGH; one in 3.67 s.
    assert places(in_line(1), in_line(2, late=1), free=0)[2].begins_in == timedelta(seconds=40)
    assert places(in_line(1, Tier.HIGH), free=0)[1].begins_in == timedelta(seconds=10)


@pytest.mark.parametrize(
    ("number", "seconds", "text"),
    [
        (1, 10, "next for this key, within 10 s"),
        (2, 10, "2nd for this key, within 10 s"),
        (3, 20, "3rd for this key, in about 20 s"),
        (11, 110, "11th for this key, in about 110 s"),
        (21, 130, "21st for this key, in about 3 min"),
        (112, 1200, "112th for this key, in about 20 min"),
    ],
)
def test_a_place_in_words(number, seconds, text):
    assert place_text(KeyPlace(number=number, begins_in=timedelta(seconds=seconds))) == text
