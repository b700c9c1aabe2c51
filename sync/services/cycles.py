"""One cycle: pick what is due, hand it to the lanes. Milliseconds, no provider call, one at a time everywhere."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db import transaction
from django_q.tasks import async_task

from partners.gate import database_now, loaded_budget_states
from partners.models import CallBudget, Credential
from sync import queues
from sync.core.planning import Decision, KeyState, Verdict, plan
from sync.core.policy import DEFAULT_POLICY, Policy
from sync.core.tiers import Tier
from sync.models import Cycle, EventSync, Heartbeat
from sync.services.due_events import due_candidates
from sync.services.event_schedule import due_pull_back, retier_due
from sync.services.leases import lease_holds, lost_close

logger = logging.getLogger(__name__)

HEARTBEAT = "cycle"
# A queued lane task that did not start within this time is called again: the queue may have lost it.
CALL_AGAIN_AFTER = timedelta(seconds=30)
# More due events than this are counted as this many: counting must not cost more than picking.
COUNT_LIMIT = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleReport:
    """What one cycle did. `credentials`: whose lanes have work."""

    cycle: Cycle
    decisions: tuple[Decision, ...]
    credentials: tuple[int, ...]
    retiered: int
    lost: int


def cycle_run(
    *, now: datetime, slot: datetime | None = None, call_lanes: bool = True, policy: Policy = DEFAULT_POLICY
) -> CycleReport | None:
    """Run one cycle; None when another one runs or this slot has been served.

    `slot` is the scheduled time it stands for (None: somebody asked for a cycle). `now` is the database's time.
    `call_lanes=False` leaves the lanes to the caller.
    """
    Heartbeat.objects.get_or_create(name=HEARTBEAT)
    with transaction.atomic():
        beat = Heartbeat.objects.select_for_update(skip_locked=True).filter(name=HEARTBEAT).first()
        if beat is None or _served(beat, slot=slot, now=now, policy=policy):
            return None
        report = _cycle(now=now, slot=slot, policy=policy)
        beat.beat_at, beat.slot = now, slot or beat.slot
        beat.save()
    # A transaction of its own: a lane locks its budget first and then its events. And a lane that is about to end has
    # to see the picks (see leases.lane_release). Killed in between, the next cycle finds picks without a lane.
    with transaction.atomic():
        credentials = _lanes_with_work(now=now)
        if call_lanes:
            _call_lanes(credentials, now=now)
        report.cycle.finished_at = database_now()
        report.cycle.save(update_fields=["finished_at"])
    report = replace(report, credentials=tuple(credentials))
    _log(report)
    return report


def _served(beat: Heartbeat, *, slot: datetime | None, now: datetime, policy: Policy) -> bool:
    """A slot is served once; and slots that queued up during an outage must not run as a burst.

    One whose time is now runs also shortly after such a late one: what is due at it would wait for the one after.
    """
    if slot is None:
        return False
    # A served slot in the future is left from a clock that ran ahead; it must not silence the hour until then.
    if beat.slot is not None and slot <= beat.slot <= now + 2 * policy.cycle:
        return True
    is_late = now - slot >= policy.cycle / 2
    return is_late and beat.beat_at is not None and timedelta(0) <= now - beat.beat_at < policy.cycle / 2


def _cycle(*, now: datetime, slot: datetime | None, policy: Policy) -> CycleReport:
    cycle = Cycle.objects.create(slot=slot, started_at=now)
    lost = lost_close(now=now)
    due_pull_back(now=now, policy=policy)
    retiered = retier_due(now=now, policy=policy)
    keys = key_states(now=now)
    decisions = plan(due_candidates(keys, now=now, policy=policy), keys, now=now, policy=policy)
    picked = _lock(decision.event_id for decision in decisions if decision.verdict is Verdict.RUN)
    _count(cycle, decisions, picked, now=now)
    cycle.save()
    EventSync.objects.filter(pk__in=picked).update(picked_at=now, picked_cycle=cycle)
    return CycleReport(cycle=cycle, decisions=decisions, credentials=(), retiered=retiered, lost=lost)


def _lock(events: Iterable[int]) -> set[int]:
    """Those that nobody writes at this moment. A cycle waits for no event: its lane is at it, or the next cycle is."""
    free = EventSync.objects.select_for_update(skip_locked=True).filter(pk__in=list(events), picked_at=None)
    return set(free.values_list("pk", flat=True))


def key_states(*, now: datetime) -> dict[int, KeyState]:
    """What the planner has to know of each key: calls free, pauses, and why it may not be used at all."""
    # Deferred: a cycle needs no secret, so it decrypts none.
    credentials = list(Credential.objects.select_related("partner", "budget").defer("api_secret"))
    budgets = loaded_budget_states(credentials, now=now)
    return {
        credential.pk: KeyState(
            credential_id=credential.pk,
            free=budgets[credential.pk].free,
            limit=budgets[credential.pk].rate,
            paused_until=budgets[credential.pk].paused_until,
            name=str(credential),
            blocked_reason=blocked_reason(credential),
            blocked_since=credential.refused_at if credential.status == Credential.Status.REFUSED else None,
        )
        for credential in credentials
    }


def blocked_reason(credential: Credential) -> str:
    """Why no call may be made with this key, "" when it may."""
    if not credential.partner.is_active:
        return f"{credential.partner.name} is switched off"
    if credential.status == Credential.Status.REFUSED:
        return f"RunSignUp refuses the key {credential}: {credential.status_detail}"
    if credential.status == Credential.Status.PAUSED:
        return f"the key {credential} is paused by staff"
    return ""


def _count(cycle: Cycle, decisions: Sequence[Decision], picked: Collection[int], *, now: datetime) -> None:
    for tier in Tier:
        due = EventSync.objects.filter(tier=tier.value, due_at__lte=now, picked_at=None)[:COUNT_LIMIT].count()
        taken = sum(1 for decision in decisions if decision.tier is tier and decision.event_id in picked)
        name = tier.value.lower()
        setattr(cycle, f"{name}_due", due)
        setattr(cycle, f"{name}_picked", taken)
        setattr(cycle, f"{name}_deferred", max(0, due - taken))


def _lanes_with_work(*, now: datetime) -> list[int]:
    """Credentials with picked events and no living lane. Locks their budget rows (see leases.lane_release).

    A row that somebody else holds is not waited for: a frozen lane would stop the cycles of the whole installation. Its
    lane is called once too often rather than never; a lane that is held does nothing.
    """
    picked = EventSync.objects.filter(picked_at__isnull=False)
    with_work = list(picked.order_by("credential_id").values_list("credential_id", flat=True).distinct())
    budgets = CallBudget.objects.filter(credential_id__in=with_work)
    missing = set(with_work) - set(budgets.values_list("credential_id", flat=True))
    CallBudget.objects.bulk_create([CallBudget(credential_id=pk) for pk in sorted(missing)], ignore_conflicts=True)
    locked = {row.pk: row for row in budgets.select_for_update(skip_locked=True).order_by("credential_id")}
    held = {pk for pk, row in locked.items() if lease_holds(row.lane_lease_until, now=now)}
    return [pk for pk in with_work if pk not in held]


def _call_lanes(credentials: Sequence[int], *, now: datetime) -> None:
    recently = CallBudget.objects.filter(
        credential_id__in=credentials, lane_called_at__gt=now - CALL_AGAIN_AFTER, lane_called_at__lte=now
    )
    called = sorted(set(credentials) - set(recently.values_list("credential_id", flat=True)))
    free = CallBudget.objects.select_for_update(skip_locked=True).filter(credential_id__in=called)
    CallBudget.objects.filter(pk__in=list(free.values_list("pk", flat=True))).update(lane_called_at=now)
    for credential_id in called:
        # The broker's table is in this database: the task exists exactly when the pick does.
        async_task("sync.tasks.lane", credential_id, cluster=queues.SYNC, group="lane")


def _log(report: CycleReport) -> None:
    cycle = report.cycle
    logger.info(
        "Cycle finished",
        extra={
            "action": "cycle_finished",
            "cycle": cycle.pk,
            "high": f"{cycle.high_picked}/{cycle.high_due}",
            "medium": f"{cycle.medium_picked}/{cycle.medium_due}",
            "low": f"{cycle.low_picked}/{cycle.low_due}",
            "lanes": len(report.credentials),
            "lost": report.lost,
        },
    )
