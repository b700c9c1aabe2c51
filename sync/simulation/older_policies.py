"""What Project88 is compared with: the old queue, and the tiers without races, slots and call budgets.

Both make one call per event and ask no key how much it may call.
"""

from __future__ import annotations

import heapq
from datetime import datetime, timedelta

from sync.core.policy import Policy, Tier
from sync.core.tiers import tier_at
from sync.simulation.history import History, Progress, Sync
from sync.simulation.schedule import Entry, Schedule
from sync.simulation.world import World

# What one event took in the old system: 644 of them in 2.8 hours.
FIFO_SECONDS = 16.0
# "tiers" has so many events under way at once.
PROCESSES = 3
# Events or cycles between two reports of progress.
TELL_EVERY = 1000


def fifo(world: World, *, policy: Policy, progress: Progress) -> History:
    """All events in one queue, one after the other; each joins the end of it again when its period is over."""
    history = History()
    entries = Schedule(world, policy).entries
    queue = [(entry.due_at or world.begins, entry.event_id) for entry in entries.values()]
    heapq.heapify(queue)
    now, done = world.begins, 0
    while queue:
        due_at, event_id = heapq.heappop(queue)
        now = max(now, due_at)
        if now > world.ends:
            break
        entry = entries[event_id]
        tier = tier_at(entry.window, now=now, policy=policy)
        if tier is None:
            continue
        finished = now + timedelta(seconds=FIFO_SECONDS)
        _record(history, entry, tier, started=now, finished=finished)
        heapq.heappush(queue, (finished + policy.rule(tier).period, event_id))
        now, done = finished, done + 1
        if done % TELL_EVERY == 0:
            progress((now - world.begins) / (world.ends - world.begins))
    return history


def tiers(world: World, *, policy: Policy, latency: float, progress: Progress) -> History:
    """Every ten seconds a cycle: the most overdue 50, 20 and 10 events of the tiers, shared among a few processes.

    A cycle that takes longer lets the next ones out.
    """
    history = History()
    schedule = Schedule(world, policy)
    now, cycles = world.begins, 0
    while now <= world.ends:
        schedule.advance(now=now)
        free_at = [now] * PROCESSES
        for entry, tier in _most_overdue(schedule, policy):
            started = heapq.heappop(free_at)
            finished = started + timedelta(seconds=latency)
            heapq.heappush(free_at, finished)
            _record(history, entry, tier, started=started, finished=finished)
            schedule.due.discard(entry)
            entry.due_at = finished + policy.rule(tier).period
            schedule.place(entry, now=finished)
        busy = max(policy.cycle, max(free_at) - now)
        now += -(-busy // policy.cycle) * policy.cycle
        cycles += 1
        if cycles % TELL_EVERY == 0:
            progress((now - world.begins) / (world.ends - world.begins))
    return history


def _most_overdue(schedule: Schedule, policy: Policy) -> list[tuple[Entry, Tier]]:
    due: dict[Tier, list[tuple[datetime, int]]] = {tier: [] for tier in Tier}
    for entry in schedule.due:
        if entry.tier is not None and entry.due_at is not None:
            due[entry.tier].append((entry.due_at, entry.event_id))
    return [
        (schedule.entries[event_id], tier)
        for tier, waiting in due.items()
        for _, event_id in sorted(waiting)[: policy.rule(tier).cap]
    ]


def _record(history: History, entry: Entry, tier: Tier, *, started: datetime, finished: datetime) -> None:
    history.syncs[entry.event_id].append(Sync(started, finished, tier))
    history.calls[entry.key.key.key_id].append(started.timestamp())
