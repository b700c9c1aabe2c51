"""Rolls the runs of each event's last hours up into one row per day, which stays when the runs are pruned."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from django.db import connection

from races.models import Event
from sync.core.gap_causes import GapFacts, gap_cause, needs_cause
from sync.core.policy import Policy
from sync.core.receipt import (
    DayFigures,
    DayPart,
    Gap,
    RunFact,
    begins_at,
    day_parts,
    days_of,
    is_settled,
    owed_syncs,
    planned_syncs,
)
from sync.core.tiers import StartWindow, finished_after, zone_of
from sync.models import EventDay
from sync.services.event_schedule import closed_reason, window_of

logger = logging.getLogger(__name__)

# What was over while no schedule ran is still rolled up when one runs again; older runs may have been pruned.
LOOK_BACK = timedelta(days=7)
# The provider's start may lie this far from the one that counts: a start without a time of day is taken as a window.
WINDOW_SLACK = timedelta(days=1)
# So many events have some ten thousand runs: what one statement reads and memory holds.
EVENTS_AT_ONCE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class LastHours:
    """An event whose last hours have begun, with the rows that were written of them."""

    event: Event
    window: StartWindow
    parts: tuple[DayPart, ...]
    rows: dict[date, EventDay]
    ends: datetime

    @property
    def is_final(self) -> bool:
        """Whether all of it was rolled up after it was over: then it is never reckoned again."""
        return all(part.day in self.rows for part in self.parts) and all(
            is_settled(self.ends, at=row.rolled_up_at) for row in self.rows.values()
        )


def event_days_roll_up(*, now: datetime, policy: Policy) -> int:
    """Roll up the events whose last hours run or were not closed yet; returns how many rows were written.

    Idempotent. The number of statements depends on the events only by their batches.
    """
    starts = (now - LOOK_BACK, now + (policy.medium.lead or timedelta(0)) + WINDOW_SLACK)
    events = list(Event.objects.filter(starts_at__range=starts).select_related("race").defer("raw", "race__raw"))
    open_ones = [hours for hours in last_hours(events, now=now, policy=policy) if not hours.is_final]
    written = 0
    for first in range(0, len(open_ones), EVENTS_AT_ONCE):
        written += _roll_up(open_ones[first : first + EVENTS_AT_ONCE], now=now, policy=policy)
    logger.info("Days rolled up", extra={"action": "event_days_rolled_up", "events": len(open_ones), "rows": written})
    return written


def last_hours(events: Iterable[Event], *, now: datetime, policy: Policy) -> list[LastHours]:
    """Those of `events` (each with its race) whose last hours have begun, with their rows: one query."""
    begun = []
    for event in events:
        window = window_of(event)
        if window is not None and begins_at(window, policy=policy) <= now:
            begun.append((event, window))
    rows: dict[int, dict[date, EventDay]] = {}
    for row in EventDay.objects.filter(event_id__in=[event.pk for event, _ in begun]):
        rows.setdefault(row.event_id, {})[row.day] = row
    found = []
    for event, window in begun:
        parts = day_parts(window, zone=zone_of(event.race.timezone), policy=policy)
        days = {part.day for part in parts}
        # Days of an earlier start, before the provider moved it, stay in the table; they are not of this one.
        mine = {day: row for day, row in rows.get(event.pk, {}).items() if day in days}
        ends = finished_after(window, policy=policy)
        found.append(LastHours(event=event, window=window, parts=parts, rows=mine, ends=ends))
    return found


def reckoned_days(hours: Sequence[LastHours], *, now: datetime, policy: Policy) -> dict[int, tuple[DayFigures, ...]]:
    """By event what its days come to now, causes included; empty for one of which nothing is recorded. At most two
    queries."""
    runs = _runs(hours)
    found: dict[int, tuple[DayFigures, ...]] = {}
    for each in hours:
        mine = runs[each.event.pk]
        if not mine and not each.rows and (now > each.ends or closed_reason(each.event)):
            # Found after it was over, or not synced on purpose: nothing was promised, nothing can be said.
            found[each.event.pk] = ()
            continue
        days = days_of(each.window, mine, parts=each.parts, until=now, policy=policy)
        found[each.event.pk] = tuple(_kept_or_new(each, day, now=now, policy=policy) for day in days)
    return _with_causes(hours, found, runs, policy=policy)


def stored_days(hours: LastHours, *, policy: Policy) -> tuple[DayFigures, ...]:
    return tuple(
        figures_of(hours.rows[part.day], part, window=hours.window, policy=policy)
        for part in hours.parts
        if part.day in hours.rows
    )


def figures_of(row: EventDay, part: DayPart, *, window: StartWindow, policy: Policy) -> DayFigures:
    gap = None
    if row.longest_gap is not None and row.longest_gap_at is not None:
        begins, ends = row.longest_gap_at, row.longest_gap_at + row.longest_gap
        gap = Gap(begins=begins, ends=ends, owed=owed_syncs(window, begins=begins, ends=ends, policy=policy))
    return DayFigures(
        part=part,
        planned=row.planned,
        done=row.done,
        failed=row.failed,
        gap=gap,
        gap_cause=row.longest_gap_cause,
        last_change=row.last_change,
    )


def _kept_or_new(hours: LastHours, day: DayFigures, *, now: datetime, policy: Policy) -> DayFigures:
    """What was written of a day that is over counts when fewer runs are left of it than it was reckoned from."""
    row = hours.rows.get(day.part.day)
    if row is None or day.part.ends > now or day.done + day.failed >= row.done + row.failed:
        return day
    planned = planned_syncs(hours.window, begins=day.part.begins, ends=day.part.ends, policy=policy)
    return replace(figures_of(row, day.part, window=hours.window, policy=policy), planned=planned)


def _roll_up(hours: Sequence[LastHours], *, now: datetime, policy: Policy) -> int:
    reckoned = reckoned_days(hours, now=now, policy=policy)
    rows = []
    for each in hours:
        for day in reckoned[each.event.pk]:
            values = _values(day)
            row = each.rows.get(day.part.day)
            same = row is not None and all(getattr(row, name) == value for name, value in values.items())
            if not same or is_settled(each.ends, at=now):
                rows.append(EventDay(event_id=each.event.pk, day=day.part.day, rolled_up_at=now, **values))
    EventDay.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["event", "day"], update_fields=[*_COLUMNS, "rolled_up_at"]
    )
    return len(rows)


_COLUMNS = ("planned", "done", "failed", "longest_gap", "longest_gap_at", "longest_gap_cause", "last_change")


def _values(day: DayFigures) -> dict[str, object]:
    gap = day.gap
    values = (
        day.planned,
        day.done,
        day.failed,
        gap.length if gap else None,
        gap.begins if gap else None,
        day.gap_cause,
        day.last_change,
    )
    return dict(zip(_COLUMNS, values, strict=True))


def _runs(hours: Sequence[LastHours]) -> dict[int, list[RunFact]]:
    """By event its finished runs in its last hours, oldest first: one index range per event."""
    runs: dict[int, list[RunFact]] = {each.event.pk: [] for each in hours}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT run.event_id, run.started_at, run.outcome, run.added + run.changed + run.removed > 0, run.due_at,
                run.error_class
            FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[]) AS wanted (id, since, until)
            JOIN sync_syncrun AS run
                ON run.event_id = wanted.id AND run.started_at BETWEEN wanted.since AND wanted.until
            WHERE run.outcome <> '' ORDER BY run.event_id, run.started_at
            """,
            [
                [each.event.pk for each in hours],
                [each.parts[0].begins for each in hours],
                [each.ends for each in hours],
            ],
        )
        for event_id, started_at, outcome, changed, due_at, error_class in cursor.fetchall():
            runs[event_id].append(
                RunFact(started_at=started_at, outcome=outcome, changed=changed, due_at=due_at, error_class=error_class)
            )
    return runs


def _with_causes(
    hours: Sequence[LastHours],
    reckoned: dict[int, tuple[DayFigures, ...]],
    runs: dict[int, list[RunFact]],
    *,
    policy: Policy,
) -> dict[int, tuple[DayFigures, ...]]:
    """The gaps that need one with their cause: what was found of the same gap before, or else read now."""
    causes: dict[tuple[int, date], str] = {}
    asked: list[tuple[LastHours, DayFigures, Gap]] = []
    for each in hours:
        for day in reckoned[each.event.pk]:
            if day.gap is None or day.gap_cause or not needs_cause(day.gap, policy=policy):
                continue
            row = each.rows.get(day.part.day)
            if row is not None and row.longest_gap_cause and _is_gap_of(row, day.gap):
                causes[each.event.pk, day.part.day] = row.longest_gap_cause
            else:
                asked.append((each, day, day.gap))
    for (each, day, gap), facts in zip(asked, _gap_facts(asked, runs), strict=True):
        causes[each.event.pk, day.part.day] = gap_cause(gap, facts, policy=policy)
    return {
        event_id: tuple(replace(day, gap_cause=causes.get((event_id, day.part.day), day.gap_cause)) for day in days)
        for event_id, days in reckoned.items()
    }


def _is_gap_of(row: EventDay, gap: Gap) -> bool:
    return (row.longest_gap_at, row.longest_gap) == (gap.begins, gap.length)


def _gap_facts(asked: Sequence[tuple[LastHours, DayFigures, Gap]], runs: dict[int, list[RunFact]]) -> list[GapFacts]:
    """One statement for all of them."""
    if not asked:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            _GAP_FACTS,
            [
                [each.event.pk for each, _, _ in asked],
                [each.event.race.credential_id for each, _, _ in asked],
                [gap.begins for _, _, gap in asked],
                [gap.ends for _, _, gap in asked],
            ],
        )
        found = cursor.fetchall()
    return [
        GapFacts(
            runs=[run for run in runs[each.event.pk] if gap.begins < run.started_at <= gap.ends],
            is_first=is_first,
            silence=silence,
            throttled=throttled,
            calls=calls,
            limit=limit,
        )
        for (each, _, gap), (is_first, silence, throttled, calls, limit) in zip(asked, found, strict=True)
    ]


# Where no cycle is recorded before the gap, nothing can be said of silence.
_GAP_FACTS = """
    SELECT NOT EXISTS (
            SELECT FROM sync_syncrun AS run WHERE run.event_id = gap.event AND run.started_at < gap.until
        ),
        CASE WHEN EXISTS (SELECT FROM sync_cycle AS cycle WHERE cycle.started_at <= gap.since) THEN (
            SELECT max(following - at) FROM (
                SELECT at, lead(at) OVER (ORDER BY at) AS following FROM (
                    SELECT gap.since AS at UNION ALL SELECT gap.until UNION ALL
                    SELECT cycle.started_at FROM sync_cycle AS cycle
                    WHERE cycle.started_at > gap.since AND cycle.started_at < gap.until
                ) AS moments
            ) AS pairs
        ) ELSE interval '0' END,
        (
            SELECT coalesce(sum(minute.throttled), 0) FROM partners_apiusage AS minute
            WHERE minute.credential_id = gap.key
                AND minute.minute BETWEEN gap.since - interval '1 minute' AND gap.until
        ),
        (
            SELECT coalesce(sum(minute.calls), 0) FROM partners_apiusage AS minute
            WHERE minute.credential_id = gap.key
                AND minute.minute BETWEEN gap.until - interval '1 hour' AND gap.until
        ),
        key.hourly_limit
    FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[], %s::timestamptz[])
        WITH ORDINALITY AS gap (event, key, since, until, place)
    JOIN partners_credential AS key ON key.id = gap.key
    ORDER BY gap.place
"""
