"""What a simulation showed: HIGH's syncs and the gaps between them, LOW's longest wait, and each key's calls."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from partners.budget import HOUR
from sync.core.forecast import EventStart, forecast
from sync.core.policy import Policy, Tier
from sync.core.tiers import finished_after, tier_at, tier_begins
from sync.simulation.history import History
from sync.simulation.world import Key, PlannedEvent, World


@dataclass(frozen=True, slots=True, kw_only=True)
class HighEvent:
    """An event whose whole HIGH time was simulated. `gaps`: seconds between its syncs; `longest` also counts the time
    before the first and after the last one."""

    event_id: int
    key_id: int
    syncs: int
    gaps: tuple[float, ...]
    longest: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyReport:
    """`wanted`: the most calls an hour that its races asked for at any time; over budget when that is more than the key
    can sustain. `busiest_hour`: the most calls in any 3,600 seconds. None: it had no HIGH event."""

    name: str
    limit: int
    over_budget: bool
    wanted: float
    busiest_hour: int
    high_syncs_min: int | None
    gap_max: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Gaps and waits in seconds; None where the world has nothing of the kind. `syncs`: of the counted event."""

    world: str
    syncs: int | None
    high: tuple[HighEvent, ...]
    gap_p50: float | None
    gap_p95: float | None
    gap_max: float | None
    low_wait: float | None
    keys: tuple[KeyReport, ...]

    @property
    def high_syncs_mean(self) -> float | None:
        return sum(event.syncs for event in self.high) / len(self.high) if self.high else None

    @property
    def high_syncs_min(self) -> int | None:
        return min((event.syncs for event in self.high), default=None)


def report_of(world: World, history: History, *, policy: Policy) -> Report:
    all_high = [found for event in world.events if (found := _high_event(world, event, history, policy=policy))]
    high = [event for event in all_high if world.counted_event in (None, event.event_id)]
    gaps = sorted(gap for event in high for gap in event.gaps)
    return Report(
        world=world.name,
        syncs=_syncs_of_counted(world, history, policy=policy),
        high=tuple(high),
        gap_p50=percentile(gaps, 50),
        gap_p95=percentile(gaps, 95),
        gap_max=max((event.longest for event in high), default=None),
        low_wait=_low_wait(world, history, policy=policy),
        keys=tuple(_key_report(key, world, all_high, history, policy=policy) for key in world.keys),
    )


def percentile(ordered: Sequence[float], percent: float) -> float | None:
    """Nearest rank; None of nothing."""
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)] if ordered else None


def _between(moments: Iterable[datetime], begins: datetime, ends: datetime) -> list[datetime]:
    return [moment for moment in moments if begins <= moment <= ends]


def _gaps(moments: Sequence[datetime]) -> tuple[float, ...]:
    return tuple((after - before).total_seconds() for before, after in pairwise(moments))


def _high_event(world: World, event: PlannedEvent, history: History, *, policy: Policy) -> HighEvent | None:
    if event.window is None:
        return None
    begins = tier_begins(event.window, Tier.HIGH, policy=policy)
    ends = finished_after(event.window, policy=policy)
    if begins < world.begins or ends > world.ends:
        return None
    started = _between((sync.started for sync in history.syncs.get(event.event_id, ())), begins, ends)
    return HighEvent(
        event_id=event.event_id,
        key_id=event.key_id,
        syncs=len(started),
        gaps=_gaps(started),
        longest=max(_gaps([begins, *started, ends])),
    )


def _syncs_of_counted(world: World, history: History, *, policy: Policy) -> int | None:
    """In its whole last day: from the first moment of MEDIUM to the last one of HIGH."""
    event = next((event for event in world.events if event.event_id == world.counted_event), None)
    if event is None or event.window is None:
        return None
    begins = tier_begins(event.window, Tier.MEDIUM, policy=policy)
    ends = finished_after(event.window, policy=policy)
    started = [sync.started for sync in history.syncs.get(event.event_id, ())]
    return len(_between(started, begins, ends))


def _low_wait(world: World, history: History, *, policy: Policy) -> float | None:
    """The longest that a LOW event waited from the end of one sync to the start of the next, or to the end."""
    waits = [wait for event in world.events for wait in _low_waits(world, event, history, policy=policy)]
    return max(waits, default=None)


def _low_waits(world: World, event: PlannedEvent, history: History, *, policy: Policy) -> Iterable[float]:
    if tier_at(event.window, now=world.begins, policy=policy) is not Tier.LOW:
        return
    ends = world.ends
    if event.window is not None:
        ends = min(ends, tier_begins(event.window, Tier.MEDIUM, policy=policy))
    since = world.begins
    for sync in history.syncs.get(event.event_id, ()):
        if sync.started > ends:
            break
        yield (sync.started - since).total_seconds()
        since = sync.finished
    yield max(0.0, (ends - since).total_seconds())


def _key_report(key: Key, world: World, high: Sequence[HighEvent], history: History, *, policy: Policy) -> KeyReport:
    own = [event for event in high if event.key_id == key.key_id]
    starts = [
        EventStart(race_id=event.race_id, window=event.window) for event in world.events if event.key_id == key.key_id
    ]
    known = forecast(starts, begins=world.begins, ends=world.ends, limit=key.limit, zone=UTC, policy=policy)
    return KeyReport(
        name=key.name,
        limit=key.limit,
        over_budget=bool(known.overloads),
        wanted=max(interval.wanted for interval in known.intervals),
        busiest_hour=busiest_hour(history.calls.get(key.key_id, ())),
        high_syncs_min=min((event.syncs for event in own), default=None),
        gap_max=max((event.longest for event in own), default=None),
    )


def busiest_hour(calls: Sequence[float]) -> int:
    """The most of these moments (Unix seconds) in any 3,600 seconds."""
    ordered, most, first = sorted(calls), 0, 0
    for last, moment in enumerate(ordered):
        while ordered[first] <= moment - HOUR:
            first += 1
        most = max(most, last - first + 1)
    return most


def syncs_over_time(world: World, history: History, *, buckets: int) -> tuple[timedelta, list[dict[Tier, int]]]:
    """(length of a bucket, syncs of each tier in each) of the world's time; of the counted event if there is one."""
    length = (world.ends - world.begins) / buckets
    counts = [dict.fromkeys(Tier, 0) for _ in range(buckets)]
    for event_id, syncs in history.syncs.items():
        if world.counted_event not in (None, event_id):
            continue
        for sync in syncs:
            place = min(buckets - 1, (sync.started - world.begins) // length)
            counts[place][sync.tier] += 1
    return length, counts
