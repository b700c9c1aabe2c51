"""The way of a page into the database: binary COPY into a temporary table, then one statement.

The temporary table lives as long as its connection and is emptied for each page and at each commit. Dropping it instead
would write the catalogue at every page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from psycopg import sql

from races.participant_columns import STORED

# Beside the columns of the participant: the change to note, "" for none.
_NOTED = {"change_kind": "text", "changes": "jsonb", "sync_run_id": "int8"}
_STAGED = {**STORED, **_NOTED}
_STAGE = sql.Identifier("pg_temp", "participant_stage")


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedRow:
    """One participant to write: `key` is its event's pk and registration id, `columns` are those of STORED.

    `change_kind` is "" when no change is to be noted.
    """

    key: tuple[int, int]
    columns: dict[str, Any]
    change_kind: str
    changes: dict[str, list[object]]
    sync_run_id: int | None


def _names(names: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))


_CREATE = sql.SQL("CREATE TEMP TABLE IF NOT EXISTS participant_stage ({columns}) ON COMMIT DELETE ROWS").format(
    columns=sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in _STAGED.items()
    )
)
_EMPTY = sql.SQL("TRUNCATE {stage}").format(stage=_STAGE)
_COPY = sql.SQL("COPY {stage} ({names}) FROM STDIN (FORMAT BINARY)").format(stage=_STAGE, names=_names(list(_STAGED)))
# Whoever is listed is active: a stored row is no longer removed.
_UPSERT = sql.SQL(
    """
    WITH written AS (
        INSERT INTO races_participant ({names}, removed_reason)
        SELECT {names}, '' FROM {stage}
        ON CONFLICT (event_id, registration_id) DO UPDATE
        SET ({updated}, removed_at, removed_reason, successor_registration_id) = ROW ({excluded}, NULL, '', NULL)
        RETURNING id, event_id, registration_id
    )
    INSERT INTO races_participantchange (participant_id, kind, changes, at, sync_run_id)
    SELECT written.id, stage.change_kind, stage.changes, %s, stage.sync_run_id
    FROM written JOIN {stage} AS stage USING (event_id, registration_id)
    WHERE stage.change_kind <> ''
    """
).format(
    names=_names(list(STORED)),
    stage=_STAGE,
    updated=_names(list(STORED)[2:]),
    excluded=sql.SQL(", ").join(sql.Identifier("excluded", name) for name in list(STORED)[2:]),
)


def stage_write(*, rows: Sequence[StagedRow], now: datetime) -> None:
    """Insert or overwrite the participants and note their changes. No two rows may be of one registration."""
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.execute(_CREATE)
        cursor.execute(_EMPTY)
        with cursor.copy(_COPY) as copy:
            copy.set_types(list(_STAGED.values()))
            for row in rows:
                copy.write_row((*(row.columns[name] for name in STORED), row.change_kind, row.changes, row.sync_run_id))
        cursor.execute(_UPSERT, [now])
