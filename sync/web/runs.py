"""Runs as pages show them: rows of a table and squares of a strip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from html import escape

from django.utils.safestring import SafeString, mark_safe

from races.models import Event
from sync.core.tiers import zone_of
from sync.core.time_words import Clock
from sync.models import Outcome, SyncRun
from sync.web.times import Moment, local_text, moment
from sync.web.words import ICONS, OUTCOMES, TRIGGERS, Kind

# As many as one line of a phone shows; drawing and table show the same runs.
SHOWN_RUNS = 20
SQUARE_STEP = 11
# A bar is low when its run brought no change.
_LOW, _HIGH = 'y="8" width="9" height="8"', 'y="0" width="9" height="16"'
# What is asked of the last runs of an event; a table of runs, which wants all, reads them itself.
_READ = (
    "id, event_id, trigger, outcome, started_at, finished_at, lease_until, error_text, "
    "added, changed, removed, rejected"
)
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
class Strip:
    """The last runs, the newest at the right. `summary` says in words what the `squares`, SVG, show; `runs_text` how
    many there are."""

    squares: SafeString
    width: int
    summary: str
    runs_text: str


def latest_runs(event_ids: Sequence[int], *, limit: int = SHOWN_RUNS) -> dict[int, list[SyncRun]]:
    """The newest `limit` runs of each event, newest first, with _READ: one query, one index range per event."""
    runs: dict[int, list[SyncRun]] = {pk: [] for pk in event_ids}
    found = SyncRun.objects.raw(
        f"""
        SELECT latest.* FROM unnest(%s::bigint[]) AS wanted (id)
        CROSS JOIN LATERAL (
            SELECT {_READ} FROM sync_syncrun WHERE event_id = wanted.id ORDER BY started_at DESC LIMIT %s
        ) AS latest
        ORDER BY latest.started_at DESC
        """,  # noqa: S608 - our own words
        [list(event_ids), limit],
    )
    for run in found:
        runs[run.event_id].append(run)
    return runs


def last_runs(event: Event, *, now: datetime) -> tuple[RunRow, ...]:
    """What the strip of `event`, with its race, shows."""
    zone = zone_of(event.race.timezone)
    runs = SyncRun.objects.filter(event=event).order_by("-started_at")[:SHOWN_RUNS]
    return tuple(run_row(run, zone=zone, now=now) for run in runs)


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
    clock, oldest_first = Clock(zone=zone, now=now), list(reversed(runs))
    # In Python: a page of forty events has 800 of them, and a template takes several times as long for each.
    squares = "".join(_square(place, run, clock) for place, run in enumerate(oldest_first))
    return Strip(
        squares=mark_safe(squares),  # noqa: S308 - titles are escaped, the rest is ours
        width=SHOWN_RUNS * SQUARE_STEP,
        summary=_summary([_outcome(run)[0] for run in oldest_first]),
        runs_text=_last_runs_text(len(runs)),
    )


def _square(place: int, run: SyncRun, clock: Clock) -> str:
    word, kind = _outcome(run)
    changes = f" +{run.added} ~{run.changed} −{run.removed}" if run.added or run.changed or run.removed else ""
    title = f"{local_text(run.started_at, zone=clock.zone, now=clock.now)}: {word}{changes}"
    bar = f'<rect x="{place * SQUARE_STEP}" {_LOW if run.outcome == Outcome.UNCHANGED else _HIGH} rx="1.5"/>'
    return f'<g class="run" data-kind="{kind}"><title>{escape(title)}</title>{bar}</g>'


def _summary(words: Sequence[str]) -> str:
    counted = {word: words.count(word) for word in dict.fromkeys(reversed(words))}
    return f"{_last_runs_text(len(words))}: " + ", ".join(
        f"{count}\u00a0×\u00a0{word[:1].lower()}{word[1:]}" for word, count in counted.items()
    )


def _last_runs_text(number: int) -> str:
    return "The last run" if number == 1 else f"Last {number} runs"


def _outcome(run: SyncRun) -> tuple[str, Kind]:
    return OUTCOMES.get(run.outcome, (run.outcome, Kind.BAD))


def _note(run: SyncRun) -> str:
    notes = ["full comparison"] if run.full else []
    if run.came_along:
        notes.append("came along with its race")
    return ", ".join(notes)
