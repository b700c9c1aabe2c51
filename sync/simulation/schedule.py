"""The schedule of a simulated world: which event is due when, kept in memory instead of in rows."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sync.core.pace import FINAL_AFTER, FINAL_BEFORE, Pace, is_final, pace_of
from sync.core.placing import place_of
from sync.core.policy import Policy, Tier
from sync.core.slots import slot_at_or_after
from sync.core.tiers import StartWindow, tier_at
from sync.simulation.world import Key, PlannedEvent, World, demand_of


@dataclass(slots=True, eq=False)
class Entry:
    """One event's place in the schedule, as `EventSync` keeps it."""

    event_id: int
    race_id: int
    key: KeyEntry
    window: StartWindow | None
    visits: int
    reconciled_at: datetime | None
    tier: Tier | None
    due_at: datetime | None
    tier_until: datetime | None = None
    picked: bool = False


@dataclass(slots=True, eq=False)
class KeyEntry:
    """A key at work: `arrival` is the state of its call budget (Unix seconds), `picked` the work list of its lane."""

    key: Key
    arrival: float = 0.0
    has_lane: bool = False
    events: list[Entry] = field(default_factory=list)
    races: dict[int, list[Entry]] = field(default_factory=dict)
    picked: set[Entry] = field(default_factory=set)
    pace: Pace | None = None
    pace_until: datetime | None = None


class Schedule:
    """Events by due time and by tier change. The order of the world's events does not matter."""

    def __init__(self, world: World, policy: Policy) -> None:
        self.policy = policy
        self.keys = {key.key_id: KeyEntry(key) for key in world.keys}
        self.entries: dict[int, Entry] = {}
        self.due: set[Entry] = set()
        self._by_due: list[tuple[datetime, int]] = []
        self._by_tier: list[tuple[datetime, int]] = []
        for event in sorted(world.events, key=lambda event: event.event_id):
            self._add(event, now=world.begins)

    def _add(self, event: PlannedEvent, *, now: datetime) -> None:
        key = self.keys[event.key_id]
        tier = tier_at(event.window, now=now, policy=self.policy)
        if tier is None:
            return
        period = self.policy.rule(tier).period
        entry = Entry(
            event_id=event.event_id,
            race_id=event.race_id,
            key=key,
            window=event.window,
            visits=event.visits,
            reconciled_at=event.reconciled_at,
            tier=tier,
            due_at=event.due_at or slot_at_or_after(now, race_id=event.race_id, period=period, cycle=self.policy.cycle),
        )
        self.entries[event.event_id] = entry
        key.events.append(entry)
        key.races.setdefault(event.race_id, []).append(entry)
        self.place(entry, now=now)

    def place(self, entry: Entry, *, now: datetime) -> None:
        """Set tier and due time."""
        found = place_of(
            tier=entry.tier,
            due_at=entry.due_at,
            window=entry.window,
            race_id=entry.race_id,
            now=now,
            policy=self.policy,
        )
        moved = (entry.tier, entry.tier_until) != (found.tier, found.tier_until)
        entry.tier, entry.tier_until, entry.due_at = found.tier, found.tier_until, found.due_at
        self.wait(entry)
        if moved:
            entry.key.pace = None
            if entry.tier_until is not None:
                heapq.heappush(self._by_tier, (entry.tier_until, entry.event_id))

    def wait(self, entry: Entry) -> None:
        """Until its due time, unless it is picked or not due any more."""
        if entry.due_at is not None and not entry.picked:
            heapq.heappush(self._by_due, (entry.due_at, entry.event_id))

    def advance(self, *, now: datetime) -> None:
        """Re-tier the events whose tier changes by now, and gather what is due and not picked."""
        while self._by_tier and self._by_tier[0][0] <= now:
            until, event_id = heapq.heappop(self._by_tier)
            entry = self.entries[event_id]
            if entry.tier_until == until:
                self.place(entry, now=now)
        while self._by_due and self._by_due[0][0] <= now:
            due_at, event_id = heapq.heappop(self._by_due)
            entry = self.entries[event_id]
            if entry.due_at == due_at and not entry.picked:
                self.due.add(entry)

    def pick(self, entry: Entry) -> None:
        entry.picked = True
        entry.key.picked.add(entry)
        self.due.discard(entry)

    def unpick(self, entry: Entry) -> None:
        """It stays due, and is looked at by the next cycle."""
        entry.picked = False
        entry.key.picked.discard(entry)
        self.wait(entry)

    def pace(self, key: KeyEntry, *, now: datetime) -> Pace:
        """The key's pace at `now`. Kept until a tier changes or a start comes near: until then it is the same."""
        if key.pace is None or key.pace_until is None or now >= key.pace_until:
            scheduled = [entry for entry in key.events if entry.tier is not None and entry.due_at is not None]
            demand = demand_of(
                (entry.race_id, entry.tier, is_final(entry.window, now=now)) for entry in scheduled if entry.tier
            )
            key.pace = pace_of(demand, rate=key.key.limit, policy=self.policy)
            edges = [edge for entry in scheduled for edge in _final_edges(entry.window) if edge > now]
            key.pace_until = min(edges, default=datetime.max.replace(tzinfo=now.tzinfo))
        return key.pace


def _final_edges(window: StartWindow | None) -> tuple[datetime, ...]:
    if window is None:
        return ()
    # Both ends belong to it.
    return window.earliest - FINAL_BEFORE, window.latest + FINAL_AFTER + timedelta.resolution
