"""The ways of a page into the database: what is new by binary COPY straight into its table, what changed in one UPDATE.

A COPY can do so because a writer holds the race's lock since it looked what is stored: nobody else inserts meanwhile.
The server stores the first rows while the next ones are still being decoded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
from django.db import connection
from django.db.backends.utils import CursorWrapper
from psycopg import sql
from psycopg.types.string import BytesBinaryDumper

from races.participant_columns import BESIDE, CONTENT, Columns

_UPDATED = {**CONTENT, **BESIDE}
# jsonb in COPY's format is a version byte and the text: handed over as bytes, nobody encodes it a second time.
_JSONB = "bytea"
_JSONB_VERSION = b"\x01"
_INSERTED = {"id": "int8", "event_id": "int8", "registration_id": "int8", **_UPDATED, "removed_reason": "text"}
_NOTED = {
    "participant_id": "int8",
    "event_id": "int8",
    "kind": "text",
    "changes": "jsonb",
    "at": "timestamptz",
    "sync_run_id": "int8",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NotedChange:
    """A change row: `changes` is {column: [old, new]}."""

    participant_id: int
    event_id: int
    kind: str
    changes: dict[str, list[object]]
    sync_run_id: int | None


def _names(names: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))


def _copy_into(table: str, columns: Iterable[str]) -> str:
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)")
    return statement.format(sql.Identifier(table), _names(columns)).as_string()


# As text: putting one together for each page costs as much as sending ten rows.
_COPY_PARTICIPANTS = _copy_into("races_participant", _INSERTED)
_COPY_CHANGES = _copy_into("races_participantchange", _NOTED)
# The whole page is one parameter. Whoever is listed is active: a stored row is no longer removed.
_UPDATE = (
    sql.SQL(
        """
    UPDATE races_participant AS participant
    SET ({names}, removed_at, removed_reason, successor_registration_id) = ROW ({values}, NULL, '', NULL)
    FROM json_to_recordset(%s::json) AS new (id bigint, {typed})
    WHERE participant.id = new.id
    """
    )
    .format(
        names=_names(_UPDATED),
        values=sql.SQL(", ").join(sql.Identifier("new", name) for name in _UPDATED),
        typed=sql.SQL(", ").join(
            sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in _UPDATED.items()
        ),
    )
    .as_string()
)


def ids_take(count: int) -> Sequence[int]:
    """Primary keys for `count` new participants."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence('races_participant', 'id')) FROM generate_series(1, %s)", [count]
        )
        return [row[0] for row in cursor]


def participants_insert(rows: Iterable[tuple[int, int, int, Columns]]) -> None:
    """Rows of (pk, event's pk, registration id, columns), none of which is stored. Read while they are being sent."""
    with connection.cursor() as cursor:
        # The one in C: for bytea psycopg would take the one of DB-API's Binary, which is Python.
        cursor.adapters.register_dumper(bytes, BytesBinaryDumper)
        _copy_participants(cursor, rows)


def _copy_participants(cursor: CursorWrapper, rows: Iterable[tuple[int, int, int, Columns]]) -> None:
    with cursor.copy(_COPY_PARTICIPANTS) as copy:
        copy.set_types([_JSONB if kind == "jsonb" else kind for kind in _INSERTED.values()])
        for pk, event, registration_id, columns in rows:
            *values, answers = columns.content
            copy.write_row(
                (
                    pk,
                    event,
                    registration_id,
                    *values,
                    _JSONB_VERSION + bytes(answers),
                    columns.modified_at,
                    columns.raw,
                    columns.raw_hash,
                    columns.content_hash,
                    "",
                )
            )


def participants_update(rows: Sequence[tuple[int, Columns]]) -> None:
    """Overwrite the participants with these pks."""
    if not rows:
        return
    page = [
        {
            "id": pk,
            **dict(zip(CONTENT, columns.content, strict=True)),
            "modified_at": columns.modified_at,
            "raw": columns.raw,
            "raw_hash": "\\x" + columns.raw_hash.hex(),
            "content_hash": "\\x" + columns.content_hash.hex(),
        }
        for pk, columns in rows
    ]
    with connection.cursor() as cursor:
        cursor.execute(_UPDATE, [msgspec.json.encode(page).decode()])


_ADDITIONS = """
    INSERT INTO races_participantchange (participant_id, event_id, kind, changes, at, sync_run_id)
    SELECT new.id, new.event, 'added', '{}', %s, new.run
    FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS new (id, event, run)
"""


def additions_insert(added: Sequence[tuple[int, int, int | None]], *, now: datetime) -> None:
    """The change rows of new participants, given as (pk, pk of the event, pk of the run): alike, so that no row of them
    is sent."""
    if not added:
        return
    ids, events, runs = zip(*added, strict=True)
    with connection.cursor() as cursor:
        cursor.execute(_ADDITIONS, [now, *map(_array, (ids, events, runs))])


def _array(numbers: Iterable[int | None]) -> str:
    return "{" + ",".join(["NULL" if number is None else str(number) for number in numbers]) + "}"


def changes_insert(changes: Sequence[NotedChange], *, now: datetime) -> None:
    if not changes:
        return
    with connection.cursor() as cursor, cursor.copy(_COPY_CHANGES) as copy:
        copy.set_types([_JSONB if kind == "jsonb" else kind for kind in _NOTED.values()])
        for change in changes:
            noted = _JSONB_VERSION + msgspec.json.encode(change.changes)
            copy.write_row((change.participant_id, change.event_id, change.kind, noted, now, change.sync_run_id))
