"""When a key's races want more calls than it may make: which periods are stretched, by how much, and in what words.

LOW gives first, then MEDIUM, each up to a bound that it keeps: pure priority would starve LOW for whole days. What is
left is HIGH's, shared evenly; races about to start are stretched last. A key too small even for the bounds serves all
its races in turn: HIGH is never stretched further than MEDIUM, nor MEDIUM further than LOW.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from partners.budget import HOUR, Bucket
from sync.core.cadence import REMOVALS_EVERY, REMOVALS_EVERY_OVERLOADED
from sync.core.policy import Policy, Tier
from sync.core.tiers import StartWindow

# The longest that LOW and MEDIUM are stretched to. LOW never waits longer than four hours: a quarter of an hour of that
# is for a visit's turn among the others of its key, and for the visit itself.
LONGEST_LOW = timedelta(hours=3, minutes=45)
LONGEST_MEDIUM = timedelta(minutes=15)
# Around the start, races keep their minute the longest.
FINAL_BEFORE = timedelta(minutes=60)
FINAL_AFTER = timedelta(minutes=15)
# A little of the rate stays for full comparisons, discovery and people's wishes; a key planned to the last call lags.
# Some calls an hour more, which a small key notices, pay back what a change of tiers costs: each race that enters one
# is visited soon, whatever its period is stretched to afterwards.
USABLE = 0.98
SPARE = 4.0
LEAST_USABLE = 0.7
# Periods are whole microseconds: what exceeds by less than this, in calls an hour, is rounding.
DUST = 1e-3


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
    sustained = HOUR / Bucket.of(rate).interval
    return max(sustained * USABLE - SPARE, sustained * LEAST_USABLE)


def pace_of(demand: Demand, *, rate: int, policy: Policy) -> Pace:
    """Stretch LOW, then MEDIUM, then HIGH, until the demand fits `rate` calls an hour."""
    periods = {tier: policy.rule(tier).period for tier in Tier}
    wanted, usable = wanted_per_hour(demand, policy=policy), usable_per_hour(rate)
    final = periods[Tier.HIGH]
    if wanted <= usable:
        return Pace(periods=periods, final=final, wanted=wanted, usable=usable)
    counts = {Tier.HIGH: demand.high, Tier.MEDIUM: demand.medium, Tier.LOW: demand.low}
    bounds = {
        Tier.LOW: max(LONGEST_LOW, periods[Tier.LOW]),
        Tier.MEDIUM: max(LONGEST_MEDIUM, periods[Tier.MEDIUM]),
    }
    for tier in (Tier.LOW, Tier.MEDIUM):
        left = usable - sum(_load(other, counts[other], periods[other]) for other in Tier if other is not tier)
        periods[tier] = _stretched({tier: counts[tier]}, left, shortest=periods[tier], longest=bounds[tier])
    left = usable - sum(_load(tier, counts[tier], periods[tier]) for tier in (Tier.MEDIUM, Tier.LOW))
    calm, room = demand.high - demand.final, left - _load(Tier.HIGH, demand.final, final)
    periods[Tier.HIGH] = _stretched({Tier.HIGH: calm}, room, shortest=final, longest=bounds[Tier.MEDIUM])
    if _load(Tier.HIGH, calm, periods[Tier.HIGH]) > room + DUST:
        # Not even the races about to start can keep their minute: all of HIGH shares what there is.
        shared = {Tier.HIGH: demand.high}
        final = periods[Tier.HIGH] = _stretched(shared, left, shortest=final, longest=bounds[Tier.MEDIUM])
        if _load(Tier.HIGH, demand.high, final) > left + DUST:
            final = _in_turn(periods, counts, usable=usable, longest=bounds[Tier.LOW])
    return Pace(periods=periods, final=final, wanted=wanted, usable=usable)


def _in_turn(
    periods: dict[Tier, timedelta], counts: Mapping[Tier, int], *, usable: float, longest: timedelta
) -> timedelta:
    """HIGH and MEDIUM take turns as equals, and LOW too when even that does not fit; returns HIGH's period."""
    shared = {tier: counts[tier] for tier in (Tier.HIGH, Tier.MEDIUM)}
    left = usable - _load(Tier.LOW, counts[Tier.LOW], periods[Tier.LOW])
    period = _stretched(shared, left, shortest=LONGEST_MEDIUM, longest=longest)
    if sum(_load(tier, races, period) for tier, races in shared.items()) > left + DUST:
        shared = dict(counts)
        period = _stretched(shared, usable, shortest=longest, longest=timedelta.max)
    for tier in shared:
        periods[tier] = period
    return period


def _load(tier: Tier, races: int, period: timedelta) -> float:
    return races * calls_per_visit(tier, overloaded=True) * HOUR / period.total_seconds()


def _stretched(races: Mapping[Tier, int], left: float, *, shortest: timedelta, longest: timedelta) -> timedelta:
    """The common period at which `races` need at most `left` calls an hour, within its bounds."""
    calls = sum(number * calls_per_visit(tier, overloaded=True) for tier, number in races.items())
    if calls == 0:
        return shortest
    if left <= 0:
        return longest
    return min(max(timedelta(seconds=calls * HOUR / left), shortest), longest)
