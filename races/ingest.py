"""Storing a page of participants: what is byte for byte known costs a hash, only the rest is decoded and written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime

from partners.documents import ParticipantDocument, ParticipantRow, RejectedRow, RowError
from races.models import ParticipantChange, Race
from races.moved_registrations import Arrival, moves_close
from races.participant_columns import BLANK, Columns, columns_of, differences, raw_hash_of
from races.participant_writes import (
    NotedChange,
    additions_insert,
    changes_insert,
    ids_take,
    participants_insert,
    participants_update,
)
from races.race_lock import race_lock
from races.storable import BIGINT
from races.stored_participants import Key, Stored, blanked_among, events_and_hashes, stored_participants
from races.version_order import brings_back, is_older

Decode = Callable[[bytes], ParticipantDocument]

Kind = ParticipantChange.Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCounts:
    """What a page did to one event. `fetched` counts all its rows, also those that were known or rejected."""

    fetched: int
    added: int = 0
    changed: int = 0
    restored: int = 0
    rejected: tuple[RowError, ...] = ()


Listed = dict[Key, tuple[ParticipantRow, bytes]]
"""The rows of a page with the hash of their bytes."""


@dataclass(slots=True, kw_only=True)
class _Page:
    """What came of the rows of a page so far."""

    now: datetime
    runs: Mapping[int, int]
    decode: Decode
    blanked: frozenset[int] = frozenset()
    fetched: Counter[int] = field(default_factory=Counter)
    kinds: Counter[tuple[int, str]] = field(default_factory=Counter)
    rejected: dict[int, list[RowError]] = field(default_factory=dict)
    added: list[tuple[int, int, int | None]] = field(default_factory=list)
    changes: list[NotedChange] = field(default_factory=list)

    def columns(self, event: int, row: ParticipantRow, raw_hash: bytes) -> Columns | None:
        """The row's columns. One that cannot be stored is noted and left out; the rest of the page goes on."""
        raw = bytes(row.raw)
        try:
            columns = columns_of(self.decode(raw), raw=raw, raw_hash=raw_hash)
        except RejectedRow as problem:
            self.reject(event, row, str(problem))
            return None
        return columns.without_contact() if event in self.blanked else columns

    def reject(self, event: int, row: ParticipantRow, reason: str) -> None:
        self.rejected.setdefault(event, []).append(RowError(registration_id=row.registration_id, reason=reason))

    def note_added(self, event: int, participant_id: int) -> None:
        """What an added participant had first is in the row itself, or in the old values of its later changes."""
        self.kinds[event, Kind.ADDED] += 1
        self.added.append((participant_id, event, self.runs.get(event)))

    def note(self, event: int, *, participant_id: int, kind: str, changes: dict[str, list[object]]) -> None:
        self.kinds[event, kind] += 1
        run = self.runs.get(event)
        self.changes.append(
            NotedChange(participant_id=participant_id, event_id=event, kind=kind, changes=changes, sync_run_id=run)
        )

    def counts(self) -> dict[int, StoredCounts]:
        return {
            event: StoredCounts(
                fetched=fetched,
                added=self.kinds[event, Kind.ADDED],
                changed=self.kinds[event, Kind.CHANGED],
                restored=self.kinds[event, Kind.RESTORED],
                rejected=tuple(self.rejected.get(event, ())),
            )
            for event, fetched in self.fetched.items()
        }


def store_participants(
    *, race: Race, rows: Sequence[ParticipantRow], decode: Decode, now: datetime, runs: Mapping[int, int]
) -> dict[int, StoredCounts]:
    """Store one page in the caller's transaction; what that did, by Event.pk. `now` is when the fetch began.

    `runs` maps Event.pk to the pk of its SyncRun, for the changes; an event without a run is stored all the same. A
    row whose event the race does not have is rejected and shown with the first event of `runs` (without runs: with
    the race's first event), because somebody has to see it.
    """
    page = _Page(now=now, runs=runs, decode=decode)
    fetched = Counter([row.event_id for row in rows])
    events, known = events_and_hashes(race, listed=fetched, registrations=[row.registration_id for row in rows])
    shown_with = next(iter([*runs, *events.values()]), 0)
    for event_id, count in fetched.items():
        page.fetched[events.get(event_id, shown_with)] += count
    hashes = [raw_hash_of(row.raw) for row in rows]
    # The bytes name the event and the registration: who has them stored has them stored there.
    if not known.issuperset(hashes):
        listed = _listed(page, rows, hashes, events=events, shown_with=shown_with)
        unknown = {key: row for key, row in listed.items() if row[1] not in known}
        if unknown:
            _store_unknown(page, unknown, race=race, events=list(events.values()), listed=listed)
    return page.counts()


def _listed(
    page: _Page, rows: Sequence[ParticipantRow], hashes: Sequence[bytes], *, events: Mapping[int, int], shown_with: int
) -> Listed:
    """One row per registration: its last version. Of two equal ones the last counts."""
    listed: Listed = {}
    for row, raw_hash in zip(rows, hashes, strict=True):
        event = events.get(row.event_id)
        if event is None:
            page.reject(shown_with, row, f"its event {row.event_id} is not one of this race.")
        elif row.registration_id <= 0 or row.registration_id not in BIGINT:
            page.reject(event, row, "registration_id is out of range.")
        else:
            other = listed.get((event, row.registration_id))
            if other is None or (other[0].last_modified or 0) <= (row.last_modified or 0):
                listed[event, row.registration_id] = (row, raw_hash)
    return listed


def _store_unknown(page: _Page, unknown: Listed, *, race: Race, events: Sequence[int], listed: Listed) -> None:
    race_lock(race.pk)
    page.blanked = blanked_among({event for event, _registration in unknown})
    stored = stored_participants(events=events, registrations={registration for _event, registration in unknown})
    elsewhere = {key[1] for key, old in stored.items() if key not in listed and old["removed_at"] is None}
    participants_update(list(_updated(page, unknown, stored)))
    new = {key: row for key, row in unknown.items() if key not in stored}
    if new:
        arrived: list[Arrival] = []
        # Taken before the COPY begins: until it ends the connection answers nothing else.
        pks = ids_take(len(new))
        participants_insert(_inserted(page, new, pks, elsewhere=elsewhere, arrived=arrived))
        moves_close(race=race, arrived=arrived, listed=listed.keys(), now=page.now, runs=page.runs)
    changes_insert(page.changes, now=page.now)
    additions_insert(page.added, now=page.now)


def _inserted(
    page: _Page, new: Listed, pks: Sequence[int], *, elsewhere: Set[int], arrived: list[Arrival]
) -> Iterator[tuple[int, int, int, Columns]]:
    """The new participants. Those who are active under the same id `elsewhere` in the race are added to `arrived`."""
    for pk, ((event, registration), (row, raw_hash)) in zip(pks, new.items(), strict=True):
        columns = page.columns(event, row, raw_hash)
        if columns is None:
            continue
        page.note_added(event, pk)
        if registration in elsewhere:
            arrived.append(
                Arrival(event_id=event, registration_id=registration, modified_at=columns.modified_at, bib=columns.bib)
            )
        yield pk, event, registration, columns


def _updated(page: _Page, unknown: Listed, stored: Mapping[Key, Stored]) -> Iterator[tuple[int, Columns]]:
    """What is to be written over what is stored: not what is older."""
    for (event, registration), (row, raw_hash) in unknown.items():
        old = stored.get((event, registration))
        columns = page.columns(event, row, raw_hash) if old is not None else None
        if old is None or columns is None:
            continue
        verdict = _verdict(old, columns, now=page.now)
        if verdict is not None:
            kind, changes = verdict
            if kind:
                page.note(event, participant_id=old["id"], kind=kind, changes=changes)
            yield old["id"], columns


def _verdict(old: Stored, new: Columns, *, now: datetime) -> tuple[str, dict[str, list[object]]] | None:
    """The kind of change ("" when only the bytes differ) and what differs; None when the row is not to be written."""
    changes = _changes(old, new)
    if old["removed_at"] is None:
        if is_older(new.modified_at, stored=old["modified_at"], now=now):
            return None
        if changes:
            return Kind.CHANGED, changes
        # Of a blanked event no bytes are kept, so there are no newer ones to take over.
        return ("", {}) if new.raw_hash else None
    reason = old["removed_reason"]
    if not brings_back(new.modified_at, removed_at=old["removed_at"], reason=reason, now=now):
        return None
    return Kind.RESTORED, {"removed_reason": [reason, ""], **changes}


def _changes(old: Stored, new: Columns) -> dict[str, list[object]]:
    if old["content_hash"] and old["content_hash"] == new.content_hash:
        return {}
    found = differences(old, new.by_name())
    # Without a hash: its contact data was blanked. When it is stored again, nothing of it happened just now.
    return found if old["content_hash"] else {name: values for name, values in found.items() if name not in BLANK}
