"""What each policy reaches in the built-in worlds, as the scheduling policy promises it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from sync.core.policy import DEFAULT_POLICY
from sync.simulation.report import Report, report_of
from sync.simulation.run import LATENCY, Way, simulate
from sync.simulation.world import World
from sync.simulation.worlds import SHARES, START, Size, build

LONGEST_LOW_WAIT = 4 * 3600 + 10


def reached(name: str, way: Way, **given) -> Report:
    return reached_in(build(name, Size(), **given), way)


def reached_in(world: World, way: Way = Way.PROJECT88, *, latency: float = LATENCY) -> Report:
    return report_of(world, simulate(world, way, latency=latency), policy=DEFAULT_POLICY)


def assert_no_key_above_its_limit(report: Report) -> None:
    assert [key.name for key in report.keys if key.busiest_hour > key.limit] == []


# 08:00 in New York on the days on which its clocks change, and on a day like any other.
STARTS = {
    "spring": datetime(2026, 3, 8, 12, 0, tzinfo=UTC),
    "summer": datetime(2026, 6, 6, 12, 0, tzinfo=UTC),
    "autumn": datetime(2026, 11, 1, 13, 0, tzinfo=UTC),
}


@pytest.mark.parametrize("day", STARTS)
def test_one_event_among_644_gets_its_540_syncs_on_any_day(day):
    report = reached("one-event", Way.PROJECT88, start=STARTS[day])
    assert report.syncs == pytest.approx(540, abs=2)
    assert report.gap_p50 == 60
    assert report.gap_p95 == pytest.approx(60, abs=2)
    assert report.gap_max <= 75
    assert report.low_wait <= LONGEST_LOW_WAIT
    assert_no_key_above_its_limit(report)


def test_the_old_queue_gave_one_event_about_eleven():
    report = reached("one-event", Way.FIFO)
    assert report.syncs == pytest.approx(11, abs=2)
    assert report.gap_p50 > 100 * 60


def by_size(world: World) -> World:
    """The same events, but a large key has as large a share of what is MEDIUM and LOW as of what is HIGH."""
    owners = [key.key_id for key, share in zip(world.keys, SHARES, strict=True) for _ in range(share)]
    owner: dict[int, int] = {}
    for start in {event.window.earliest for event in world.events if event.window} - {START}:
        races = sorted({event.race_id for event in world.events if event.window and event.window.earliest == start})
        owner |= {race_id: owners[number * len(owners) // len(races)] for number, race_id in enumerate(races)}
    events = [replace(event, key_id=owner.get(event.race_id, event.key_id)) for event in world.events]
    return replace(world, events=tuple(events))


@pytest.mark.parametrize("spread", ["evenly", "by size"])
@pytest.mark.parametrize(("seed", "latency"), [(1, 1.5), (2, 2.0)])
def test_a_saturday_on_which_one_key_is_asked_for_too_much_keeps_all_others_at_their_minute(spread, seed, latency):
    world = build("saturday", Size(seed=seed))
    report = reached_in(by_size(world) if spread == "by size" else world, latency=latency)
    assert report.high_syncs_mean >= 268
    assert report.high_syncs_min >= 210
    assert report.gap_p50 <= 60
    assert report.gap_p95 <= 90
    assert report.gap_max <= 150
    assert report.low_wait <= LONGEST_LOW_WAIT
    crowded = [key.name for key in report.keys if key.over_budget]
    assert crowded == ["key 01"]
    for key in report.keys:
        if not key.over_budget:
            assert key.high_syncs_min >= 299
            assert key.gap_max <= 75
    assert_no_key_above_its_limit(report)


def test_tiers_without_races_and_budgets_are_slower_and_break_the_limit_of_two_keys():
    report = reached("saturday", Way.TIERS)
    assert report.high_syncs_mean == pytest.approx(191, rel=0.1)
    assert report.high_syncs_min == pytest.approx(190, rel=0.1)
    assert report.gap_p50 == pytest.approx(90, rel=0.1)
    assert report.gap_p95 == pytest.approx(106, rel=0.2)
    assert len([key for key in report.keys if key.busiest_hour > key.limit]) == 2


def test_the_old_queue_gives_the_events_of_a_saturday_three_syncs():
    report = reached("saturday", Way.FIFO)
    assert report.high_syncs_mean == pytest.approx(3, abs=0.1)
    assert report.high_syncs_min == 3
    assert report.gap_p50 == pytest.approx(6766, rel=0.15)


def test_an_ordinary_week_keeps_every_promise():
    report = reached("seed", Way.PROJECT88, days=6.5)
    assert report.high_syncs_min >= 299
    assert report.gap_p95 <= 62
    assert report.gap_max <= 75
    assert report.low_wait <= 3600 + 60
    assert not any(key.over_budget for key in report.keys)
    assert_no_key_above_its_limit(report)
