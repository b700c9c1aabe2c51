"""The last day of the machine for staff: how long its cycles took, and which runs failed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sync.models import SyncRun
from sync.web.cycle_chart import CycleChart
from sync.web.cycles import day_chart
from sync.web.key_rows import FAILED
from sync.web.runs import RunRow, run_row

FAILING_RUNS = 20
# The failing runs are looked for in the index of the latest runs; without an end a healthy system would read it all.
FAILING_WITHIN = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class FailingRun:
    event_pk: int
    race_pk: int
    event: str
    race: str
    run: RunRow


@dataclass(frozen=True, slots=True, kw_only=True)
class LastDay:
    chart: CycleChart
    failing: tuple[FailingRun, ...]


def last_day(*, now: datetime) -> LastDay:
    return LastDay(chart=day_chart(now=now), failing=_failing(now=now))


def _failing(*, now: datetime) -> tuple[FailingRun, ...]:
    runs = (
        SyncRun.objects.filter(started_at__gt=now - FAILING_WITHIN, outcome__in=FAILED)
        .select_related("event__race")
        .defer("event__raw", "event__race__raw")
        .order_by("-started_at")[:FAILING_RUNS]
    )
    return tuple(
        FailingRun(
            event_pk=run.event_id,
            race_pk=run.event.race_id,
            event=run.event.name,
            race=run.event.race.name,
            run=run_row(run, zone=UTC, now=now),
        )
        for run in runs
    )
