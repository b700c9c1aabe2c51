"""Was the promise kept? Judged from the history of runs and cycles, and from the provider's ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sync.core.policy import Policy, Tier
from sync.demo.figures import (
    GOOD,
    CycleFigures,
    HighFigures,
    KeyFigures,
    TierFigures,
    cycle_figures,
    good_runs,
    high_figures,
    key_figures,
    key_paces,
    tier_figures,
)
from sync.models import SyncRun

# Seconds that a HIGH sync of a key within its budget may begin after it is due: nearly all of them, and any.
LATE_P95 = 10.0
LATE_MOST = 30.0
# Over its period, for the wait until the next cycle and the visits of its lane before it: how old a HIGH list becomes
# at most. A minute and a quarter for who is promised a minute.
OLDEST_OVER_PERIOD = 15.0
# Between two cycles, and for one cycle (policy: longer is an alert).
LONGEST_CYCLE = timedelta(seconds=60)
MOST_AT_ONCE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`broken`: a sentence per way in which the promise was broken; empty when it was kept."""

    seconds: float
    tiers: tuple[TierFigures, ...]
    high: tuple[HighFigures, ...]
    cycles: CycleFigures
    keys: tuple[KeyFigures, ...]
    errors: Mapping[str, int]
    broken: tuple[str, ...]


def promise_judge(
    *, since: datetime, until: datetime, ledger: Mapping[str, Mapping[str, Any]], policy: Policy
) -> Verdict:
    """Judge what happened from `since` (the cluster was started) to `until`. `ledger`: the sandbox's, per key."""
    runs = good_runs(since=since, until=until)
    paces = key_paces(now=until, policy=policy)
    tiers = tuple(tier_figures(tier, runs, since=since, until=until, policy=policy) for tier in Tier)
    high = high_figures(runs, paces, since=since, until=until, policy=policy)
    cycles = cycle_figures(since=since, until=until)
    keys = tuple(key_figures(ledger))
    bad = SyncRun.objects.filter(started_at__gte=since, outcome__gt="").exclude(outcome__in=GOOD)
    errors = Counter(bad.values_list("outcome", flat=True))
    broken = [
        *_tiers_broken(tiers, policy=policy),
        *_high_broken(high),
        *_cycles_broken(cycles),
        *_keys_broken(keys),
        *(f"{count} syncs ended as {outcome}." for outcome, count in sorted(errors.items())),
    ]
    return Verdict(
        seconds=(until - since).total_seconds(),
        tiers=tiers,
        high=high,
        cycles=cycles,
        keys=keys,
        errors=errors,
        broken=tuple(broken),
    )


def _tiers_broken(tiers: Sequence[TierFigures], *, policy: Policy) -> list[str]:
    broken = []
    for figures in tiers:
        if figures.picked_most > figures.cap:
            broken.append(f"A cycle picked {figures.picked_most} {figures.tier} events; {figures.cap} are allowed.")
        # HIGH has bounds of its own.
        period = policy.rule(figures.tier).period.total_seconds()
        if figures.tier is not Tier.HIGH and figures.late.most > period:
            broken.append(
                f"A {figures.tier} sync began {figures.late.most:.0f} s late, over its period of {period:.0f} s."
            )
    return broken


def _high_broken(groups: Sequence[HighFigures]) -> list[str]:
    broken = []
    for group in groups:
        who = "an overloaded key" if group.overloaded else "a key within its budget"
        allowed = group.period + OLDEST_OVER_PERIOD
        if group.oldest > allowed:
            broken.append(
                f"The list of a HIGH event of {who} was {group.oldest:.0f} s old; {allowed:.0f} s are allowed."
            )
        # Whoever wants more calls than there are waits for calls: its gaps are the promise.
        if group.overloaded:
            continue
        if group.late.p95 > LATE_P95:
            broken.append(
                f"One in 20 HIGH syncs of keys within their budget began more than {group.late.p95:.1f} s late; "
                f"{LATE_P95:.0f} s are allowed."
            )
        if group.late.most > LATE_MOST:
            broken.append(
                f"A HIGH sync of a key within its budget began {group.late.most:.1f} s late; "
                f"{LATE_MOST:.0f} s are allowed."
            )
    return broken


def _cycles_broken(cycles: CycleFigures) -> list[str]:
    longest = LONGEST_CYCLE.total_seconds()
    broken = []
    if cycles.longest > longest:
        broken.append(f"A cycle took {cycles.longest:.0f} s; {longest:.0f} s are allowed.")
    if cycles.longest_gap > longest:
        broken.append(f"For {cycles.longest_gap:.0f} s no cycle began; {longest:.0f} s are allowed.")
    return broken


def _keys_broken(keys: Sequence[KeyFigures]) -> list[str]:
    broken = []
    for key in keys:
        if key.busiest_hour > key.limit:
            broken.append(f"{key.name}: {key.busiest_hour} calls within an hour, {key.limit} are allowed.")
        if key.most_at_once > MOST_AT_ONCE:
            broken.append(f"{key.name}: {key.most_at_once} calls at once, {MOST_AT_ONCE} are allowed.")
    return broken
