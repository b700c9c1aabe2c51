"""Sync now: what a person asks for goes through the same gate, lanes and runs as everything else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from partners.audit import Action, Actor, audit_note
from races.models import Event, Race
from sync.core.policy import DEFAULT_POLICY, Policy
from sync.models import SyncRun
from sync.services.asking import Asked, events_ask_sync, events_to_ask
from sync.services.editions import current_events
from sync.services.lanes import LaneReport, lane_run


class NothingToSync(Exception):
    """The request can't be served; the text says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncNowReport:
    """`lane` is None when the key's lane was busy: it takes the events over. `runs` are those of this request."""

    events: int
    lane: LaneReport | None
    runs: tuple[SyncRun, ...]


def request(*, race: Race, by: Actor, now: datetime, event_ids: Sequence[int] | None = None) -> str:
    """Put the race's events (or those with these pks) first in their lane and call it; a sentence for the page."""
    asked = _asked(race=race, by=by, now=now, event_ids=event_ids)
    waiting = len(asked.waiting)
    if not waiting:
        return "Checked a few seconds ago: nothing to do." if asked.fresh else "It is in line or being synced already."
    return f"{waiting} {'event is' if waiting == 1 else 'events are'} in line for a sync."


def run(
    *, race: Race, by: Actor, now: datetime, event_ids: Sequence[int] | None = None, policy: Policy = DEFAULT_POLICY
) -> SyncNowReport:
    """Sync in this process, for the command line. Raises NothingToSync."""
    waiting = len(_asked(race=race, by=by, now=now, event_ids=event_ids, debounce=False, call_lanes=False).waiting)
    lane = lane_run(credential_id=race.credential_id, policy=policy)
    events = _events(race, event_ids, now=now)
    runs = SyncRun.objects.filter(event__in=events, started_at__gte=now).select_related("event")
    return SyncNowReport(events=waiting, lane=lane, runs=tuple(runs.order_by("event__starts_at", "pk")))


def _events(race: Race, event_ids: Sequence[int] | None, *, now: datetime) -> list[Event]:
    """Those with these pks, or of the edition that the race's page shows."""
    if event_ids is None:
        return list(events_to_ask(current_events([race.pk], now=now)))
    return list(events_to_ask(Event.objects.filter(race=race, pk__in=event_ids)))


def _asked(*, race: Race, by: Actor, now: datetime, event_ids: Sequence[int] | None, **options: bool) -> Asked:
    """Raises NothingToSync when no event of them can be served. A click that changes nothing is not noted."""
    events = _events(race, event_ids, now=now)
    if not events:
        raise NothingToSync("This race has no events yet: run a discovery.")
    with transaction.atomic():
        asked = events_ask_sync(events=events, now=now, **options)
        if asked.waiting:
            target = race if event_ids is None else asked.waiting[0]
            audit_note(action=Action.SYNC_ASKED, by=by, target=target, detail={"events": len(asked.waiting)}, now=now)
    if len(asked.refused) == len(events):
        raise NothingToSync(asked.refused[events[0].pk])
    return asked
