"""What became of "Sync now": it is being synced, or what came back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from sync.models import EventSync, Outcome, SyncRun, Trigger
from sync.web.event_status import EventStatus
from sync.web.runs import short_error
from sync.web.times import local_text
from sync.web.words import ICONS, OUTCOMES, Kind

GOOD = {Outcome.OK, Outcome.UNCHANGED}
# A lane that was called begins within seconds; after this the reader is told that it did not.
BEGINS_WITHIN = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    kind: Kind
    text: str

    @property
    def icon(self) -> str:
        return ICONS[self.kind]


def is_asked(*, race_pk: int, event_ids: Sequence[int] | None) -> bool:
    """Whether a "Sync now" of the race, or of these events of it, is still to be served: then its page says so."""
    rows = EventSync.objects.filter(event__race=race_pk, due_trigger=Trigger.MANUAL, due_at__isnull=False)
    return (rows if event_ids is None else rows.filter(event__in=event_ids)).exists()


def asked_note(events: Sequence[EventStatus], *, zone: tzinfo, now: datetime) -> Asked | None:
    """None when nobody asked, or when that was more than a minute ago."""
    waiting = [event for event in events if event.asked_at is not None]
    if waiting:
        return _waiting(waiting, zone=zone, now=now)
    served = [(event, event.asked_run) for event in events if event.asked_run is not None]
    if not served:
        return None
    bad = [(event, run) for event, run in served if run.outcome not in GOOD]
    at = local_text(max(run.finished_at or now for _event, run in served), zone=zone, now=now)
    if not bad:
        return Asked(kind=Kind.GOOD, text=f"Synced at {at}: {_changes([run for _event, run in served])}.")
    failures = "; ".join(dict.fromkeys(_failure(event, run, alone=len(events) == 1) for event, run in bad))
    if len(bad) == len(served):
        return Asked(kind=Kind.BAD, text=f"Sync now at {at} brought nothing. {failures}.")
    good = [run for _event, run in served if run.outcome in GOOD]
    return Asked(
        kind=Kind.WARN,
        text=f"Synced {len(good)} of {len(served)} events at {at}: {_changes(good)}. {failures}.",
    )


def _waiting(waiting: Sequence[EventStatus], *, zone: tzinfo, now: datetime) -> Asked:
    events = "1 event" if len(waiting) == 1 else f"{len(waiting)} events"
    paused = next((event.why for event in waiting if event.key_paused and event.why), "")
    if paused:
        return Asked(kind=Kind.WARN, text=f"Sync now: {events} must wait. {paused}.")
    asked_at = min(event.asked_at for event in waiting if event.asked_at is not None)
    if now - asked_at > BEGINS_WITHIN:
        at = local_text(asked_at, zone=zone, now=now)
        return Asked(kind=Kind.WARN, text=f"Sync now, asked for at {at}: {events} not synced yet.")
    return Asked(kind=Kind.BUSY, text=f"{events} {'is' if len(waiting) == 1 else 'are'} being synced now.")


def _changes(runs: Sequence[SyncRun]) -> str:
    counts = {
        "new": sum(run.added for run in runs),
        "changed": sum(run.changed for run in runs),
        "withdrawn": sum(run.removed for run in runs),
        "rejected": sum(run.rejected for run in runs),
    }
    return ", ".join(f"{number:,} {word}" for word, number in counts.items() if number) or "no change"


def _failure(event: EventStatus, run: SyncRun, *, alone: bool) -> str:
    word = OUTCOMES.get(run.outcome, (run.outcome, Kind.BAD))[0]
    error = short_error(run.error_text).rstrip(".")
    reason = f"{word}: {error}" if error else word
    return reason if alone else f"{event.name} {reason[:1].lower()}{reason[1:]}"
