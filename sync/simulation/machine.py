"""Project88 under a virtual clock: the production planner, slots, pace and call budget, a cycle every ten seconds.

What is simplified: a cycle takes no time and sees every due event, lists fit one page, and no call fails.
"""

from __future__ import annotations

import heapq
from collections import deque
from datetime import datetime, timedelta
from itertools import count

from partners.budget import free_calls
from sync.core.planning import Candidate, KeyState, Verdict, plan
from sync.core.policy import Policy
from sync.simulation.history import History, Progress
from sync.simulation.lane import Lane, Passing
from sync.simulation.schedule import KeyEntry, Schedule
from sync.simulation.world import World

# Lanes at work at once: the processes of the queue "sync". A test holds this and the settings together.
WORKERS = 8
# Cycles between two reports of progress.
TELL_EVERY = 360


class Machine:
    """One run of a world. `now` is its clock."""

    def __init__(self, world: World, *, policy: Policy, latency: float) -> None:
        self.world = world
        self.policy = policy
        self.latency = latency
        self.now = world.begins
        self.history = History()
        self.schedule = Schedule(world, policy)
        self._agenda: list[tuple[datetime, int, KeyEntry, Passing]] = []
        self._order = count()
        self._waiting: deque[KeyEntry] = deque()
        self._working = 0

    def run(self, progress: Progress) -> History:
        cycle, cycles = self.world.begins, 0
        while cycle <= self.world.ends:
            self._pass_until(cycle)
            self._cycle()
            cycle += self.policy.cycle
            cycles += 1
            if cycles % TELL_EVERY == 0:
                progress((cycle - self.world.begins) / (self.world.ends - self.world.begins))
        self._pass_until(self.world.ends)
        return self.history

    def _pass_until(self, moment: datetime) -> None:
        while self._agenda and self._agenda[0][0] <= moment:
            self.now, _, key, lane = heapq.heappop(self._agenda)
            self._go_on(key, lane)
        self.now = moment

    def _go_on(self, key: KeyEntry, lane: Passing) -> None:
        seconds = next(lane, None)
        if seconds is not None:
            heapq.heappush(self._agenda, (self.now + timedelta(seconds=seconds), next(self._order), key, lane))
            return
        key.has_lane = False
        self._working -= 1
        if self._waiting:
            self._begin_lane(self._waiting.popleft())

    def _cycle(self) -> None:
        schedule = self.schedule
        schedule.advance(now=self.now)
        if schedule.due:
            candidates = [
                Candidate(
                    event_id=entry.event_id,
                    race_id=entry.race_id,
                    credential_id=entry.key.key.key_id,
                    partner_id=entry.key.key.partner_id,
                    tier=entry.tier,
                    due_at=entry.due_at,
                )
                for entry in schedule.due
                if entry.tier is not None and entry.due_at is not None
            ]
            self._pick(candidates)
        for key in schedule.keys.values():
            if key.picked and not key.has_lane:
                self._call_lane(key)

    def _pick(self, candidates: list[Candidate]) -> None:
        keys = {candidate.credential_id: self._state(candidate.credential_id) for candidate in candidates}
        picked = dict.fromkeys(self.history.most_picked, 0)
        for decision in plan(candidates, keys, now=self.now, policy=self.policy):
            if decision.verdict is Verdict.RUN:
                self.schedule.pick(self.schedule.entries[decision.event_id])
                picked[decision.tier] += 1
        self.history.most_picked = {tier: max(most, picked[tier]) for tier, most in self.history.most_picked.items()}

    def _state(self, key_id: int) -> KeyState:
        key = self.schedule.keys[key_id]
        limit = key.key.limit
        free = free_calls(rate=limit, arrival=key.arrival, now=self.now.timestamp())
        return KeyState(credential_id=key_id, free=free, limit=limit)

    def _call_lane(self, key: KeyEntry) -> None:
        key.has_lane = True
        if self._working < WORKERS:
            self._begin_lane(key)
        else:
            self._waiting.append(key)

    def _begin_lane(self, key: KeyEntry) -> None:
        self._working += 1
        lane = Lane(
            key,
            schedule=self.schedule,
            history=self.history,
            clock=self,
            policy=self.policy,
            latency=self.latency,
        )
        self._go_on(key, lane.run())
