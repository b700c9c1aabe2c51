"""Reads what is known of one event, asks the planner about it, and leaves the words to the core."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Sum

from partners.gate import loaded_budget_states
from partners.models import ApiUsage, Credential
from races.models import Event
from sync.core.event_facts import CycleFacts, EventFacts, KeyFacts, Obstacle, PastFacts, RunFacts, ScheduleFacts
from sync.core.explanation import GOOD
from sync.core.pace import pace_of
from sync.core.planning import Candidate, Decision
from sync.core.policy import DEFAULT_POLICY, Policy, Tier
from sync.core.tiers import tier_at, zone_of
from sync.models import Cycle, EventSync, Heartbeat, SyncRun, Trigger
from sync.services.comparisons import comparison_of
from sync.services.cycles import HEARTBEAT, blocked_reason, key_states
from sync.services.due_events import decision_about
from sync.services.event_schedule import closed_reason, window_of
from sync.services.key_pace import key_demand
from sync.services.leases import lease_holds

RUNS = 10
RUNS_AROUND = 3
HOUR = timedelta(hours=1)


def event_facts(*, event: Event, now: datetime, policy: Policy = DEFAULT_POLICY) -> EventFacts:
    """`event` with its race, that one's credential, partner and budget. Reads only."""
    row: EventSync | None = getattr(event, "sync", None)
    runs = list(SyncRun.objects.filter(event=event).order_by("-started_at", "-pk")[: RUNS + 1])
    zone = event.race.timezone
    known = zone_of(zone).key == zone
    return EventFacts(
        provider_event_id=event.provider_event_id,
        window=window_of(event),
        is_placeholder=event.start_is_placeholder,
        zone_note=f"zone {zone}" if known else f"zone {zone or 'not given'}, taken as {zone_of(zone).key}",
        schedule=_schedule(row),
        obstacle=_obstacle(event),
        obstacle_reason=closed_reason(event) or blocked_reason(event.race.credential),
        key=_key(event.race.credential, now=now, policy=policy),
        decision=_decision(event, row, now=now, policy=policy),
        beat_at=Heartbeat.objects.filter(name=HEARTBEAT).values_list("beat_at", flat=True).first(),
        is_running=any(run.lease_until and run.lease_until > now for run in runs),
        runs=tuple(_run(run) for run in runs),
    )


def _schedule(row: EventSync | None) -> ScheduleFacts | None:
    if row is None:
        return None
    return ScheduleFacts(
        tier=Tier(row.tier) if row.tier else None,
        due_at=row.due_at,
        is_asked=row.due_trigger == Trigger.MANUAL,
        picked_at=row.picked_at,
        checked_at=row.checked_at,
        removals_checked_at=row.removals_checked_at,
        changed_at=row.changed_at,
        failures=row.failures,
        hold_reason=row.hold_reason,
        comparison=comparison_of(row),
    )


def _obstacle(event: Event) -> Obstacle | None:
    """In the order in which `closed_reason` and `blocked_reason` name them."""
    race, credential = event.race, event.race.credential
    if race.gone_at or event.gone_at:
        return Obstacle.EVENT_GONE
    if not race.sync_enabled:
        return Obstacle.RACE_OFF
    if not credential.partner.is_active:
        return Obstacle.PARTNER_OFF
    if credential.status == Credential.Status.REFUSED:
        return Obstacle.KEY_REFUSED
    return Obstacle.KEY_PAUSED if credential.status == Credential.Status.PAUSED else None


def _decision(event: Event, row: EventSync | None, *, now: datetime, policy: Policy) -> Decision | None:
    """The planner's answer if a cycle ran now; None for what a cycle does not look at."""
    if row is None or row.due_at is None or row.tier is None or row.picked_at is not None:
        return None
    mine = Candidate(
        event_id=row.event_id,
        race_id=event.race_id,
        credential_id=row.credential_id,
        partner_id=event.race.credential.partner_id,
        tier=Tier(row.tier),
        due_at=row.due_at,
    )
    # What is not due waits whatever the keys are.
    keys = key_states(now=now) if row.due_at <= now else {}
    return decision_about(mine, keys, now=now, policy=policy)


def _key(credential: Credential, *, now: datetime, policy: Policy) -> KeyFacts:
    state = loaded_budget_states([credential], now=now)[credential.pk]
    lease = credential.budget.lane_lease_until if hasattr(credential, "budget") else None
    calls, throttled = _usage(credential, until=now)
    demand = key_demand(credential.pk, now=now)
    return KeyFacts(
        name=str(credential),
        limit=state.limit,
        rate=state.rate,
        free=state.free,
        calls=calls,
        throttled=throttled,
        paused_until=state.paused_until,
        used_elsewhere=state.used_elsewhere,
        lane_until=lease if lease_holds(lease, now=now) else None,
        demand=demand,
        pace=pace_of(demand, rate=state.rate, policy=policy),
    )


def _usage(credential: Credential, *, until: datetime) -> tuple[int, int]:
    """(calls, throttled) of the hour before."""
    minutes = ApiUsage.objects.filter(credential=credential, minute__gt=until - HOUR, minute__lte=until)
    sums = minutes.aggregate(calls=Sum("calls"), throttled=Sum("throttled"))
    return sums["calls"] or 0, sums["throttled"] or 0


def _run(run: SyncRun) -> RunFacts:
    return RunFacts(
        started_at=run.started_at,
        finished_at=run.finished_at,
        due_at=run.due_at,
        trigger=run.trigger,
        outcome=run.outcome,
        is_full=run.full,
        came_along=run.came_along,
        calls=run.calls,
        added=run.added,
        changed=run.changed,
        removed=run.removed,
        error=run.error_text,
    )


def past_facts(*, event: Event, at: datetime, now: datetime, policy: Policy = DEFAULT_POLICY) -> PastFacts:
    """What is recorded around `at`, which is not after `now`."""
    runs = SyncRun.objects.filter(event=event)
    earlier = runs.filter(started_at__lte=at).order_by("-started_at", "-pk")
    later = runs.filter(started_at__gt=at).order_by("started_at", "pk")
    last_good, next_good = earlier.filter(outcome__in=GOOD).first(), later.filter(outcome__in=GOOD).first()
    oldest = runs.order_by("started_at", "pk").first()
    since = last_good.started_at if last_good else (oldest.started_at if oldest else at)
    until = next_good.started_at if next_good else now
    bad = runs.filter(started_at__gte=since, started_at__lt=until).exclude(outcome__in=[*GOOD, ""])
    credential = event.race.credential
    calls, throttled = _usage(credential, until=at)
    tier = tier_at(window_of(event), now=at, policy=policy)
    cycles = Cycle.objects.all()
    return PastFacts(
        at=at,
        before=tuple(_run(run) for run in earlier[:RUNS_AROUND]),
        after=tuple(_run(run) for run in later[:RUNS_AROUND]),
        last_good=_run(last_good) if last_good else None,
        next_good=_run(next_good) if next_good else None,
        bad_runs=tuple(_run(run) for run in bad.order_by("-started_at", "-pk")[:RUNS_AROUND]),
        bad_count=bad.count(),
        cycles=cycles.filter(started_at__gte=since, started_at__lt=until).count(),
        cycle_before=_cycle(cycles.filter(started_at__lte=at).order_by("-started_at").first(), tier),
        cycle_after=_cycle(cycles.filter(started_at__gt=at).order_by("started_at").first(), tier),
        calls=calls,
        throttled=throttled,
        refused_at=credential.refused_at,
        kept_since=oldest.started_at if oldest else None,
    )


def _cycle(cycle: Cycle | None, tier: Tier | None) -> CycleFacts | None:
    if cycle is None:
        return None
    name = (tier or Tier.LOW).lower()
    return CycleFacts(
        started_at=cycle.started_at,
        due=getattr(cycle, f"{name}_due"),
        picked=getattr(cycle, f"{name}_picked"),
        deferred=getattr(cycle, f"{name}_deferred"),
    )
