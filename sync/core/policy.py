"""The scheduling policy as data: how early, how often and how many events per cycle, for each tier."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


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
    """The rules of the three tiers. HIGH ends `after_start` after the start; cycles start `cycle` apart."""

    high: TierRule
    medium: TierRule
    low: TierRule
    after_start: timedelta
    cycle: timedelta

    def rule(self, tier: Tier) -> TierRule:
        return {Tier.HIGH: self.high, Tier.MEDIUM: self.medium, Tier.LOW: self.low}[tier]


DEFAULT_POLICY = Policy(
    high=TierRule(lead=timedelta(hours=4), period=timedelta(seconds=60), cap=50, longest_retry=timedelta(minutes=5)),
    medium=TierRule(
        lead=timedelta(hours=24), period=timedelta(seconds=300), cap=20, longest_retry=timedelta(minutes=30)
    ),
    low=TierRule(lead=None, period=timedelta(hours=1), cap=10, longest_retry=timedelta(hours=4)),
    after_start=timedelta(hours=1),
    cycle=timedelta(seconds=10),
)
