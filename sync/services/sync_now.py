"""Sync now: what a person asks for goes through the same gate, lanes and runs as everything else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django_q.tasks import async_task

from races.models import Race
from sync import queues
from sync.core.policy import DEFAULT_POLICY, Policy
from sync.models import EventSync, SyncRun, Trigger
from sync.services.cycles import blocked_reason
from sync.services.event_schedule import closed_reason, reschedule
from sync.services.lanes import LaneReport, lane_run

# Fifty clicks are one sync: what was checked this recently is not asked again.
FRESH_ENOUGH = timedelta(seconds=10)


class NothingToSync(Exception):
    """The request can't be served; the text says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncNowReport:
    """`lane` is None when the key's lane was busy: it takes the events over. `runs` are those of this request."""

    events: int
    lane: LaneReport | None
    runs: tuple[SyncRun, ...]


def request(*, race: Race, now: datetime, event_ids: Sequence[int] | None = None) -> str:
    """Put the race's events (or those with these pks) first in their lane and call it; a sentence for the page."""
    fresh, waiting = _pick(race=race, now=now, event_ids=event_ids)
    if not waiting:
        return "Checked a few seconds ago: nothing to do." if fresh else "It is being synced right now."
    with transaction.atomic():
        async_task("sync.tasks.lane", race.credential_id, cluster=queues.SYNC, group="sync-now")
    return f"{waiting} {'event is' if waiting == 1 else 'events are'} being synced now."


def run(
    *, race: Race, now: datetime, event_ids: Sequence[int] | None = None, policy: Policy = DEFAULT_POLICY
) -> SyncNowReport:
    """Sync in this process, for the command line. Raises NothingToSync."""
    _fresh, waiting = _pick(race=race, now=now, event_ids=event_ids, debounce=False)
    lane = lane_run(credential_id=race.credential_id, policy=policy)
    events = list(_events(race, event_ids).values_list("pk", flat=True))
    runs = SyncRun.objects.filter(event_id__in=events, started_at__gte=now).select_related("event")
    return SyncNowReport(events=waiting, lane=lane, runs=tuple(runs.order_by("event__starts_at", "pk")))


def _events(race: Race, event_ids: Sequence[int] | None):
    events = race.events.select_related("race")
    return events if event_ids is None else events.filter(pk__in=event_ids)


def _pick(*, race: Race, now: datetime, event_ids: Sequence[int] | None, debounce: bool = True) -> tuple[int, int]:
    """(events that were checked just now, events that are picked for the lane)."""
    reason = blocked_reason(race.credential)
    events = list(_events(race, event_ids))
    open_events = [event for event in events if not closed_reason(event)]
    if reason:
        raise NothingToSync(f"Not synced: {reason}.")
    if not open_events:
        raise NothingToSync(closed_reason(events[0]) if events else "This race has no events yet: run a discovery.")
    with transaction.atomic():
        reschedule(events=open_events, now=now)
        rows = EventSync.objects.select_for_update().filter(event__in=open_events).order_by("pk")
        fresh = rows.filter(checked_at__gt=now - FRESH_ENOUGH) if debounce else rows.none()
        fresh_ids = set(fresh.values_list("pk", flat=True))
        todo = [row for row in rows if row.pk not in fresh_ids and row.picked_at is None]
        for row in todo:
            row.due_trigger, row.due_at, row.picked_at = Trigger.MANUAL, now, now
            # A finished event has no tier; a person's wish is served in the lowest one.
            row.tier = row.tier or "LOW"
        EventSync.objects.bulk_update(todo, ["due_trigger", "due_at", "picked_at", "tier"])
    return len(fresh_ids), len(todo)
