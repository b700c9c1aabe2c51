"""What people ask for, a sync or a full comparison, of any number of events at once. It goes through the same gate,
lanes and runs as everything else, and fifty clicks are one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet
from django_q.tasks import async_task

from races.models import Event
from sync import queues
from sync.models import EventSync, Trigger
from sync.services.cycles import blocked_reason
from sync.services.event_schedule import closed_reason, reschedule

# What was done this recently is not done again for another click.
FRESH_ENOUGH = timedelta(seconds=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What became of a wish. `waiting`: the events that were put in line for it; `already`: in line before; `fresh`:
    done a few seconds ago; `refused`: why the others can't be served, by event id."""

    waiting: tuple[Event, ...]
    already: int
    fresh: int
    refused: dict[int, str]


def events_to_ask(events: QuerySet[Event]) -> QuerySet[Event]:
    """The events with what the functions below need, without any secret and the provider's raw text."""
    return events.select_related("race__credential__partner", "race__credential__budget").defer(
        "raw", "race__raw", "race__credential__api_secret", "race__credential__api_key"
    )


def events_ask_sync(*, events: Sequence[Event], now: datetime, debounce: bool = True, call_lanes: bool = True) -> Asked:
    """Put the events first in the lanes of their keys and call these. `events`: from `events_to_ask`."""
    refused = {event.pk: _why_not(event) for event in events}
    with transaction.atomic():
        rows = _locked([event for event in events if not refused[event.pk]], now=now)
        fresh = {row.pk for row in rows if debounce and row.checked_at and row.checked_at > now - FRESH_ENOUGH}
        todo = [row for row in rows if row.pk not in fresh and row.picked_at is None]
        for row in todo:
            # A comparison that somebody asked for looks at everything, so it serves this wish too.
            if row.due_trigger != Trigger.RECONCILE:
                row.due_trigger = Trigger.MANUAL
            row.due_at = row.picked_at = now
            # A finished event has no tier; a person's wish is served in the lowest one.
            row.tier = row.tier or "LOW"
        EventSync.objects.bulk_update(todo, ["due_trigger", "due_at", "picked_at", "tier"])
        if call_lanes:
            _call_lanes({row.credential_id for row in todo})
    return _asked(events, rows=rows, todo=todo, fresh=len(fresh), refused=refused)


def events_ask_comparison(*, events: Sequence[Event], now: datetime) -> Asked:
    """Make a full comparison of the events due at once: the next cycle plans it as all else. `events`: as above."""
    refused = {event.pk: _why_not(event) for event in events}
    with transaction.atomic():
        rows = _locked([event for event in events if not refused[event.pk]], now=now)
        fresh = {row.pk for row in rows if row.reconciled_at and row.reconciled_at > now - FRESH_ENOUGH}
        asked = {row.pk for row in rows if row.due_at and row.due_trigger == Trigger.RECONCILE}
        todo = [row for row in rows if row.pk not in fresh | asked]
        for row in todo:
            row.due_trigger, row.due_at = Trigger.RECONCILE, min(row.due_at or now, now)
            row.tier = row.tier or "LOW"
        EventSync.objects.bulk_update(todo, ["due_trigger", "due_at", "tier"])
    return _asked(events, rows=rows, todo=todo, fresh=len(fresh - asked), refused=refused)


def _why_not(event: Event) -> str:
    reason = blocked_reason(event.race.credential)
    return f"Not synced: {reason}." if reason else closed_reason(event)


def _locked(events: Sequence[Event], *, now: datetime) -> list[EventSync]:
    reschedule(events=events, now=now)
    return list(EventSync.objects.select_for_update().filter(event__in=events).order_by("pk"))


def _call_lanes(credential_ids: set[int]) -> None:
    """In the transaction of the picks. One task, whatever the number of keys: it calls the lanes."""
    if len(credential_ids) == 1:
        async_task("sync.tasks.lane", *credential_ids, cluster=queues.SYNC, group="sync-now")
    elif credential_ids:
        async_task("sync.tasks.lanes_call", sorted(credential_ids), cluster=queues.SYNC, group="sync-now")


def lanes_call(credential_ids: Sequence[int]) -> None:
    for credential_id in credential_ids:
        async_task("sync.tasks.lane", credential_id, cluster=queues.SYNC, group="sync-now")


def _asked(
    events: Sequence[Event],
    *,
    rows: Sequence[EventSync],
    todo: Sequence[EventSync],
    fresh: int,
    refused: dict[int, str],
) -> Asked:
    waiting = {row.pk for row in todo}
    return Asked(
        waiting=tuple(event for event in events if event.pk in waiting),
        already=len(rows) - len(todo) - fresh,
        fresh=fresh,
        refused={pk: reason for pk, reason in refused.items() if reason},
    )
