"""The history of runs, newest first, found without reading all of it: 3,000,000 runs are one year.

Every question is one of three:
- A stream: the first rows of one index before the position, filtered. The index is that of the event
  (run_latest_of_event), of the cycle (its foreign key), of the open runs (run_open), of what went wrong
  (run_latest_bad), of what the plan did not ask for (run_latest_asked), and else that of all (run_latest). What is not
  found within that many rows is not said to be missing: the answer tells back to when it looked and goes on from there.
- A merge: of some events the newest rows of each from run_latest_of_event, in one order. Without further filters only
  the events with the newest runs matter, as many as rows are wanted: so a partner with 5,000 events costs 5,000 looks
  at an index and no more.
- For a partner with further filters: the stream of all, begun at the partner's newest run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from sync.models import BAD_OUTCOMES, Trigger

# Read in 10 to 30 ms, as runs lie on the disk in their order; of those that lie far apart 10,000 take as long.
LOOKED_AT = 30_000
LOOKED_AT_FAR_APART = 10_000
# A merge with further filters is worth it while it looks at this many rows of each event.
LEAST_OF_EACH = 250
LAST_PK = 2**63 - 1
# Only words of this file become a part of a statement; what somebody typed is a parameter.
BAD = ", ".join(f"'{outcome.value}'" for outcome in BAD_OUTCOMES)

Condition = tuple[str, list[object]]
Row = tuple[datetime, int]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Position:
    """Between two runs: what is older than this comes next. Runs that begin while somebody reads do not move it."""

    started_at: datetime
    pk: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which runs; None: any. `outcomes`: "" is a run that still runs. From `begins` on and before `ends`."""

    event_ids: tuple[int, ...] | None = None
    cycle_id: int | None = None
    outcomes: tuple[str, ...] | None = None
    trigger: str | None = None
    tier: str | None = None
    begins: datetime | None = None
    ends: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """`pks` newest first. `older`: where the search goes on, None at the end; `looked_back_to`: set when it ended
    before the page was full, because it had looked at enough."""

    pks: tuple[int, ...]
    older: Position | None
    looked_back_to: datetime | None = None


NOTHING = Found(pks=(), older=None)


def runs_found(wanted: Wanted, *, before: Position | None, limit: int) -> Found:
    """At most `limit` runs older than `before`, None for the newest."""
    before = _earlier(before, wanted.ends)
    events = wanted.event_ids
    if events is None or len(events) == 1 or _has_stream(wanted):
        return _streamed(wanted, before=before, limit=limit)
    if not events:
        return NOTHING
    is_filtered = bool(_filters(wanted))
    of_each = LOOKED_AT // len(events) if is_filtered else limit + 1
    events_read = len(events) if is_filtered else min(len(events), limit + 1)
    if of_each >= LEAST_OF_EACH if is_filtered else of_each * events_read <= LOOKED_AT:
        return _merged(wanted, before=before, limit=limit, of_each=of_each, events_read=events_read)
    newest = _newest(events, wanted, before=before)
    return NOTHING if newest is None else _streamed(wanted, before=_earlier(before, newest, pk=LAST_PK), limit=limit)


def runs_all(wanted: Wanted, *, before: Position | None, at_once: int) -> Iterator[tuple[int, ...]]:
    """All of them, newest first, some at a time: each part is as bounded as a page."""
    while True:
        found = runs_found(wanted, before=before, limit=at_once)
        if found.pks:
            yield found.pks
        if found.older is None:
            return
        before = found.older


def _earlier(before: Position | None, ends: datetime | None, *, pk: int = 0) -> Position | None:
    if ends is None:
        return before
    end = Position(started_at=ends, pk=pk)
    return end if before is None else min(before, end)


def _has_stream(wanted: Wanted) -> bool:
    """Whether an index holds few runs beside those that are wanted, whatever events they are of."""
    return wanted.cycle_id is not None or _is_bad(wanted) or _is_running(wanted) or _is_asked(wanted)


def _is_bad(wanted: Wanted) -> bool:
    return bool(wanted.outcomes) and set(wanted.outcomes or ()) <= set(BAD_OUTCOMES)


def _is_running(wanted: Wanted) -> bool:
    return wanted.outcomes == ("",)


def _is_asked(wanted: Wanted) -> bool:
    return wanted.trigger is not None and wanted.trigger != Trigger.SCHEDULED


def _stream(wanted: Wanted) -> Condition:
    """The condition that names the index. What it says of outcomes is written out, or no partial index is used."""
    if wanted.cycle_id is not None:
        return "cycle_id = %s", [wanted.cycle_id]
    if wanted.event_ids is not None and len(wanted.event_ids) == 1:
        return "event_id = %s", [wanted.event_ids[0]]
    if _is_running(wanted):
        return "lease_until IS NOT NULL", []
    if _is_bad(wanted):
        return f"outcome IN ({BAD})", []
    if _is_asked(wanted):
        return f"trigger <> '{Trigger.SCHEDULED.value}'", []
    return "TRUE", []


def _looked_at(wanted: Wanted) -> int:
    return LOOKED_AT_FAR_APART if _is_bad(wanted) or _is_asked(wanted) else LOOKED_AT


def _filters(wanted: Wanted) -> list[Condition]:
    """Beside events, cycle and time."""
    found: list[Condition] = []
    if wanted.outcomes is not None:
        found.append(("outcome = ANY(%s)", [list(wanted.outcomes)]))
    if wanted.trigger is not None:
        found.append(("trigger = %s", [wanted.trigger]))
    if wanted.tier is not None:
        found.append(("tier = %s", [wanted.tier]))
    return found


def _within(wanted: Wanted, before: Position | None) -> list[Condition]:
    found: list[Condition] = []
    if before is not None:
        # The first half is what the index is entered with.
        found.append(
            ("started_at <= %s AND (started_at, id) < (%s, %s)", [before.started_at, before.started_at, before.pk])
        )
    if wanted.begins is not None:
        found.append(("started_at >= %s", [wanted.begins]))
    return found


def _all_of(conditions: Sequence[Condition]) -> Condition:
    return (
        " AND ".join(f"({sql})" for sql, _params in conditions) or "TRUE",
        [param for _sql, params in conditions for param in params],
    )


def _streamed(wanted: Wanted, *, before: Position | None, limit: int) -> Found:
    stream, stream_params = _all_of([_stream(wanted), *_within(wanted, before)])
    filters = _filters(wanted)
    if wanted.event_ids is not None:
        filters.append(("event_id = ANY(%s)", [list(wanted.event_ids)]))
    where, params = _all_of(filters)
    rows = _rows(
        f"""
        SELECT started_at, id FROM (
            SELECT started_at, id, event_id, outcome, trigger, tier FROM sync_syncrun
            WHERE {stream} ORDER BY started_at DESC, id DESC LIMIT %s
        ) AS looked WHERE {where} ORDER BY started_at DESC, id DESC LIMIT %s
        """,  # noqa: S608
        [*stream_params, _looked_at(wanted), *params, limit + 1],
    )
    if len(rows) > limit:
        return _full(rows, limit=limit)
    last = _rows(
        f"SELECT started_at, id FROM sync_syncrun WHERE {stream} ORDER BY started_at DESC, id DESC LIMIT 1 OFFSET %s",  # noqa: S608
        [*stream_params, _looked_at(wanted) - 1],
    )
    older = Position(started_at=last[0][0], pk=last[0][1]) if last else None
    return _partly(rows, older=older)


def _merged(wanted: Wanted, *, before: Position | None, limit: int, of_each: int, events_read: int) -> Found:
    within, within_params = _all_of(_within(wanted, before))
    where, params = _all_of(_filters(wanted))
    rows = _rows(
        f"""
        WITH newest AS MATERIALIZED (
            SELECT latest.event_id FROM unnest(%s::bigint[]) AS wanted (id) CROSS JOIN LATERAL (
                SELECT event_id, started_at, id FROM sync_syncrun WHERE event_id = wanted.id AND {within}
                ORDER BY started_at DESC, id DESC LIMIT 1
            ) AS latest
            ORDER BY latest.started_at DESC, latest.id DESC LIMIT %s
        ), looked AS MATERIALIZED (
            SELECT run.* FROM newest CROSS JOIN LATERAL (
                SELECT started_at, id, outcome, trigger, tier,
                    row_number() OVER (ORDER BY started_at DESC, id DESC) AS place
                FROM sync_syncrun WHERE event_id = newest.event_id AND {within}
                ORDER BY started_at DESC, id DESC LIMIT %s
            ) AS run
        ), known AS MATERIALIZED (
            SELECT started_at, id FROM looked WHERE place = %s ORDER BY started_at DESC, id DESC LIMIT 1
        )
        SELECT started_at, id, FALSE AS is_end FROM (
            SELECT started_at, id FROM looked
            WHERE {where} AND (started_at, id) >= ALL (SELECT started_at, id FROM known)
            ORDER BY started_at DESC, id DESC LIMIT %s
        ) AS found
        UNION ALL SELECT started_at, id, TRUE FROM known
        ORDER BY is_end, started_at DESC, id DESC
        """,  # noqa: S608
        [
            *(list(wanted.event_ids or ()), *within_params, events_read),
            *(*within_params, of_each, of_each, *params, limit + 1),
        ],
    )
    # Of an event that has more rows than were read, what is older than the last of them is not known.
    known = next((Position(started_at=at, pk=pk) for at, pk, is_end in rows if is_end), None)
    found = [(at, pk) for at, pk, is_end in rows if not is_end]
    return _full(found, limit=limit) if len(found) > limit else _partly(found, older=known)


def _newest(events: Sequence[int], wanted: Wanted, *, before: Position | None) -> datetime | None:
    """When the newest run of these events began: before it, the stream of all need not be read."""
    within, params = _all_of(_within(wanted, before))
    rows = _rows(
        f"""
        SELECT max(latest.started_at) FROM unnest(%s::bigint[]) AS wanted (id) CROSS JOIN LATERAL (
            SELECT started_at FROM sync_syncrun WHERE event_id = wanted.id AND {within}
            ORDER BY started_at DESC LIMIT 1
        ) AS latest
        """,  # noqa: S608
        [list(events), *params],
    )
    return rows[0][0]


def _full(rows: Sequence[Row], *, limit: int) -> Found:
    shown = rows[:limit]
    return Found(pks=_pks(shown), older=Position(started_at=shown[-1][0], pk=shown[-1][1]))


def _partly(rows: Sequence[Row], *, older: Position | None) -> Found:
    return Found(pks=_pks(rows), older=older, looked_back_to=older.started_at if older else None)


def _pks(rows: Sequence[Row]) -> tuple[int, ...]:
    return tuple(pk for _started_at, pk in rows)


def _rows(sql: str, params: Sequence[Any]) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()
