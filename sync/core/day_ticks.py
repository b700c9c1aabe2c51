"""An event's last day as its planned syncs: which were made, and how long it lasted where none was. Pure.

The last day goes from the first moment of MEDIUM to the last one of HIGH: 540 planned syncs with the default policy.
All is reckoned in UTC, so no clock change adds or loses one. Planned times are the race's own slots: a sync that begins
some seconds after its slot belongs to it, and a complete row of ticks looks complete.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from sync.core.policy import Policy, Tier
from sync.core.receipt import begins_at, owed_syncs
from sync.core.slots import slot_at_or_after
from sync.core.status import LATE_AFTER, OVERDUE_AFTER
from sync.core.tiers import StartWindow, finished_after, tier_begins

# A sync may begin a cycle after its slot, and the one before it did not: that alone makes no gap longer.
SLACK = 0.2


class State(StrEnum):
    """Of a planned sync, the worst first. MISSED is refined by the gap in which it lies; NOT_KNOWN: nothing is recorded
    of that time; AHEAD: its time has not passed yet."""

    MISSED = "missed"
    NOT_KNOWN = "not known"
    DONE = "done"
    AHEAD = "ahead"


class Length(StrEnum):
    """How long a gap is, in the words of the status pages: over two periods since the last sync is late by over one."""

    SHORT = "short"
    LATE = "late"
    OVERDUE = "overdue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A time without a good sync, from the start of one to that of the next. `periods`: how many periods long;
    `is_open`: it goes on. `tries`: those in it that brought nothing."""

    begins: datetime
    ends: datetime
    periods: float
    is_open: bool
    tries: int

    @property
    def lasted(self) -> timedelta:
        return self.ends - self.begins

    @property
    def length(self) -> Length:
        # One was due a period after the last sync: from there on it is as late as the status pages say.
        if self.periods > 1 + OVERDUE_AFTER + SLACK:
            return Length.OVERDUE
        return Length.LATE if self.periods > 1 + LATE_AFTER + SLACK else Length.SHORT


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A planned sync. `ends`: when the next one is planned; `gap`: of a missed one."""

    at: datetime
    ends: datetime
    tier: Tier
    state: State
    gap: Gap | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """`longest`: the gap that is most periods long, of the time of which something is known; None without any."""

    begins: datetime
    high_begins: datetime
    ends: datetime
    ticks: tuple[Tick, ...]
    longest: Gap | None

    @property
    def planned(self) -> int:
        return len(self.ticks)

    def count(self, state: State) -> int:
        return sum(tick.state is state for tick in self.ticks)

    @property
    def passed(self) -> int:
        """How many planned times have passed, of the time of which something is known."""
        return self.count(State.DONE) + self.count(State.MISSED)


def day_of(
    window: StartWindow,
    *,
    race_id: int,
    good: Sequence[datetime],
    bad: Sequence[datetime],
    known_since: datetime,
    now: datetime,
    policy: Policy,
) -> Day:
    """`race_id`: the provider's, which phases the slots; `good`, `bad`: when syncs began, oldest first; `known_since`:
    of the time before it nothing is recorded."""
    begins, ends = begins_at(window, policy=policy), finished_after(window, policy=policy)
    since, until = max(begins, known_since), min(now, ends)
    gaps = _gaps(window, good, bad, since=since, until=until, is_over=now > ends, policy=policy)
    slots = _slots(window, race_id=race_id, policy=policy)
    limits = [at for at, _tier in slots] + [ends]
    made = {bisect_right(limits, at) - 1 for at in good}
    if any(begins <= at < limits[0] for at in good):
        # The visit with which MEDIUM begins comes at once, before the first slot; it is the first planned one.
        made.add(0)
    starts = [gap.begins for gap in gaps]
    ticks = []
    for place, ((at, tier), after) in enumerate(zip(slots, limits[1:], strict=True)):
        state, gap = State.DONE if place in made else State.AHEAD, None
        if state is State.AHEAD and after <= until:
            state, gap = _missed(at, after, gaps, starts, since=since)
        ticks.append(Tick(at=at, ends=after, tier=tier, state=state, gap=gap))
    return Day(
        begins=begins,
        high_begins=tier_begins(window, Tier.HIGH, policy=policy),
        ends=ends,
        ticks=tuple(ticks),
        longest=max(gaps, key=lambda gap: gap.periods, default=None),
    )


def _missed(
    at: datetime, after: datetime, gaps: Sequence[Gap], starts: Sequence[datetime], *, since: datetime
) -> tuple[State, Gap | None]:
    if after <= since or not gaps:
        return State.NOT_KNOWN, None
    # No sync began from `at` on and before `after`, so one gap covers it; its own start may lie a little later.
    return State.MISSED, gaps[max(0, bisect_right(starts, max(at, since)) - 1)]


def _slots(window: StartWindow, *, race_id: int, policy: Policy) -> list[tuple[datetime, Tier]]:
    found = []
    for tier, since, until in _tiers(window, policy=policy):
        period = policy.rule(tier).period
        slot = slot_at_or_after(since, race_id=race_id, period=period, cycle=policy.cycle)
        while slot < until:
            found.append((slot, tier))
            slot += period
    return found


def _tiers(window: StartWindow, *, policy: Policy) -> tuple[tuple[Tier, datetime, datetime], ...]:
    high = tier_begins(window, Tier.HIGH, policy=policy)
    return (
        (Tier.MEDIUM, begins_at(window, policy=policy), high),
        (Tier.HIGH, high, finished_after(window, policy=policy)),
    )


def _gaps(
    window: StartWindow,
    good: Iterable[datetime],
    bad: Sequence[datetime],
    *,
    since: datetime,
    until: datetime,
    is_over: bool,
    policy: Policy,
) -> list[Gap]:
    inside = [at for at in good if since < at < until]
    high = tier_begins(window, Tier.HIGH, policy=policy)
    return [
        Gap(
            begins=first,
            ends=last,
            # Nearly all of some hundred gaps lie in HIGH: there it is one division.
            periods=(last - first) / policy.high.period
            if first >= high
            else owed_syncs(window, begins=first, ends=last, policy=policy),
            is_open=last == until and not is_over,
            tries=bisect_right(bad, last) - bisect_right(bad, first),
        )
        for first, last in pairwise([since, *inside, until])
        if last > first
    ]
