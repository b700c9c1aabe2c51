"""The scheduling policy as data: how early, how often and how many events per cycle, for each tier."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from partners.budget import BURST, RESERVES, Reserves


class Tier(StrEnum):
    """How urgent an event is; iterated from the most urgent on."""

    HIGH = "HIGH"
    MEDIUM = "MEDIUM"
    LOW = "LOW"


@dataclass(frozen=True, slots=True, kw_only=True)
class TierRule:
    """`lead`: the tier begins this long before the start (None: as soon as the event is known). `cap`: most events of
    it per cycle. `longest_retry`: the back-off after failures never waits longer."""

    lead: timedelta | None
    period: timedelta
    cap: int
    longest_retry: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The rules of the three tiers. HIGH ends `after_start` after the start; cycles start `cycle` apart. `reserves`:
    the calls of a key that must stay free for the more urgent."""

    high: TierRule
    medium: TierRule
    low: TierRule
    after_start: timedelta
    cycle: timedelta
    reserves: Reserves = field(default_factory=lambda: RESERVES)

    def rule(self, tier: Tier) -> TierRule:
        # Asked a million times for a simulated week: no table is built for it.
        if tier is Tier.HIGH:
            return self.high
        return self.medium if tier is Tier.MEDIUM else self.low


DEFAULT_POLICY = Policy(
    high=TierRule(lead=timedelta(hours=4), period=timedelta(seconds=60), cap=50, longest_retry=timedelta(minutes=5)),
    medium=TierRule(
        lead=timedelta(hours=24), period=timedelta(seconds=300), cap=20, longest_retry=timedelta(minutes=30)
    ),
    low=TierRule(lead=None, period=timedelta(hours=1), cap=10, longest_retry=timedelta(hours=4)),
    after_start=timedelta(hours=1),
    cycle=timedelta(seconds=10),
)


def policy_problems(policy: Policy) -> list[str]:
    """Why this policy cannot work, a sentence each that says what would; empty when it can."""
    return [*_lead_problems(policy), *_period_problems(policy), *_size_problems(policy), *_reserve_problems(policy)]


def _lead_problems(policy: Policy) -> list[str]:
    high, medium = policy.high.lead, policy.medium.lead
    if high is None or medium is None or high <= timedelta(0):
        return ["HIGH and MEDIUM need a lead above zero: how long before the start they begin."]
    problems = []
    if high >= medium:
        problems.append(
            f"HIGH's lead {_said(high)} must be shorter than MEDIUM's {_said(medium)}: an event becomes more urgent as "
            "its start comes nearer."
        )
    if policy.after_start < timedelta(0):
        problems.append("HIGH must not end before the start.")
    return problems


def _period_problems(policy: Policy) -> list[str]:
    problems = []
    for urgent, calmer in ((Tier.HIGH, Tier.MEDIUM), (Tier.MEDIUM, Tier.LOW)):
        short, long = policy.rule(urgent).period, policy.rule(calmer).period
        if short <= timedelta(0):
            problems.append(f"{urgent}'s period must be at least a second.")
        elif short >= long:
            problems.append(f"{urgent}'s period {_said(short)} must be shorter than {calmer}'s {_said(long)}.")
        elif long % short:
            problems.append(
                f"{urgent}'s period {_said(short)} must divide {calmer}'s {_said(long)}: only then can a key's whole "
                "budget be used."
            )
    return problems


def _size_problems(policy: Policy) -> list[str]:
    problems = [f"{tier}'s cap must be at least 1 event a cycle." for tier in Tier if policy.rule(tier).cap < 1]
    seconds = policy.cycle.total_seconds()
    if seconds < 1 or 60 % seconds:
        problems.append(
            f"The cycle of {_said(policy.cycle)} must divide a minute: 1, 2, 5, 10, 12, 15, 20, 30 or 60 s."
        )
    elif policy.cycle > policy.high.period:
        problems.append(f"The cycle of {_said(policy.cycle)} must not be longer than HIGH's period.")
    return problems


def _reserve_problems(policy: Policy) -> list[str]:
    order = [policy.reserves[name] for name in ("HIGH", "MEDIUM", "LOW", "background")]
    if order != sorted(order) or order[0] != 0:
        return ["The reserves must grow from MEDIUM over LOW to the background: the less urgent leaves more."]
    if order[-1] >= BURST:
        return [
            f"The background needs {order[-1] + 1} free calls, but a key never has more than {BURST}: at most {BURST}."
        ]
    return []


def _said(duration: timedelta) -> str:
    seconds = int(duration.total_seconds())
    if seconds and seconds % 3600 == 0 and seconds > 3600:
        return f"{seconds // 3600} h"
    return f"{seconds} s"
