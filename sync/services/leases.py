"""Lanes claim a credential with a lease and a fence; what a dead lane left open is closed as lost."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from django.db import OperationalError, connection, transaction
from django.db.models import F, Q, QuerySet
from psycopg.errors import LockNotAvailable

from partners.gate import database_now
from partners.models import CallBudget
from sync.models import Cycle, EventSync, Outcome, SyncRun, Trigger

# Longer than one call (30 s) and one page's transaction; short enough that a killed lane is replaced within 90 s.
LEASE = timedelta(seconds=60)
# Longer than any write of a lane, so that a claim rarely gives up because the gate or a page holds the row.
CLAIM_PATIENCE = 5
_LOST_FIELDS = ("event_id", "cycle_id", "trigger")


class Fenced(Exception):
    """Somebody else holds this lane now: what this process still wanted to write must not be written."""


def lane_claim(credential_id: int) -> int | None:
    """The fence of a lane that is now ours, or None while another one holds the credential."""
    CallBudget.objects.get_or_create(credential_id=credential_id)
    try:
        with transaction.atomic():
            _wait_at_most(CLAIM_PATIENCE)
            row = CallBudget.objects.select_for_update().get(credential_id=credential_id)
            now = database_now()
            if lease_holds(row.lane_lease_until, now=now):
                # Called once too often, and the call has arrived: it must not keep the next one away.
                row.lane_called_at = None
                row.save(update_fields=["lane_called_at"])
                return None
            row.lane_fence += 1
            row.lane_lease_until, row.lane_called_at = now + LEASE, None
            row.save(update_fields=["lane_fence", "lane_lease_until", "lane_called_at"])
            return row.lane_fence
    except OperationalError as error:
        # Whoever holds the row this long is frozen; the database ends it, and a later cycle calls the lane again.
        if isinstance(error.__cause__, LockNotAvailable):
            return None
        raise


def _wait_at_most(seconds: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = '{seconds:d}s'")


def lease_holds(until: datetime | None, *, now: datetime) -> bool:
    """Whether a lease is still somebody's. One that ends later than any we give is left from a clock set back."""
    return until is not None and now <= until <= now + 2 * LEASE


def lane_hold(credential_id: int, *, fence: int) -> datetime:
    """Extend the lease; returns its new end. Raises Fenced: call it inside the transaction that writes."""
    until = database_now() + LEASE
    if not CallBudget.objects.filter(credential_id=credential_id, lane_fence=fence).update(lane_lease_until=until):
        raise Fenced(f"the lane of credential {credential_id} was taken over")
    return until


def lane_release(credential_id: int, *, fence: int, leave_work: bool) -> bool:
    """Give the lane back. False when new work was picked meanwhile and `leave_work` is False: then go on.

    The budget row's lock orders this against a cycle that picks: either the cycle sees a free lane and calls one, or
    we see its picks.
    """
    with transaction.atomic():
        row = CallBudget.objects.select_for_update().get(credential_id=credential_id)
        if row.lane_fence != fence:
            raise Fenced(f"the lane of credential {credential_id} was taken over")
        picked = EventSync.objects.filter(credential_id=credential_id, picked_at__isnull=False)
        if leave_work:
            # What the lane did not reach stays due and is first in the next cycle.
            events_unpick(picked)
        elif picked.exists():
            return False
        row.lane_lease_until = None
        row.save(update_fields=["lane_lease_until"])
    return True


def events_unpick(rows: QuerySet[EventSync]) -> None:
    """Inside a transaction. Locked in the order in which everybody locks events: an UPDATE alone would take any."""
    locked = list(rows.select_for_update().order_by("pk").values_list("pk", flat=True))
    EventSync.objects.filter(pk__in=locked).update(picked_at=None, picked_cycle=None)


def lost_close(*, now: datetime) -> int:
    """Close the runs whose lane died, and fence that lane off. Their events are due at once. Inside a transaction."""
    # Not the rows that somebody holds: a cycle must never wait for a lane that is frozen in the middle of a write.
    ended = Q(lane_lease_until__lt=now) | Q(lane_lease_until__gt=now + 2 * LEASE)
    dead = CallBudget.objects.filter(ended).select_for_update(skip_locked=True).values_list("pk", flat=True)
    CallBudget.objects.filter(pk__in=list(dead)).update(lane_fence=F("lane_fence") + 1, lane_lease_until=None)
    left_open = Q(lease_until__lt=now) | Q(lease_until__gt=now + 2 * LEASE)
    lost = list(SyncRun.objects.filter(left_open).select_for_update(skip_locked=True).only(*_LOST_FIELDS))
    if not lost:
        return 0
    for run in lost:
        run.outcome, run.error_class = Outcome.LOST, "Lost"
        run.finished_at, run.lease_until = now, None
        # A backfill is started by a person, and goes on when that person starts it again.
        again = "Run the backfill again" if run.trigger == Trigger.BACKFILL else "It is repeated at once"
        run.error_text = f"The process that ran this sync ended before it was done. {again}."
    SyncRun.objects.bulk_update(lost, ["outcome", "error_class", "error_text", "finished_at", "lease_until"])
    _due_at_once([run.event_id for run in lost if run.trigger != Trigger.BACKFILL], now=now)
    # In the order in which lanes update cycles.
    for cycle_id, count in sorted(Counter(run.cycle_id for run in lost if run.cycle_id).items()):
        Cycle.objects.filter(pk=cycle_id).update(lost=F("lost") + count)
    return len(lost)


def _due_at_once(events: list[int], *, now: datetime) -> None:
    # Whoever holds one of the rows is at that event already. A cycle must not wait for it: it would hold the others.
    rows = (
        EventSync.objects.select_for_update(skip_locked=True).filter(event_id__in=events).values_list("pk", flat=True)
    )
    free = list(rows)
    EventSync.objects.filter(pk__in=free).update(picked_at=None, picked_cycle=None)
    EventSync.objects.filter(pk__in=free, due_at__gt=now).update(due_at=now)
