"""How a visit ends: exactly one outcome per event, the next due time, and the back-off after a failure."""

from __future__ import annotations

import logging
import random
from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Count, F

from partners.gate import NoBudget, database_now
from partners.runsignup.errors import Gone, ProviderError, Refused, Throttled
from races.models import Event, Participant, Race
from sync.core.pace import Pace, is_final
from sync.core.policy import Policy
from sync.core.slots import next_due, retry_due
from sync.core.tiers import tier_at
from sync.models import Cycle, EventSync, Outcome, SyncRun, Trigger
from sync.services.event_schedule import place, reschedule, window_of
from sync.services.leases import lane_hold
from sync.services.visit_state import EventVisit, Visit, clock_went_back, cursor_after

logger = logging.getLogger(__name__)

# The provider's code for an unknown event (contract §5.2).
EVENT_NOT_FOUND = 301

# Shown until a full comparison finds otherwise: a visit that asks for changes only knows nothing of who is missing.
HELD = "Nobody is removed until staff decide whether they have left."

RUN_FIELDS = [
    "outcome", "finished_at", "lease_until", "error_class", "error_text", "calls", "pages", "fetched",
    "added", "changed", "removed", "rejected", "cursor_after",
]  # fmt: skip
SYNC_FIELDS = [
    "tier", "tier_until", "due_at", "due_trigger", "picked_at", "picked_cycle", "visits", "cursor", "removals_cursor",
    "checked_at", "removals_checked_at", "changed_at", "reconciled_at", "failures", "hold_reason", "listed_count",
    "mirror_count", "reconcile_removed", "reconcile_rejected", "reconcile_kept", "newest_registration_id",
]  # fmt: skip


def close_good(visit: Visit, *, calls: int, policy: Policy) -> None:
    """Inside the transaction of the last page: runs, cursors, "as of", next due times."""
    now = database_now()
    _reload(visit)
    active = active_counts([item.row.event_id for item in visit.events if item.full])
    for item in visit.events:
        run, row = item.run, item.row
        changes = run.added + run.changed + run.removed
        run.outcome = Outcome.OK if changes or run.rejected else Outcome.UNCHANGED
        _move_cursors(visit, item)
        run.cursor_after = row.cursor
        row.checked_at = visit.started_at
        if item.full:
            row.reconciled_at = visit.started_at
            row.listed_count, row.mirror_count = len(item.seen), active[row.event_id]
            row.reconcile_removed, row.reconcile_rejected, row.reconcile_kept = run.removed, run.rejected, item.kept
        if changes:
            row.changed_at = visit.started_at
        row.visits += 0 if run.came_along else 1
        row.failures = 0
        if item.full or not row.hold_reason.endswith(HELD):
            row.hold_reason = held_text(held=item.held, of=len(item.present_before))
        _due_again(item, visit.pace, now=now, policy=policy)
    _save(visit, now=now, calls=calls)


def active_counts(event_ids: Sequence[int]) -> dict[int, int]:
    """How many people of each event the mirror lists; read from an index alone."""
    if not event_ids:
        return {}
    active = Participant.objects.filter(event_id__in=event_ids, removed_at=None).values("event_id")
    found = {row["event_id"]: row["people"] for row in active.annotate(people=Count("*"))}
    return {event_id: found.get(event_id, 0) for event_id in event_ids}


def _move_cursors(visit: Visit, item: EventVisit) -> None:
    row = item.row
    if visit.newest_listed is not None and (item.full or item.asked_by_id):
        # What the others were asked for was there before this visit, too.
        known = (other.row.newest_registration_id or 0 for other in visit.events)
        row.newest_registration_id = max(visit.newest_listed, *known)
    row.cursor = cursor_after(visit, item, before=row.cursor, asked_at=row.checked_at)
    asked = visit.removals_asked or row.removals_cursor is None
    if asked or clock_went_back(visit, cursor=row.removals_cursor):
        row.removals_cursor = cursor_after(visit, item, before=row.removals_cursor, asked_at=row.removals_checked_at)
    if asked:
        row.removals_checked_at = visit.started_at


def _reload(visit: Visit) -> None:
    """Read the schedule rows again, locked: discovery may have moved a start while the provider was talking."""
    ids = [item.row.event_id for item in visit.events]
    fresh = EventSync.objects.select_for_update().order_by("pk").in_bulk(ids)
    # In a statement of its own, after the lock: joined to it, they would be as they were before the lock was free.
    events = Event.objects.select_related("race").defer("raw", "race__raw").in_bulk(ids)
    for item in visit.events:
        item.row = fresh[item.row.event_id]
        item.row.event = events[item.row.event_id]


def held_text(*, held: int, of: int) -> str:
    """What a person has to know of removals that were not made, "" when none were held."""
    if not held:
        return ""
    return f"{held} of {of} people are missing from RunSignUp's list at once. {HELD}"


def _due_again(item: EventVisit, pace: Pace, *, now: datetime, policy: Policy) -> None:
    row = item.row
    window = window_of(row.event)
    tier = tier_at(window, now=now, policy=policy)
    row.picked_at = row.picked_cycle = None
    row.due_trigger = _trigger_after(item)
    row.due_at = next_due(
        window=window,
        race_id=row.event.race.provider_race_id,
        now=now,
        policy=policy,
        stretched=pace.period(tier, is_final=is_final(window, now=now)) if tier else None,
        came_along=item.run.came_along,
        due_at=row.due_at,
    )
    if row.due_trigger == Trigger.RECONCILE:
        row.due_at = now
    place(row, row.event, now=now, policy=policy)


def _trigger_after(item: EventVisit) -> Trigger:
    """A comparison that was asked for while a visit ran that was none is still owed."""
    is_owed = item.row.due_trigger == Trigger.RECONCILE and not item.full
    return Trigger.RECONCILE if is_owed else Trigger.SCHEDULED


def close_bad(visit: Visit, error: Exception, *, calls: int, policy: Policy) -> None:
    """Close every event of the visit after `error`. What a reader sees is the error's own sentence."""
    now = database_now()
    outcome, text = _outcome(error)
    with transaction.atomic():
        until = lane_hold(visit.credential_id, fence=visit.fence)
        # The visit's other parts are still to come; their runs must not look abandoned meanwhile.
        SyncRun.objects.filter(visit=visit.id, lease_until__isnull=False).update(lease_until=until)
        # Before the schedule is locked: discovery locks races and events first, too.
        if isinstance(error, Gone):
            _mark_gone(visit, error, now=now)
        _reload(visit)
        for item in visit.events:
            item.run.outcome = outcome
            item.run.error_class = type(error).__name__
            item.run.error_text = text
            _back_off(item, error, now=now, policy=policy)
        _save(visit, now=now, calls=calls)


def _outcome(error: Exception) -> tuple[Outcome, str]:
    match error:
        case Throttled() | NoBudget():
            return Outcome.THROTTLED, str(error)
        case Refused():
            return Outcome.REFUSED, error.text
        case Gone():
            return Outcome.GONE, error.text
        case ProviderError():
            return Outcome.FAILED, error.text
    # Our own bug or the database: the log has the trace, the page a sentence without any value of the data.
    return (
        Outcome.FAILED,
        f"Project88 failed here ({type(error).__name__}). It tries again; staff find the details in the log.",
    )


def _mark_gone(visit: Visit, error: Gone, *, now: datetime) -> None:
    if error.code == EVENT_NOT_FOUND or visit.is_part:
        Event.objects.filter(pk__in=list(visit.runs)).update(gone_at=now)
    else:
        Race.objects.filter(pk=visit.race.pk).update(gone_at=now)


def race_gone(visit: Visit, *, policy: Policy) -> None:
    """Close the race of a visit whose events were all asked for alone: it is the race that does not exist."""
    now = database_now()
    with transaction.atomic():
        lane_hold(visit.credential_id, fence=visit.fence)
        # The race first: discovery locks it before its events.
        Race.objects.filter(pk=visit.race.pk).update(gone_at=now)
        Event.objects.filter(pk__in=list(visit.runs)).update(gone_at=None)
        reschedule(events=Event.objects.filter(race=visit.race).select_related("race"), now=now, policy=policy)


def _back_off(item: EventVisit, error: Exception, *, now: datetime, policy: Policy) -> None:
    row = item.row
    row.picked_at = row.picked_cycle = None
    # Waiting for budget is not a failure of the event: it stays due, for whatever reason it was, and the planner knows
    # when the key may call.
    if not isinstance(error, Throttled | NoBudget):
        row.due_trigger = _trigger_after(item)
        row.failures += 1
        row.due_at = retry_due(
            window=window_of(row.event),
            now=now,
            failures=row.failures,
            policy=policy,
            jitter=random.random(),  # noqa: S311
        )
    if isinstance(error, Refused) and error.scope == "race":
        row.hold_reason = error.text
    place(row, row.event, now=now, policy=policy)


def _save(visit: Visit, *, now: datetime, calls: int) -> None:
    for item in visit.events:
        item.run.finished_at = now
        item.run.lease_until = None
        item.run.calls = calls
    SyncRun.objects.bulk_update([item.run for item in visit.events], RUN_FIELDS)
    EventSync.objects.bulk_update([item.row for item in visit.events], SYNC_FIELDS)
    by_cycle: dict[int, list[EventVisit]] = {}
    for item in visit.events:
        if item.run.cycle_id:
            by_cycle.setdefault(item.run.cycle_id, []).append(item)
    for position, (cycle_id, items) in enumerate(sorted(by_cycle.items())):
        counts = {outcome.value: 0 for outcome in Outcome}
        for item in items:
            counts[item.run.outcome] += 1
        # The calls are the visit's: they count once, whatever number of cycles picked its events.
        Cycle.objects.filter(pk=cycle_id).update(
            calls=F("calls") + (calls if position == 0 else 0),
            **{name: F(name) + count for name, count in counts.items() if count},
        )
    _log(visit, calls=calls)


def _log(visit: Visit, *, calls: int) -> None:
    first = visit.events[0].run
    logger.info(
        "Visit finished",
        extra={
            "action": "visit_finished",
            "race": visit.race.provider_race_id,
            "events": len(visit.events),
            "tier": first.tier,
            "outcome": ",".join(sorted({str(item.run.outcome) for item in visit.events})),
            "calls": calls,
            "added": sum(item.run.added for item in visit.events),
            "changed": sum(item.run.changed for item in visit.events),
            "removed": sum(item.run.removed for item in visit.events),
        },
    )
