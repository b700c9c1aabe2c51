"""The history of runs for staff: a page of it, and all of it as CSV."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from partners.models import TimingPartner
from races.export_cells import BYTE_ORDER_MARK, csv_table, stamp
from sync.core.time_words import span_words
from sync.models import SyncRun
from sync.services.policies import policy_now
from sync.web.error_words import ErrorWords, error_words
from sync.web.run_filters import OUTCOME_CHOICES, TIER_CHOICES, Asked, Filters, position_text
from sync.web.run_history import Position, Wanted, runs_all, runs_found
from sync.web.runs import RunRow, run_row, short_error
from sync.web.scheduler import banner_text, last_beat
from sync.web.times import local_text
from sync.web.words import OUTCOMES, TRIGGERS, Kind

RUNS_PER_PAGE = 50
ROWS_AT_ONCE = 2000
PARTNERS = 1000

CSV_COLUMNS = (
    "Started", "Finished", "Seconds", "Seconds Late", "Partner", "Race", "Race ID", "Event", "Event ID", "Outcome",
    "Asked By", "Tier", "Full Comparison", "Came Along", "Calls", "Pages", "Fetched", "Added", "Changed", "Removed",
    "Rejected", "Error", "Provider's Words", "Code", "Cycle",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRow:
    """`late`: how long after it was due it began, "" when it was not due; `error`: cut to what a table shows."""

    run: RunRow
    tier: str
    late: str
    event: str
    event_pk: int
    race: str
    race_pk: int
    partner: str
    partner_slug: str
    cycle_id: int | None
    error: ErrorWords


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    value: str
    word: str
    is_chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHistory:
    """`query`: the filters of this page; `older`: those and the place where the next page begins, "" at the end.
    `looked_back_to`: set when the page is not full only because enough was looked at."""

    rows: tuple[HistoryRow, ...]
    asked: Asked
    problems: tuple[str, ...]
    is_filtered: bool
    is_first: bool
    query: str
    older: str
    looked_back_to: str
    partners: tuple[Choice, ...]
    outcomes: tuple[Choice, ...]
    triggers: tuple[Choice, ...]
    tiers: tuple[Choice, ...]
    banner: str


def run_history(filters: Filters, *, now: datetime) -> RunHistory:
    asked = filters.asked
    pks: Sequence[int] = ()
    older, back = "", ""
    if not filters.problems:
        found = runs_found(filters.wanted, before=filters.before, limit=RUNS_PER_PAGE)
        pks = found.pks
        older = asked.query(before=position_text(found.older)) if found.older else ""
        back = local_text(found.looked_back_to, zone=UTC, now=now) if found.looked_back_to else ""
    return RunHistory(
        rows=tuple(_row(run, now=now) for run in _runs(pks)),
        asked=asked,
        problems=filters.problems,
        is_filtered=bool(asked.query()),
        is_first=filters.before is None,
        query=asked.query(),
        older=older,
        looked_back_to=back,
        partners=_choices(
            dict(TimingPartner.objects.order_by("name", "pk").values_list("slug", "name")[:PARTNERS]), asked.partner
        ),
        outcomes=_choices(OUTCOME_CHOICES, asked.outcome),
        triggers=_choices(TRIGGERS, asked.trigger),
        tiers=_choices(TIER_CHOICES, asked.tier),
        banner=banner_text(last_beat(now=now, policy=policy_now()), zone=UTC, now=now),
    )


def _choices(words: dict[str, str], chosen: str) -> tuple[Choice, ...]:
    return tuple(Choice(value=value, word=word, is_chosen=value == chosen) for value, word in words.items())


def _runs(pks: Sequence[int]) -> list[SyncRun]:
    """With their event, race and partner, in this order."""
    runs = (
        SyncRun.objects.filter(pk__in=pks)
        .select_related("event__race__partner")
        .defer("event__raw", "event__race__raw")
        .in_bulk()
        if pks
        else {}
    )
    # A race that is being deleted takes its runs along between the two questions.
    return [runs[pk] for pk in pks if pk in runs]


def _row(run: SyncRun, *, now: datetime) -> HistoryRow:
    race = run.event.race
    error = error_words(run.error_text)
    return HistoryRow(
        run=run_row(run, zone=UTC, now=now),
        tier=run.tier or "",
        late=_late(run),
        event=run.event.name,
        event_pk=run.event_id,
        race=race.name,
        race_pk=race.pk,
        partner=race.partner.name,
        partner_slug=race.partner.slug,
        cycle_id=run.cycle_id,
        error=ErrorWords(plain=short_error(error.plain), words=short_error(error.words), code=error.code),
    )


def _late(run: SyncRun) -> str:
    """A run that came along with its race, or was asked for, may begin before it is due: that is not late."""
    if run.due_at is None or run.started_at <= run.due_at:
        return ""
    return span_words(run.started_at - run.due_at)


def run_csv(wanted: Wanted, *, before: Position | None) -> Iterator[bytes]:
    """All runs that are wanted, read some at a time: a year is as little memory as a day."""
    yield BYTE_ORDER_MARK
    yield from csv_table(CSV_COLUMNS, _cells(runs_all(wanted, before=before, at_once=ROWS_AT_ONCE)))


def _cells(parts: Iterable[Sequence[int]]) -> Iterator[Sequence[object]]:
    for pks in parts:
        for run in _runs(pks):
            yield _csv_row(run)


def _csv_row(run: SyncRun) -> Sequence[object]:
    race, error = run.event.race, error_words(run.error_text)
    return (
        stamp(run.started_at, zone=UTC),
        stamp(run.finished_at, zone=UTC) if run.finished_at else "",
        f"{(run.finished_at - run.started_at).total_seconds():.1f}" if run.finished_at else "",
        "" if run.due_at is None else max(0, round((run.started_at - run.due_at).total_seconds())),
        race.partner.name,
        race.name,
        race.provider_race_id,
        run.event.name,
        run.event.provider_event_id,
        OUTCOMES.get(run.outcome, (run.outcome, Kind.BAD))[0],
        TRIGGERS.get(run.trigger, run.trigger),
        run.tier,
        run.full,
        run.came_along,
        run.calls,
        run.pages,
        run.fetched,
        run.added,
        run.changed,
        run.removed,
        run.rejected,
        error.plain,
        error.words,
        error.code,
        run.cycle_id,
    )
