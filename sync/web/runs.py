"""Runs as pages show them: rows of a table and squares of a strip."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from sync.models import SyncRun
from sync.web.times import Moment, moment
from sync.web.words import ICONS, OUTCOMES, TRIGGERS, Kind

# As many as one line of a phone shows; drawing and table show the same runs.
SHOWN_RUNS = 20
SQUARE_STEP = 11
# A provider's error may be a page of HTML; a table shows its beginning.
ERROR_CHARACTERS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """One run. `note`: what else there is to know ("full comparison", "came along with its race")."""

    pk: int
    started: Moment
    seconds: str
    trigger: str
    word: str
    kind: Kind
    icon: str
    note: str
    calls: int
    fetched: int
    added: int
    changed: int
    removed: int
    rejected: int
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Square:
    """One run in the strip; `x` in the units of the drawing, `title` what it was."""

    x: int
    kind: Kind
    is_quiet: bool
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """The last runs, the newest at the right. `summary` says in words what the drawing shows."""

    squares: tuple[Square, ...]
    width: int
    summary: str


def latest_runs(event_ids: Sequence[int], *, limit: int = SHOWN_RUNS) -> dict[int, list[SyncRun]]:
    """The newest `limit` runs of each event, newest first: one query, one index range per event."""
    runs: dict[int, list[SyncRun]] = {pk: [] for pk in event_ids}
    found = SyncRun.objects.raw(
        """
        SELECT latest.* FROM unnest(%s::bigint[]) AS wanted (id)
        CROSS JOIN LATERAL (
            SELECT * FROM sync_syncrun WHERE event_id = wanted.id ORDER BY started_at DESC LIMIT %s
        ) AS latest
        ORDER BY latest.started_at DESC
        """,
        [list(event_ids), limit],
    )
    for run in found:
        runs[run.event_id].append(run)
    return runs


def run_row(run: SyncRun, *, zone: tzinfo, now: datetime) -> RunRow:
    word, kind = _outcome(run)
    started = moment(run.started_at, zone=zone, now=now)
    assert started is not None  # noqa: S101 - a run always has a start
    return RunRow(
        pk=run.pk,
        started=started,
        seconds=f"{(run.finished_at - run.started_at).total_seconds():.1f} s" if run.finished_at else "",
        trigger=TRIGGERS.get(run.trigger, run.trigger),
        word=word,
        kind=kind,
        icon=ICONS[kind],
        note=_note(run),
        calls=run.calls,
        fetched=run.fetched,
        added=run.added,
        changed=run.changed,
        removed=run.removed,
        rejected=run.rejected,
        error=short_error(run.error_text),
    )


def short_error(text: str) -> str:
    return text if len(text) <= ERROR_CHARACTERS else f"{text[:ERROR_CHARACTERS].rstrip()} …"


def strip(runs: Sequence[SyncRun], *, zone: tzinfo, now: datetime) -> Strip | None:
    """`runs` newest first; None when there are none."""
    if not runs:
        return None
    rows = [run_row(run, zone=zone, now=now) for run in reversed(runs)]
    squares = tuple(
        Square(x=place * SQUARE_STEP, kind=row.kind, is_quiet=row.word == "No change", title=_title(row))
        for place, row in enumerate(rows)
    )
    return Strip(squares=squares, width=SHOWN_RUNS * SQUARE_STEP, summary=_summary(rows))


def _title(row: RunRow) -> str:
    changes = f" +{row.added} ~{row.changed} −{row.removed}" if row.added or row.changed or row.removed else ""
    return f"{row.started.text}: {row.word}{changes}"


def _summary(rows: Iterable[RunRow]) -> str:
    words = [row.word for row in rows]
    counted = {word: words.count(word) for word in dict.fromkeys(reversed(words))}
    return f"{last_runs_text(len(words))}: " + ", ".join(
        f"{count}\u00a0×\u00a0{word[:1].lower()}{word[1:]}" for word, count in counted.items()
    )


def last_runs_text(number: int) -> str:
    return "The last run" if number == 1 else f"Last {number} runs"


def _outcome(run: SyncRun) -> tuple[str, Kind]:
    return OUTCOMES.get(run.outcome, (run.outcome, Kind.BAD))


def _note(run: SyncRun) -> str:
    notes = ["full comparison"] if run.full else []
    if run.came_along:
        notes.append("came along with its race")
    return ", ".join(notes)
