"""What changed in a start list since it was exported: the remembered rows against those of the mirror now.

The base is the export itself, not the history of changes: what the crew has in its program is what is compared.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from enum import StrEnum
from typing import Any

from django.db.models import Q

from races.change_words import REMOVED_REASONS
from races.export_cells import BYTE_ORDER_MARK, COLUMNS, NAMES, ListedEvent, Row, csv_table, snapshot_whole, stamp
from races.models import Participant, ParticipantChange, StartListExport
from races.start_list_export import rows_of

_AT = {name: place for place, name in enumerate(NAMES)}
# An event that is called otherwise now is a change of the event, not of each of its people.
_OF_THE_EVENT = frozenset({"event", "event_id"})
# Columns that the history of changes calls otherwise.
_IN_HISTORY = {"team_name": "team", "country_code": "country", "is_anonymous": "anonymous"}
# Nobody passes through more registrations than this; a circle of them must end.
LONGEST_CHAIN = 10


class What(StrEnum):
    """In the order in which they are said."""

    NEW = "new"
    BIB_CHANGED = "bib changed"
    MOVED = "moved"
    WITHDRAWN = "withdrawn"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListChange:
    """One person. `pk`: the participant's, of who moved the one there now. `old`: the exported row, of who moved in
    from elsewhere the row there; `new`: the row now, of who moved away the row there; None: not in the list.
    `reason`: of a withdrawal; `at`: when the mirror took it over, once `with_times` looked it up."""

    pk: int
    what: What
    old: Row | None
    new: Row | None
    reason: str = ""
    at: datetime | None = None

    @property
    def row(self) -> dict[str, Any]:
        """As it is now; of who left, as it was."""
        return dict(zip(NAMES, self.new or self.old or (), strict=True))

    def differences(self) -> list[tuple[str, object, object]]:
        """(column, old, new); nothing for who is new or gone."""
        if self.old is None or self.new is None:
            return []
        ignored = {"event_id"} if self.what is What.MOVED else _OF_THE_EVENT
        return [
            (name, old, new)
            for name, old, new in zip(NAMES, self.old, self.new, strict=True)
            if old != new and name not in ignored
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Departed:
    """Who left an event. `successor`: the registration that took its place, if any."""

    pk: int
    event_pk: int
    registration_id: int
    reason: str
    successor: int | None


@dataclass(slots=True, kw_only=True)
class Present:
    """The mirror now, as far as an export of a race is compared with it."""

    active: dict[int, dict[int, Row]] = field(default_factory=dict)
    """By event pk: the row by participant pk."""
    registered: dict[int, tuple[int, Row]] = field(default_factory=dict)
    """By registration id: the active participant's pk and row."""
    departed: dict[int, Departed] = field(default_factory=dict)
    """By participant pk."""
    successors: dict[int, int] = field(default_factory=dict)
    predecessors: dict[int, Departed] = field(default_factory=dict)
    """By the registration id of the successor."""
    rows_before: dict[int, Row] = field(default_factory=dict)
    """By participant pk: the rows of the predecessors."""

    def last_of(self, registration_id: int) -> int:
        """The registration that a person has in the end."""
        for _ in range(LONGEST_CHAIN):
            successor = self.successors.get(registration_id, registration_id)
            if successor == registration_id:
                break
            registration_id = successor
        return registration_id


def present_of(*, listed: Collection[int], events: Sequence[ListedEvent]) -> Present:
    """Three queries at most. `listed`: the pks of the events whose lists are compared; `events`: these and all others
    that their people may have come from or gone to."""
    present = Present(active={pk: {} for pk in listed})
    pk_of = {event.id: event.pk for event in events}
    everybody = Participant.objects.filter(event__in=[event.pk for event in events])
    active = everybody.filter(removed_at=None)
    for pk, row in rows_of(active.filter(event__in=listed), events=events):
        present.active[pk_of[_of(row, "event_id")]][pk] = row
        present.registered[_of(row, "registration_id")] = pk, row
    gone = everybody.filter(removed_at__isnull=False).values_list(
        "pk", "event_id", "registration_id", "removed_reason", "successor_registration_id"
    )
    for pk, event_pk, registration_id, reason, successor in gone:
        departed = Departed(
            pk=pk,
            event_pk=event_pk,
            registration_id=registration_id,
            reason=reason,
            successor=successor,
        )
        present.departed[pk] = departed
        if successor is not None:
            present.successors[registration_id] = successor
            present.predecessors[successor] = departed
    _read_moved(present, everybody, events=events)
    return present


def _read_moved(present: Present, everybody: Any, *, events: Sequence[ListedEvent]) -> None:
    """The rows of those who moved: where they went, outside of the lists, and where they came from."""
    if not present.predecessors:
        return
    elsewhere = set(present.predecessors) - set(present.registered)
    before = {departed.pk for departed in present.predecessors.values()}
    moved = everybody.filter(Q(removed_at=None, registration_id__in=elsewhere) | Q(pk__in=before))
    for pk, row in rows_of(moved, events=events):
        if pk in before:
            present.rows_before[pk] = row
        else:
            present.registered[_of(row, "registration_id")] = pk, row


def _of(row: Row, name: str) -> Any:
    return row[_AT[name]]


def changes_since(export: StartListExport, *, listed: Collection[int], present: Present) -> list[ListChange]:
    """Everybody whose place in the list differs, in the order of `What`, then by event, bib and name. `listed`: the
    pks of the events that the export stands for now."""
    base = snapshot_whole(bytes(export.snapshot))
    now = {pk: row for event in listed for pk, row in present.active[event].items()}
    changes = [_changed(pk, base[pk], row) for pk, row in now.items() if pk in base and not _is_same(base[pk], row)]
    left = [_left(pk, row, base=base, present=present) for pk, row in base.items() if pk not in now]
    known = {change.pk for change in left}
    came = [
        _came(pk, row, listed=listed, present=present) for pk, row in now.items() if pk not in base and pk not in known
    ]
    return sorted([*changes, *left, *came], key=_order)


def _is_same(old: Row, new: Row) -> bool:
    return old == new or all(
        was == now or name in _OF_THE_EVENT for name, was, now in zip(NAMES, old, new, strict=True)
    )


def _changed(pk: int, old: Row, new: Row) -> ListChange:
    is_bib = _of(old, "bib") != _of(new, "bib")
    return ListChange(pk=pk, what=What.BIB_CHANGED if is_bib else What.CHANGED, old=old, new=new)


def _left(pk: int, old: Row, *, base: Mapping[int, Row], present: Present) -> ListChange:
    """Who moved is one change, not one who left and a stranger."""
    new_pk, new = present.registered.get(present.last_of(_of(old, "registration_id")), (pk, None))
    if new is None or new_pk in base:
        departed = present.departed.get(pk)
        reason = departed.reason if departed else ""
        return ListChange(
            pk=pk,
            what=What.WITHDRAWN,
            old=old,
            new=None,
            reason=REMOVED_REASONS.get(reason, reason),
        )
    if _of(old, "event_id") != _of(new, "event_id"):
        return ListChange(pk=new_pk, what=What.MOVED, old=old, new=new)
    # Passed on within the event: another registration in the same place.
    return _changed(new_pk, old, new)


def _came(pk: int, new: Row, *, listed: Collection[int], present: Present) -> ListChange:
    before = present.predecessors.get(_of(new, "registration_id"))
    if before is None or before.event_pk in listed:
        return ListChange(pk=pk, what=What.NEW, old=None, new=new)
    return ListChange(pk=pk, what=What.MOVED, old=present.rows_before[before.pk], new=new)


def _order(change: ListChange) -> tuple[object, ...]:
    row = change.row
    before, number, _rest = re.match(r"(\D*)(\d*)(.*)", row["bib"], re.ASCII | re.DOTALL).groups()  # type: ignore[union-attr]
    return (
        list(What).index(change.what),
        row["event"],
        row["event_id"],
        not row["bib"],
        before.lower(),
        int(number or 0),
        row["last_name"].lower(),
        row["first_name"].lower(),
        change.pk,
    )


def counted(changes: Iterable[ListChange]) -> dict[What, int]:
    """How many of each kind; kinds that do not occur are left out."""
    found = [change.what for change in changes]
    return {what: found.count(what) for what in What if what in found}


def with_times(changes: Sequence[ListChange]) -> list[ListChange]:
    """The same with their times; one query. Not the provider's times: those may lie before the download."""
    history = ParticipantChange.objects.filter(participant__in=[change.pk for change in changes])
    rows = history.order_by("at", "pk").values_list("participant_id", "kind", "changes", "at")
    # The last one stays.
    last = {pk: at for pk, kind, fields, at in rows if _is_of_the_list(kind, fields)}
    return [replace(change, at=last.get(change.pk)) for change in changes]


def _is_of_the_list(kind: str, fields: Iterable[str]) -> bool:
    """A new phone number is no change of a start list."""
    return kind != ParticipantChange.Kind.CHANGED or any(_IN_HISTORY.get(name, name) in COLUMNS for name in fields)


def changes_csv(changes: Sequence[ListChange], *, zone: tzinfo) -> Iterator[bytes]:
    """A line per person: what changed, what to look for in the timing program, and the row to put there."""
    yield BYTE_ORDER_MARK
    headings = ["Change", "Changed At", "Details", "Old Bib", "Old Event", "Old Registration ID", *COLUMNS.values()]
    yield from csv_table(headings, (_line(change, zone=zone) for change in with_times(changes)))


def _line(change: ListChange, *, zone: tzinfo) -> Row:
    old = dict(zip(NAMES, change.old, strict=True)) if change.old else {}
    details = [f"{COLUMNS[name]}: {words(was)} → {words(now)}" for name, was, now in change.differences()]
    return [
        change.what.value,
        stamp(change.at, zone=zone) if change.at else "",
        "; ".join(details) or change.reason,
        old.get("bib"),
        old.get("event"),
        old.get("registration_id"),
        *change.row.values(),
    ]


def words(value: object) -> str:
    """A value of a row for people to read; what is not there is "none"."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value in (None, "") else str(value)
