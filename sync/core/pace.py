"""When a key's races want more calls than it may make: which periods are stretched, by how much, and in what words.

LOW gives first, then MEDIUM, each up to a bound that it keeps: pure priority would starve LOW for whole days. What is
left is HIGH's, shared evenly; races about to start are stretched last.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from partners.budget import HOUR, Bucket
from sync.core.cadence import REMOVALS_EVERY, REMOVALS_EVERY_OVERLOADED
from sync.core.policy import Policy, Tier
from sync.core.tiers import StartWindow

# The longest that LOW and MEDIUM are stretched to.
LONGEST_LOW = timedelta(hours=4)
LONGEST_MEDIUM = timedelta(minutes=15)
# Around the start, races keep their minute the longest.
FINAL_BEFORE = timedelta(minutes=60)
FINAL_AFTER = timedelta(minutes=15)
# A little of the rate stays for full comparisons, discovery and people's wishes; a key planned to the last call lags.
USABLE = 0.96


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """Races of one key, each counted in the most urgent tier of its events. `final`: those of `high` that start within
    the hour or started a quarter of an hour ago."""

    high: int
    medium: int
    low: int
    final: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The periods that a key's events have now. `wanted` and `usable` in calls an hour; `final` is the period of the
    races about to start. Not overloaded: all periods are the policy's."""

    periods: Mapping[Tier, timedelta]
    final: timedelta
    wanted: float
    usable: float

    @property
    def overloaded(self) -> bool:
        return self.wanted > self.usable

    def period(self, tier: Tier, *, is_final: bool) -> timedelta:
        """What an event of this tier has; `is_final`: its race is about to start."""
        return self.final if tier is Tier.HIGH and is_final else self.periods[tier]


def is_final(window: StartWindow | None, *, now: datetime) -> bool:
    """Whether the event starts within the hour or started within the last quarter of an hour."""
    return window is not None and window.earliest - FINAL_BEFORE <= now <= window.latest + FINAL_AFTER


def calls_per_visit(tier: Tier, *, overloaded: bool = False) -> float:
    """One for the list, and one more at every n-th visit for those who left."""
    every = REMOVALS_EVERY_OVERLOADED if overloaded else REMOVALS_EVERY
    return 1 + 1 / every[tier]


def wanted_per_hour(demand: Demand, *, policy: Policy) -> float:
    """Calls an hour when nothing is stretched."""
    races = {Tier.HIGH: demand.high, Tier.MEDIUM: demand.medium, Tier.LOW: demand.low}
    return sum(
        count * calls_per_visit(tier) * HOUR / policy.rule(tier).period.total_seconds() for tier, count in races.items()
    )


def usable_per_hour(rate: int) -> float:
    """What a key of this rate can sustain beside its burst."""
    return HOUR / Bucket.of(rate).interval * USABLE


def pace_of(demand: Demand, *, rate: int, policy: Policy) -> Pace:
    """Stretch LOW, then MEDIUM, then HIGH, until the demand fits `rate` calls an hour."""
    periods = {tier: policy.rule(tier).period for tier in Tier}
    wanted, usable = wanted_per_hour(demand, policy=policy), usable_per_hour(rate)
    final = periods[Tier.HIGH]
    if wanted <= usable:
        return Pace(periods=periods, final=final, wanted=wanted, usable=usable)
    counts = {Tier.HIGH: demand.high, Tier.MEDIUM: demand.medium, Tier.LOW: demand.low}
    for tier, longest in ((Tier.LOW, LONGEST_LOW), (Tier.MEDIUM, LONGEST_MEDIUM)):
        left = usable - sum(_load(other, counts[other], periods[other]) for other in Tier if other is not tier)
        periods[tier] = _stretched(tier, counts[tier], left, shortest=periods[tier], longest=longest)
    left = usable - sum(_load(tier, counts[tier], periods[tier]) for tier in (Tier.MEDIUM, Tier.LOW))
    calm = demand.high - demand.final
    room = left - _load(Tier.HIGH, demand.final, final)
    periods[Tier.HIGH] = _stretched(Tier.HIGH, calm, room, shortest=final, longest=LONGEST_MEDIUM)
    over = _load(Tier.HIGH, demand.final, final) + _load(Tier.HIGH, calm, periods[Tier.HIGH]) > left
    if over:
        # Not even the races about to start can keep their minute: all of HIGH shares what there is.
        final = periods[Tier.HIGH] = _stretched(
            Tier.HIGH, demand.high, left, shortest=policy.high.period, longest=LONGEST_LOW
        )
    return Pace(periods=periods, final=final, wanted=wanted, usable=usable)


def _load(tier: Tier, races: int, period: timedelta) -> float:
    return races * calls_per_visit(tier, overloaded=True) * HOUR / period.total_seconds()


def _stretched(tier: Tier, races: int, left: float, *, shortest: timedelta, longest: timedelta) -> timedelta:
    """The period at which `races` need at most `left` calls an hour, within its bounds."""
    if races == 0:
        return shortest
    if left <= 0:
        return longest
    seconds = races * calls_per_visit(tier, overloaded=True) * HOUR / left
    return min(max(timedelta(seconds=seconds), shortest), longest)
