"""The event page: its state and why, its runs, and its start list."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.core.paginator import Page, Paginator
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery

from races.models import Event
from sync.core.policy import Policy
from sync.core.receipt import begins_at
from sync.core.reconcile_words import comparison_text
from sync.core.tiers import zone_of
from sync.core.time_words import Clock
from sync.models import SyncRun
from sync.services.comparisons import comparison_of, is_held
from sync.services.event_schedule import EVENT_GONE, window_of
from sync.services.findings import events_findings
from sync.web.asked import Asked, asked_note
from sync.web.doubts import Line, doubt_lines
from sync.web.event_runs import ANY_RUN, RunFilter
from sync.web.event_status import EventStatus, event_statuses, with_state
from sync.web.held import with_open_held
from sync.web.race_sentence import Sentence, race_sentence
from sync.web.race_status import RaceHeader, race_header
from sync.web.receipt_page import ReceiptLine, receipt_line
from sync.web.runs import RunRow, run_row
from sync.web.scheduler import banner_text, last_beat
from sync.web.start_list import StartList, start_list

RUNS_PER_PAGE = 25
# So many digits may be too large for the database.
LONGEST_PK = 19


@dataclass(frozen=True, slots=True, kw_only=True)
class EventHead:
    """The live part of the page. `why_no_sync`: why "Sync now" is off, "" when it is not. `comparison`: what the last
    full comparison found; `held_pk`: the removals about which staff have to decide, None when there are none."""

    race: RaceHeader
    event: EventStatus
    sentence: Sentence
    asked: Asked | None
    why_no_sync: str
    banner: str
    comparison: str
    held_pk: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPage:
    """What is there at once: why it is synced now, its receipt and its doubts come when the page is there.
    `is_receipt_due`: its last hours have begun."""

    head: EventHead
    is_receipt_due: bool
    start_list: StartList
    runs: tuple[RunRow, ...]
    runs_page: Page[SyncRun]
    run_filter: RunFilter


@dataclass(frozen=True, slots=True, kw_only=True)
class EventDoubts:
    """`receipt` None: there is nothing to say yet."""

    race_pk: int
    event_pk: int
    receipt: ReceiptLine | None
    doubts: tuple[Line, ...]


def event_head(*, event: Event, now: datetime, policy: Policy) -> EventHead:
    """`event` from `events_with_race`."""
    beat = last_beat(now=now, policy=policy)
    zone = zone_of(event.race.timezone)
    (status,) = event_statuses([event], beat=beat, now=now, policy=policy)
    row = getattr(event, "sync", None)
    race = race_header(event.race, now=now)
    return EventHead(
        race=race,
        event=status,
        sentence=race_sentence([status], beat=beat, zone=zone, now=now),
        asked=asked_note(event.race, [status], credential=event.race.credential, zone=zone, now=now, policy=policy),
        why_no_sync=race.why_no_sync or (EVENT_GONE if event.gone_at else ""),
        banner=banner_text(beat, zone=zone, now=now),
        comparison=comparison_text(
            comparison_of(row, active=status.counts.registered), clock=Clock(zone=zone, now=now)
        ),
        held_pk=event.open_held if is_held(row) else None,  # type: ignore[attr-defined]
    )


def event_page(
    *,
    event: Event,
    search: str,
    people_number: str | None,
    runs_number: str | None,
    now: datetime,
    policy: Policy,
    run: str | None = None,
    run_filter: RunFilter = ANY_RUN,
) -> EventPage:
    """`run`: the pk of the run whose page of the whole history is wanted, rather than page `runs_number`."""
    zone = zone_of(event.race.timezone)
    filtered = ANY_RUN if run else run_filter
    runs = filtered.of(SyncRun.objects.filter(event=event)).order_by("-started_at", "-pk")
    paginator = Paginator(runs, RUNS_PER_PAGE)
    runs_page = paginator.get_page(_page_with(run, runs) if run else runs_number)
    head = event_head(event=event, now=now, policy=policy)
    window = window_of(event)
    everybody = head.event.counts.registered + head.event.counts.withdrawn
    return EventPage(
        head=head,
        is_receipt_due=window is not None and begins_at(window, policy=policy) <= now,
        start_list=start_list(event=event, everybody=everybody, search=search, page_number=people_number, now=now),
        runs=tuple(run_row(run, zone=zone, now=now) for run in runs_page.object_list),
        runs_page=runs_page,
        run_filter=filtered,
    )


def event_doubts(*, event: Event, now: datetime, policy: Policy) -> EventDoubts:
    """`event` from `events_with_race`."""
    return EventDoubts(
        race_pk=event.race_id,
        event_pk=event.pk,
        receipt=receipt_line(event=event, now=now, policy=policy),
        doubts=doubt_lines(events_findings(events=[event], now=now, policy=policy)[event.pk]),
    )


def _page_with(run: str, runs: QuerySet[SyncRun]) -> int:
    """The page of the history that has this run; the first when there is none."""
    if not (run.isascii() and run.isdecimal() and len(run) < LONGEST_PK):
        return 1
    newer = Q(started_at__gt=OuterRef("started_at")) | Q(started_at=OuterRef("started_at"), pk__gt=OuterRef("pk"))
    number = runs.filter(newer).order_by().values("event").annotate(number=Count("*")).values("number")
    wanted = runs.filter(pk=int(run)).annotate(newer=Subquery(number)).values_list("newer", flat=True).first()
    return (wanted or 0) // RUNS_PER_PAGE + 1


def events_with_race(events: QuerySet[Event]) -> QuerySet[Event]:
    """What the functions above need, the race's partner for the header included."""
    return with_open_held(with_state(events)).select_related("race__partner")
