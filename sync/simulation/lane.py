"""A lane under the virtual clock: sync.services.lanes and .visits without rows, threads and a provider.

Generators stand for what takes time: each `yield` is a number of seconds that pass before it goes on.
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime, timedelta
from typing import Protocol

from partners.budget import Purpose, free_calls, reserve, spend
from sync.core.cadence import reconcile_due, removals_due
from sync.core.pace import Pace, is_final
from sync.core.policy import Policy, Tier
from sync.core.slots import comes_along, next_due
from sync.core.spending import first_call, kept_from_overtaking, later_call
from sync.core.tiers import tier_at
from sync.core.turns import has_turn, place_in_line
from sync.simulation.history import History, Sync
from sync.simulation.schedule import Entry, KeyEntry, Schedule

# The same as in sync.services.lanes, which cannot be imported here; a test holds them together.
LANE_SECONDS = 40.0
FIRST_CALL_PATIENCE = 3.0
LATER_CALL_PATIENCE = 480.0
LOOK_EVERY = 5.0

Passing = Generator[float, None, None]


class Clock(Protocol):
    now: datetime


class Lane:
    """Walks the picked races of one key, HIGH first or in turn, one call at a time."""

    def __init__(
        self, key: KeyEntry, *, schedule: Schedule, history: History, clock: Clock, policy: Policy, latency: float
    ) -> None:
        self.key = key
        self.schedule = schedule
        self.history = history
        self.clock = clock
        self.policy = policy
        self.latency = latency
        self.pace: Pace = schedule.pace(key, now=clock.now)
        self.deadline = clock.now + timedelta(seconds=LANE_SECONDS)
        self.visiting: list[int] = []
        self.stopped = False

    def run(self) -> Passing:
        while not self.stopped and (work := self._next_work()):
            self.stopped = self.clock.now > self.deadline or not self._has_calls(self._first_purpose(work))
            if not self.stopped:
                yield from self._visit(work)
        # What it did not reach stays due and is first in the next cycle.
        for entry in list(self.key.picked):
            self.schedule.unpick(entry)

    def _next_work(self) -> Entry | None:
        key_id, now = self.key.key.key_id, self.clock.now

        def order(entry: Entry) -> tuple[tuple[int, datetime], int]:
            tier, due_at = entry.tier or Tier.LOW, entry.due_at or now
            return place_in_line(key_id, tier, due_at=due_at, now=now, policy=self.policy), entry.event_id

        picked = (entry for entry in self.key.picked if entry.race_id not in self.visiting)
        return min(picked, key=order, default=None)

    def _has_turn(self, work: Entry) -> bool:
        now = self.clock.now
        return has_turn(self.key.key.key_id, due_at=work.due_at or now, now=now, policy=self.policy)

    def _first_purpose(self, work: Entry) -> Purpose:
        now = self.clock.now
        return first_call(work.tier or Tier.LOW, due_at=work.due_at or now, now=now, policy=self.policy)

    def _has_calls(self, purpose: Purpose, *, kept: int = 0) -> bool:
        limit = self.key.key.limit
        free = free_calls(rate=limit, arrival=self.key.arrival, now=self.clock.now.timestamp())
        return free > kept + reserve(purpose, rate=limit, reserves=self.policy.reserves)

    def _visit(self, work: Entry) -> Passing:
        self.visiting.append(work.race_id)
        started = self.clock.now
        taken: list[Entry] = []
        came_along: set[Entry] = set()
        purpose = self._first_purpose(work)
        for entry in self.key.races[work.race_id]:
            if entry.picked:
                taken.append(entry)
            elif self._comes_along(entry):
                taken.append(entry)
                came_along.add(entry)
                self.schedule.pick(entry)
        full = {entry for entry in taken if self._is_full(entry)}
        for number in range(1, self._calls(taken, full=full, came_along=came_along) + 1):
            first = purpose if number == 1 else None
            allowed = yield from self._gate(work, number=number, first=first)
            if not allowed:
                # Waiting for budget is no failure: its events stay due.
                self.stopped = True
                for entry in taken:
                    self.schedule.unpick(entry)
                break
            yield self.latency
        else:
            for entry in taken:
                self._close(entry, started=started, full=entry in full, came_along=entry in came_along)
        self.visiting.remove(work.race_id)

    def _comes_along(self, entry: Entry) -> bool:
        if entry.tier is None or entry.due_at is None:
            return False
        return comes_along(due_at=entry.due_at, now=self.clock.now, tier=entry.tier, policy=self.policy)

    def _is_full(self, entry: Entry) -> bool:
        return reconcile_due(
            window=entry.window, reconciled_at=entry.reconciled_at, now=self.clock.now, policy=self.policy
        )

    def _calls(self, taken: list[Entry], *, full: set[Entry], came_along: set[Entry]) -> int:
        """One call for what is compared in full, one for what changed in the others, one for those who left."""
        asks_for_removals = bool(full) or any(
            removals_due(
                tier=entry.tier or Tier.LOW,
                visits=entry.visits,
                overloaded=self.pace.overloaded,
                race_id=entry.race_id,
            )
            for entry in taken
            if entry not in came_along
        )
        return bool(full) + (len(full) < len(taken)) + asks_for_removals

    def _gate(self, work: Entry, *, number: int, first: Purpose | None) -> Generator[float, None, bool]:
        """Debit one call, waiting for it as a lane does. False: there is none for this visit now."""
        tier = work.tier or Tier.LOW
        patience = LATER_CALL_PATIENCE if first is None else FIRST_CALL_PATIENCE
        since = self.clock.now
        until = since + timedelta(seconds=patience)
        while True:
            purpose = first or later_call(tier, number=number, waited=self.clock.now - since)
            if first is None and tier is not Tier.HIGH:
                yield from self._overtake(work, kept=kept_from_overtaking(tier, purpose))
            now = self.clock.now.timestamp()
            self.key.arrival, wait = spend(
                rate=self.key.key.limit,
                arrival=self.key.arrival,
                now=now,
                purpose=purpose,
                reserves=self.policy.reserves,
            )
            if not wait:
                self.history.calls[self.key.key.key_id].append(now)
                return True
            if wait > (until - self.clock.now).total_seconds():
                return False
            # A wait below the clock's microsecond would last for ever.
            yield min(max(wait, 0.001), LOOK_EVERY)

    def _overtake(self, slow: Entry, *, kept: int) -> Passing:
        """Between two calls of a less urgent visit, what is HIGH goes first; not while that visit has its turn."""
        while not self.stopped and not self._has_turn(slow):
            work = self._next_work()
            if work is None or work.tier is not Tier.HIGH or not self._has_calls("HIGH", kept=kept):
                return
            yield from self._visit(work)

    def _close(self, entry: Entry, *, started: datetime, full: bool, came_along: bool) -> None:
        now = self.clock.now
        if entry.tier is not None:
            self.history.syncs[entry.event_id].append(Sync(started, now, entry.tier))
        if full:
            entry.reconciled_at = started
        entry.visits += not came_along
        entry.picked = False
        self.key.picked.discard(entry)
        tier = tier_at(entry.window, now=now, policy=self.policy)
        entry.due_at = next_due(
            window=entry.window,
            race_id=entry.race_id,
            now=now,
            policy=self.policy,
            came_along=came_along,
            stretched=self.pace.period(tier, is_final=is_final(entry.window, now=now)) if tier else None,
            due_at=entry.due_at,
        )
        # `next_due` saw to the rest; while its tier holds there is nothing to place, and this is the hottest path.
        if entry.tier_until is not None and now < entry.tier_until:
            self.schedule.wait(entry)
        else:
            self.schedule.place(entry, now=now)
