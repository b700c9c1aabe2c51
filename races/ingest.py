"""Storing a page of participants: what is byte for byte known costs a hash, only the rest is decoded and written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection

from partners.documents import ParticipantDocument, ParticipantRow, RejectedRow, RowError
from races.models import Event, Participant, ParticipantChange, Race
from races.moved_registrations import moves_close
from races.participant_columns import (
    BLANK,
    CONTENT,
    content_hash_of,
    content_of,
    differences,
    raw_hash_of,
    raw_text_of,
    without_contact,
)
from races.participant_stage import StagedRow, stage_write
from races.race_lock import race_lock
from races.storable import BIGINT
from races.version_order import brings_back, is_older

Decode = Callable[[bytes], ParticipantDocument]
Key = tuple[int, int]
"""An event's pk and a registration id."""

Kind = ParticipantChange.Kind
_COMPARED = ("event_id", "registration_id", "modified_at", "content_hash", "removed_at", "removed_reason", *CONTENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCounts:
    """What a page did to one event. `fetched` counts all its rows, also those that were known or rejected."""

    fetched: int
    added: int
    changed: int
    restored: int
    rejected: tuple[RowError, ...]


@dataclass(slots=True, kw_only=True)
class _Tally:
    fetched: int = 0
    kinds: list[str] = field(default_factory=list)
    rejected: list[RowError] = field(default_factory=list)

    def counts(self) -> StoredCounts:
        return StoredCounts(
            fetched=self.fetched,
            added=self.kinds.count(Kind.ADDED),
            changed=self.kinds.count(Kind.CHANGED),
            restored=self.kinds.count(Kind.RESTORED),
            rejected=tuple(self.rejected),
        )


def store_participants(
    *, race: Race, rows: Sequence[ParticipantRow], decode: Decode, now: datetime, runs: Mapping[int, int]
) -> dict[int, StoredCounts]:
    """Store one page in the caller's transaction; what that did, by Event.pk. `now` is when the fetch began.

    `runs` maps Event.pk to the pk of its SyncRun, for the changes; an event without a run is stored all the same. A
    row whose event the race does not have is rejected and shown with the first event of `runs` (without runs: with
    the race's first event), because somebody has to see it.
    """
    events = dict(Event.objects.filter(race=race).order_by("pk").values_list("provider_event_id", "pk"))
    shown_with = next(iter([*runs, *events.values()]), 0)
    tallies: dict[int, _Tally] = {}
    listed: dict[Key, ParticipantRow] = {}
    for row in rows:
        event = events.get(row.event_id)
        tally = tallies.setdefault(shown_with if event is None else event, _Tally())
        tally.fetched += 1
        if event is None or row.registration_id <= 0 or row.registration_id not in BIGINT:
            tally.rejected.append(RowError(registration_id=row.registration_id, reason=_unusable(row, event)))
        elif not _superseded(row, by=listed.get((event, row.registration_id))):
            listed[event, row.registration_id] = row
    unknown = _unknown(listed)
    if unknown:
        race_lock(race.pk)
        decoded = _decoded(unknown, decode=decode, tallies=tallies)
        staged = _compared(_as_kept(decoded), now=now, runs=runs)
        arrived = [row for row in staged if row.change_kind == Kind.ADDED]
        moves_close(race=race, arrived=arrived, listed=listed.keys(), now=now, runs=runs)
        stage_write(rows=staged, now=now)
        for written in staged:
            tallies[written.key[0]].kinds.append(written.change_kind)
    return {event: tally.counts() for event, tally in tallies.items()}


def _unusable(row: ParticipantRow, event: int | None) -> str:
    if event is None:
        return f"its event {row.event_id} is not one of this race."
    return "registration_id is out of range."


def _superseded(row: ParticipantRow, *, by: ParticipantRow | None) -> bool:
    """True when the page has a later version of the same registration; of two equal ones the last counts."""
    return by is not None and (by.last_modified or 0) > (row.last_modified or 0)


def _unknown(listed: Mapping[Key, ParticipantRow]) -> dict[Key, ParticipantRow]:
    """The rows whose bytes are not stored. Read from the unique index alone; takes no lock.

    A removed participant has an empty hash there, so that one who comes back is looked at without asking for it here.
    """
    if not listed:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT event_id, registration_id, raw_hash FROM races_participant"
            " WHERE event_id = ANY(%s) AND registration_id = ANY(%s)",
            [list({event for event, _id in listed}), list({registration for _event, registration in listed})],
        )
        known = {(event, registration): bytes(stored) for event, registration, stored in cursor}
    return {key: row for key, row in listed.items() if known.get(key) != raw_hash_of(row.raw)}


def _decoded(
    unknown: Mapping[Key, ParticipantRow], *, decode: Decode, tallies: Mapping[int, _Tally]
) -> dict[Key, dict[str, Any]]:
    """The columns of each row. One that cannot be stored is noted and left out; the rest of the page goes on."""
    decoded: dict[Key, dict[str, Any]] = {}
    for (event, registration), row in unknown.items():
        try:
            document = decode(row.raw)
            content = content_of(document)
            raw = raw_text_of(row.raw)
        except RejectedRow as problem:
            tallies[event].rejected.append(RowError(registration_id=registration, reason=str(problem)))
            continue
        decoded[event, registration] = {
            "event_id": event,
            "registration_id": registration,
            **content,
            "modified_at": document.modified_at,
            "raw": raw,
            "raw_hash": raw_hash_of(row.raw),
            "content_hash": content_hash_of(content),
        }
    return decoded


def _as_kept(decoded: dict[Key, dict[str, Any]]) -> dict[Key, dict[str, Any]]:
    """Without contact data where the event was blanked. Asked under the lock: `prune` may have been at it just now."""
    events = {event for event, _id in decoded}
    blanked = set(Event.objects.filter(pk__in=events, blanked_at__isnull=False).values_list("pk", flat=True))
    return {key: without_contact(columns) if key[0] in blanked else columns for key, columns in decoded.items()}


def _compared(decoded: Mapping[Key, dict[str, Any]], *, now: datetime, runs: Mapping[int, int]) -> list[StagedRow]:
    """What is to be written: not what is older than what is stored."""
    stored = _stored(list(decoded))
    staged: list[StagedRow] = []
    for key, columns in decoded.items():
        verdict = _verdict(stored.get(key), columns, now=now)
        if verdict is not None:
            kind, changes = verdict
            staged.append(
                StagedRow(key=key, columns=columns, change_kind=kind, changes=changes, sync_run_id=runs.get(key[0]))
            )
    return staged


def _stored(keys: Sequence[Key]) -> dict[Key, dict[str, Any]]:
    rows = Participant.objects.filter(
        event_id__in={event for event, _id in keys}, registration_id__in=[registration for _event, registration in keys]
    )
    return {(row["event_id"], row["registration_id"]): row for row in rows.values(*_COMPARED)}


def _verdict(
    old: Mapping[str, Any] | None, new: Mapping[str, Any], *, now: datetime
) -> tuple[str, dict[str, list[object]]] | None:
    """The kind of change ("" when only the bytes differ) and what differs; None when the row is not to be written."""
    if old is None:
        # What an added participant had first is in the row itself, or in the old values of its later changes.
        return Kind.ADDED, {}
    changes = _changes(old, new)
    if old["removed_at"] is None:
        if is_older(new["modified_at"], stored=old["modified_at"], now=now):
            return None
        if changes:
            return Kind.CHANGED, changes
        # Of a blanked event no bytes are kept, so there are no newer ones to take over.
        return ("", {}) if new["raw_hash"] else None
    reason = old["removed_reason"]
    if not brings_back(new["modified_at"], removed_at=old["removed_at"], reason=reason, now=now):
        return None
    return Kind.RESTORED, {"removed_reason": [reason, ""], **changes}


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, list[object]]:
    if old["content_hash"] and old["content_hash"] == new["content_hash"]:
        return {}
    found = differences(old, new)
    # Without a hash: its contact data was blanked. When it is stored again, nothing of it happened just now.
    return found if old["content_hash"] else {name: values for name, values in found.items() if name not in BLANK}
