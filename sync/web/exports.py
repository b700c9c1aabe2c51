"""Exported start lists as pages show them: what can be taken along, what was, and what changed since."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from django.db.models import QuerySet

from races.export_cells import COLUMNS, Heading, ListedEvent, oldest
from races.export_changes import ListChange, What, changes_since, counted, present_of, with_times, words
from races.models import Event, Race, StartListExport
from races.start_list_export import heading_of
from sync.core.policy import Policy
from sync.core.status import Word
from sync.core.tiers import zone_of
from sync.services.editions import current_events
from sync.web.event_status import EventStatus, event_statuses, with_state
from sync.web.race_status import RaceHeader, race_header
from sync.web.scheduler import last_beat
from sync.web.times import Moment, local_text, moment
from sync.web.words import Kind

EXPORTS_SHOWN = 5
# Before bibs are given out, everybody's changes at once: nobody reads that on a page.
CHANGES_SHOWN = 300
NOT_CURRENT = {Word.LATE, Word.OVERDUE, Word.NEEDS_ACTION, Word.NOT_SCHEDULED}
KINDS: dict[What, Kind] = {
    What.NEW: Kind.GOOD,
    What.BIB_CHANGED: Kind.BUSY,
    What.MOVED: Kind.WARN,
    What.WITHDRAWN: Kind.BAD,
    What.CHANGED: Kind.IDLE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRow:
    """One remembered export. `scope`: the event's name or "All events"."""

    pk: int
    scope: str
    format: str
    made: Moment | None
    made_by: str
    as_of: Moment | None
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportSection:
    """`event_pk`: None for the whole race. `notes`: what a reader must know of the list before taking it along.
    `as_of`: None when a list of it was never loaded."""

    race_pk: int
    event_pk: int | None
    as_of: Moment | None
    withdrawals_as_of: Moment | None
    notes: tuple[str, ...]
    exports: tuple[ExportRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """A column that differs, in words."""

    label: str
    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeLine:
    """`pk`: the participant's; `reason`: why somebody withdrew; `event`: as it is now."""

    pk: int
    what: str
    kind: Kind
    bib: str
    name: str
    event: str
    details: tuple[Detail, ...]
    reason: str
    at: Moment | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangesPage:
    """`summary`: "3 new, 2 withdrawn", "" when nothing changed; `left`: how many changes are not shown."""

    race: RaceHeader
    export: ExportRow
    event_pk: int | None
    summary: str
    since: str
    as_of: Moment | None
    withdrawals_as_of: Moment | None
    notes: tuple[str, ...]
    lines: tuple[ChangeLine, ...]
    left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """An export beside the mirror now. `events`: those that it stands for now, with their state; `heading`: what it
    said."""

    heading: Heading
    events: tuple[Event, ...]
    changes: list[ListChange]

    @property
    def listed(self) -> tuple[ListedEvent, ...]:
        return tuple(_listed(event) for event in self.events)

    @property
    def as_of(self) -> datetime | None:
        return oldest(event.as_of for event in self.listed)

    @property
    def withdrawals_as_of(self) -> datetime | None:
        return oldest(event.withdrawals_as_of for event in self.listed)


def heading_now(*, race: Race, event: Event | None, now: datetime) -> Heading:
    """What an export made now says of itself; of a race, the events of the current edition that still exist."""
    events = [event] if event is not None else list(current_events([race.pk], now=now).filter(gone_at=None))
    return Heading(
        race_id=race.provider_race_id,
        race=race.name,
        timezone=zone_of(race.timezone).key,
        made_at=now,
        events=tuple(
            _listed(event) for event in _in_order(Event.objects.filter(pk__in=[event.pk for event in events]))
        ),
    )


def _in_order(events: QuerySet[Event]) -> QuerySet[Event]:
    return with_state(events).order_by("starts_at", "name", "pk")


def _listed(event: Event) -> ListedEvent:
    """`event` from `with_state`."""
    row = getattr(event, "sync", None)
    return ListedEvent(
        pk=event.pk,
        id=event.provider_event_id,
        name=event.name,
        as_of=row.checked_at if row else None,
        withdrawals_as_of=row.removals_checked_at if row else None,
    )


def export_compared(export: StartListExport, *, now: datetime) -> Compared:
    """An export, with its race and its snapshot, beside the mirror now. It stands for its events and, of a race while
    its edition is the current one, for those added since."""
    heading, race = heading_of(export), export.race
    own = {event.pk for event in heading.events}
    current = set(current_events([race.pk], now=now).values_list("pk", flat=True))
    scope = own | current if export.event_id is None and own & current else own
    events = list(_in_order(Event.objects.filter(race=race, pk__in=own | current)))
    present = present_of(listed=scope, events=[_listed(event) for event in events])
    return Compared(
        heading=heading,
        events=tuple(event for event in events if event.pk in scope),
        changes=changes_since(export, listed=scope, present=present),
    )


def export_section(*, race: Race, event: Event | None, statuses: Sequence[EventStatus], now: datetime) -> ExportSection:
    """`statuses`: of the event, or of the race's current events."""
    zone = zone_of(race.timezone)
    made = StartListExport.objects.filter(race=race).order_by("-made_at", "-pk").select_related("made_by", "event")
    exports = (made.filter(event=event) if event else made).defer("snapshot", "event__raw")[:EXPORTS_SHOWN]
    shown = [status for status in statuses if event or not status.gone]
    return ExportSection(
        race_pk=race.pk,
        event_pk=event.pk if event else None,
        as_of=moment(oldest(status.checked_at for status in shown), zone=zone, now=now),
        withdrawals_as_of=moment(oldest(status.removals_checked_at for status in shown), zone=zone, now=now),
        notes=tuple(filter(None, (_not_current(status) for status in shown))),
        exports=tuple(_export_row(export, zone=zone, now=now) for export in exports),
    )


def _not_current(status: EventStatus) -> str:
    if status.checked_at is None:
        return f"The start list of {status.name} was not loaded yet: it cannot be exported."
    if status.status.word not in NOT_CURRENT or status.over:
        return ""
    why = f": {status.why}" if status.why else ""
    return f"The start list of {status.name} is not current ({status.status.word.lower()}{why})."


def _export_row(export: StartListExport, *, zone: tzinfo, now: datetime) -> ExportRow:
    return ExportRow(
        pk=export.pk,
        scope=export.event.name if export.event else "All events",
        format=export.format.upper(),
        made=moment(export.made_at, zone=zone, now=now),
        made_by=export.made_by.get_username() if export.made_by else "an account that was deleted",
        as_of=moment(export.as_of, zone=zone, now=now),
        rows=export.rows,
    )


def changes_page(*, export: StartListExport, now: datetime, policy: Policy) -> ChangesPage:
    """`export` with its race and what that one's header needs."""
    race, zone = export.race, zone_of(export.race.timezone)
    compared = export_compared(export, now=now)
    shown = with_times(compared.changes[:CHANGES_SHOWN])
    beat = last_beat(now=now, policy=policy)
    statuses = event_statuses(compared.events, beat=beat, now=now, policy=policy, runs=False, people=False)
    stale = (_not_current(status) for status in statuses)
    return ChangesPage(
        race=race_header(race, now=now),
        export=_export_row(export, zone=zone, now=now),
        event_pk=export.event_id,
        summary=summary(compared.changes),
        since=local_text(export.made_at, zone=zone, now=now),
        as_of=moment(compared.as_of, zone=zone, now=now),
        withdrawals_as_of=moment(compared.withdrawals_as_of, zone=zone, now=now),
        notes=(*filter(None, stale), *_renamed(compared)),
        lines=tuple(_line(change, zone=zone, now=now) for change in shown),
        left=len(compared.changes) - len(shown),
    )


def summary(changes: Sequence[ListChange]) -> str:
    """ "3 new, 1 bib changed, 2 withdrawn"; "" for none."""
    return ", ".join(f"{number:,} {_plural(what, number)}" for what, number in counted(changes).items())


def _plural(what: What, number: int) -> str:
    return "bibs changed" if what is What.BIB_CHANGED and number != 1 else what.value


def _renamed(compared: Compared) -> list[str]:
    before = {event.pk: event.name for event in compared.heading.events}
    return [
        f"The event {before[event.pk]} is called {event.name} now."
        for event in compared.listed
        if before.get(event.pk, event.name) != event.name
    ]


def _line(change: ListChange, *, zone: tzinfo, now: datetime) -> ChangeLine:
    row = change.row
    return ChangeLine(
        pk=change.pk,
        what=change.what.value.capitalize(),
        kind=KINDS[change.what],
        bib=row["bib"],
        name=" ".join(filter(None, (row["first_name"], row["last_name"]))) or f"Registration {row['registration_id']}",
        event=row["event"],
        details=tuple(
            Detail(label=COLUMNS[name], old=words(old), new=words(new)) for name, old, new in change.differences()
        ),
        reason=change.reason,
        at=moment(change.at, zone=zone, now=now),
    )
