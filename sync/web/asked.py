"""What became of "Sync now": its place in the line of its key, that it is being synced, or what came back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from partners.models import Credential
from races.models import Race
from sync.core.line import KeyPlace, place_text
from sync.core.policy import Policy
from sync.models import ASKED_FOR, EventSync, Outcome, SyncRun
from sync.services.line import race_places
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
    rows = EventSync.objects.filter(event__race=race_pk, due_trigger__in=ASKED_FOR, due_at__isnull=False)
    return (rows if event_ids is None else rows.filter(event__in=event_ids)).exists()


def asked_note(
    race: Race, events: Sequence[EventStatus], *, credential: Credential, zone: tzinfo, now: datetime, policy: Policy
) -> Asked | None:
    """None when nobody asked, or when that was more than a minute ago. `events`: of the race; `credential`: its key
    with its budget. Reads nothing but the line of the key, and only while somebody waits in it."""
    waiting = [event for event in events if event.asked_at is not None]
    if waiting:
        begun = [event for event in waiting if event.is_running]
        place = None if begun else race_places([credential], now=now, policy=policy).get(race.pk)
        return _waiting(waiting, begun=len(begun), place=place, zone=zone, now=now)
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


def _waiting(
    waiting: Sequence[EventStatus], *, begun: int, place: KeyPlace | None, zone: tzinfo, now: datetime
) -> Asked:
    if begun:
        return Asked(kind=Kind.BUSY, text=f"{_events(begun)} being synced now.")
    events = "1 event" if len(waiting) == 1 else f"{len(waiting)} events"
    paused = next((event.why for event in waiting if event.key_paused and event.why), "")
    if paused:
        return Asked(kind=Kind.WARN, text=f"Sync now: {events} must wait. {paused}.")
    asked_at = min(event.asked_at for event in waiting if event.asked_at is not None)
    if now - asked_at > BEGINS_WITHIN:
        at = local_text(asked_at, zone=zone, now=now)
        # Who is next since then is served by nobody: no time may be promised.
        behind = _in_line(place) if place and place.number > 1 else ""
        return Asked(kind=Kind.WARN, text=f"Sync now, asked for at {at}: {events} not synced yet{behind}.")
    return Asked(kind=Kind.BUSY, text=f"{_events(len(waiting))} in line{_in_line(place)}.")


def _in_line(place: KeyPlace | None) -> str:
    return f": {place_text(place)}" if place else ""


def _events(number: int) -> str:
    return "1 event is" if number == 1 else f"{number} events are"


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
