"""What the history of runs and cycles says about a stretch of time: lateness, gaps, caps, cycles. It judges nothing."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from partners.gate import budget_states
from partners.models import Credential
from sync.core.pace import Pace
from sync.core.policy import Policy, Tier
from sync.core.tiers import tier_begins
from sync.models import Cycle, EventSync, Outcome, SyncRun, Trigger
from sync.services.event_schedule import window_of
from sync.services.key_pace import key_pace

GOOD = {Outcome.OK.value, Outcome.UNCHANGED.value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Seconds; all 0 when nothing was measured."""

    count: int
    p50: float
    p95: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        if not values:
            return cls(count=0, p50=0.0, p95=0.0, most=0.0)
        # One value has no quantiles; twice the same has.
        cuts = statistics.quantiles([*values, *values] if len(values) == 1 else values, n=20, method="inclusive")
        return cls(count=len(values), p50=statistics.median(values), p95=cuts[18], most=max(values))


@dataclass(frozen=True, slots=True, kw_only=True)
class TierFigures:
    """`late`: start minus due. `picked_most`: the most that any cycle picked."""

    tier: Tier
    events: int
    syncs: int
    late: Spread
    picked_most: int
    cap: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HighFigures:
    """The HIGH events of the keys whose races want more calls than they may make, or of all others. `period`: the
    longest, in seconds, that the pace left to them. `gaps`: from the start of a sync to the next of the same event.
    `oldest`: the oldest that a list was, also before its first sync and after its last."""

    overloaded: bool
    keys: int
    events: int
    period: float
    late: Spread
    gaps: Spread
    oldest: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleFigures:
    """Seconds. `longest_gap`: between the starts of two cycles, or since the last one."""

    count: int
    longest: float
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
class GoodRun:
    """`late` is None for what no cycle picked, and for what was due before anything ran."""

    event_id: int
    credential_id: int
    tier: str
    started_at: datetime
    late: float | None


def good_runs(*, since: datetime, until: datetime) -> list[GoodRun]:
    """Every good sync that began between the two, oldest first.

    What was due before `since` waited for the installation to be started, not for its turn; how soon it was caught up
    with is in the gaps.
    """
    rows = (
        SyncRun.objects.filter(started_at__gte=since, started_at__lte=until, outcome__in=GOOD, tier__isnull=False)
        .order_by("started_at")
        .values_list("event_id", "event__sync__credential_id", "tier", "started_at", "due_at", "trigger", "came_along")
    )
    return [
        GoodRun(
            event_id=event_id,
            credential_id=credential_id,
            tier=tier or "",
            started_at=started_at,
            late=max(0.0, (started_at - due_at).total_seconds())
            if due_at is not None and due_at >= since and trigger == Trigger.SCHEDULED and not came_along
            else None,
        )
        for event_id, credential_id, tier, started_at, due_at, trigger, came_along in rows
    ]


def key_paces(*, now: datetime, policy: Policy) -> dict[int, Pace]:
    credentials = list(Credential.objects.defer("api_secret"))
    return {
        pk: key_pace(pk, rate=state.rate, now=now, policy=policy) for pk, state in budget_states(credentials).items()
    }


def tier_figures(
    tier: Tier, runs: Iterable[GoodRun], *, since: datetime, until: datetime, policy: Policy
) -> TierFigures:
    of_tier = [run for run in runs if run.tier == tier]
    picked = Cycle.objects.filter(started_at__gte=since, started_at__lte=until)
    return TierFigures(
        tier=tier,
        events=len({run.event_id for run in of_tier}),
        syncs=len(of_tier),
        late=Spread.of([run.late for run in of_tier if run.late is not None]),
        picked_most=max(picked.values_list(f"{tier.lower()}_picked", flat=True), default=0),
        cap=policy.rule(tier).cap,
    )


def high_figures(
    runs: Sequence[GoodRun], paces: Mapping[int, Pace], *, since: datetime, until: datetime, policy: Policy
) -> tuple[HighFigures, ...]:
    """First the keys within their budget, then the overloaded ones; a group without HIGH events is left out."""
    ages = _high_ages(runs, since=since, until=until, policy=policy)
    groups = []
    for overloaded in (False, True):
        keys = {key for key in ages if paces[key].overloaded == overloaded}
        if not keys:
            continue
        of_events = [of_event for key in keys for of_event in ages[key]]
        of_group = [run for run in runs if run.credential_id in keys and run.tier == Tier.HIGH]
        groups.append(
            HighFigures(
                overloaded=overloaded,
                keys=len(keys),
                events=len(of_events),
                period=max(max(paces[key].periods[Tier.HIGH], paces[key].final).total_seconds() for key in keys),
                late=Spread.of([run.late for run in of_group if run.late is not None]),
                gaps=Spread.of([age for of_event in of_events for age in of_event[1:-1]]),
                oldest=max(age for of_event in of_events for age in of_event),
            )
        )
    return tuple(groups)


def _high_ages(
    runs: Iterable[GoodRun], *, since: datetime, until: datetime, policy: Policy
) -> dict[int, list[list[float]]]:
    """By key, for each HIGH event: how old its list became before each of its syncs, and until now.

    Seconds; the first from when it became HIGH, or from `since`.
    """
    starts: dict[int, list[datetime]] = {}
    for run in runs:
        starts.setdefault(run.event_id, []).append(run.started_at)
    ages: dict[int, list[list[float]]] = {}
    for row in EventSync.objects.filter(tier=Tier.HIGH.value).select_related("event__race"):
        window = window_of(row.event)
        begun = max(since, tier_begins(window, Tier.HIGH, policy=policy)) if window else since
        moments = [begun, *(at for at in starts.get(row.event_id, []) if at > begun), until]
        of_event = [(later - earlier).total_seconds() for earlier, later in pairwise(moments)]
        ages.setdefault(row.credential_id, []).append(of_event)
    return ages


def cycle_figures(*, since: datetime, until: datetime) -> CycleFigures:
    rows = list(
        Cycle.objects.filter(started_at__gte=since, started_at__lte=until)
        .order_by("started_at")
        .values_list("started_at", "finished_at")
    )
    starts = [started for started, _finished in rows]
    return CycleFigures(
        count=len(rows),
        longest=max(((finished - started).total_seconds() for started, finished in rows if finished), default=0.0),
        longest_gap=max(
            ((later - earlier).total_seconds() for earlier, later in pairwise([*(starts or [since]), until])),
            default=0.0,
        ),
    )


def key_figures(ledger: Mapping[str, Mapping[str, Any]]) -> list[KeyFigures]:
    """What the provider's ledger says of each key."""
    figures = []
    for credential in Credential.objects.select_related("partner").defer("api_secret").order_by("pk"):
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
