"""Was the promise kept? Lateness and gaps per tier over a stretch of time, from the history of runs."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from partners.models import Credential
from sync.core.policy import DEFAULT_POLICY, Tier
from sync.core.tiers import tier_begins
from sync.models import EventSync, Outcome, SyncRun, Trigger
from sync.services.event_schedule import window_of

GOOD = {Outcome.OK.value, Outcome.UNCHANGED.value}
# What "every minute" means to somebody who looks at the list: a HIGH event is never older than this.
OLDEST_HIGH = timedelta(seconds=75)
MOST_AT_ONCE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class TierFigures:
    """Seconds. `lateness` is (p50, p95, max) of start minus due, of what the plan picked."""

    tier: Tier
    events: int
    syncs: int
    lateness: tuple[float, float, float]
    longest_gap: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFigures:
    name: str
    calls: int
    busiest_hour: int
    most_at_once: int
    throttled: int
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`broken`: a sentence per way in which the promise was broken; empty when it was kept."""

    tiers: tuple[TierFigures, ...]
    keys: tuple[KeyFigures, ...]
    errors: Mapping[str, int]
    broken: tuple[str, ...]


def promise_judge(*, since: datetime, until: datetime, ledger: Mapping[str, Mapping[str, Any]]) -> Verdict:
    """Judge what happened from `since` (the cluster was started) to `until`. `ledger`: the sandbox's, per key."""
    tiers = tuple(_tier_figures(tier, since=since, until=until) for tier in Tier)
    keys = tuple(_key_figures(ledger))
    runs = SyncRun.objects.filter(started_at__gte=since, outcome__gt="").exclude(outcome__in=GOOD)
    errors = Counter(runs.values_list("outcome", flat=True))
    return Verdict(tiers=tiers, keys=keys, errors=errors, broken=tuple(_broken(tiers, keys, errors)))


def _tier_figures(tier: Tier, *, since: datetime, until: datetime) -> TierFigures:
    runs = SyncRun.objects.filter(started_at__gte=since, tier=tier.value, outcome__in=GOOD)
    planned = runs.filter(trigger=Trigger.SCHEDULED, came_along=False, due_at__isnull=False)
    late = [
        max(0.0, (started - max(due, since)).total_seconds())
        for started, due in planned.values_list("started_at", "due_at")
        if due is not None
    ]
    gap = _longest_high_gap(since=since, until=until) if tier is Tier.HIGH else 0.0
    return TierFigures(
        tier=tier,
        events=runs.values("event").distinct().count(),
        syncs=runs.count(),
        lateness=_percentiles(late),
        longest_gap=gap,
    )


def _percentiles(values: Sequence[float]) -> tuple[float, float, float]:
    if not values:
        return 0.0, 0.0, 0.0
    if len(values) == 1:
        return values[0], values[0], values[0]
    cuts = statistics.quantiles(values, n=20, method="inclusive")
    return statistics.median(values), cuts[18], max(values)


def _longest_high_gap(*, since: datetime, until: datetime) -> float:
    """The oldest that the list of any HIGH event ever was, counted from when it became HIGH and the cluster ran."""
    longest = 0.0
    rows = EventSync.objects.filter(tier=Tier.HIGH.value).select_related("event__race")
    starts: dict[int, list[datetime]] = {}
    runs = SyncRun.objects.filter(event__sync__tier=Tier.HIGH.value, started_at__gte=since, outcome__in=GOOD)
    for event_id, started in runs.order_by("started_at").values_list("event_id", "started_at"):
        starts.setdefault(event_id, []).append(started)
    for row in rows:
        window = window_of(row.event)
        begun = max(since, tier_begins(window, Tier.HIGH, policy=DEFAULT_POLICY)) if window else since
        moments = [begun, *(at for at in starts.get(row.event_id, []) if at > begun), until]
        longest = max(longest, *((later - earlier).total_seconds() for earlier, later in pairwise(moments)))
    return longest


def _key_figures(ledger: Mapping[str, Mapping[str, Any]]) -> list[KeyFigures]:
    figures = []
    for credential in Credential.objects.select_related("partner").defer("api_secret"):
        seen = ledger.get(credential.api_key, {})
        figures.append(
            KeyFigures(
                name=str(credential.partner),
                calls=seen.get("calls", 0),
                busiest_hour=seen.get("busiest_hour", 0),
                most_at_once=seen.get("most_at_once", 0),
                throttled=seen.get("throttled", 0),
                limit=credential.hourly_limit,
            )
        )
    return figures


def _broken(tiers: Sequence[TierFigures], keys: Sequence[KeyFigures], errors: Mapping[str, int]) -> list[str]:
    broken = []
    for figures in tiers:
        period = DEFAULT_POLICY.rule(figures.tier).period
        if figures.lateness[2] > period.total_seconds():
            broken.append(f"A {figures.tier} sync began {figures.lateness[2]:.0f} s late, over its period of {period}.")
        if figures.longest_gap > OLDEST_HIGH.total_seconds():
            broken.append(
                f"The list of a {figures.tier} event was {figures.longest_gap:.0f} s old; "
                f"{OLDEST_HIGH.total_seconds():.0f} s are allowed."
            )
    for key in keys:
        if key.busiest_hour > key.limit:
            broken.append(f"{key.name}: {key.busiest_hour} calls within an hour, {key.limit} are allowed.")
        if key.most_at_once > MOST_AT_ONCE:
            broken.append(f"{key.name}: {key.most_at_once} calls at once, {MOST_AT_ONCE} are allowed.")
    broken += [f"{count} syncs ended as {outcome}." for outcome, count in sorted(errors.items())]
    return broken
