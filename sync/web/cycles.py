"""The cycles for staff: what was due, picked and deferred, what came of it, and how long each took."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import connection
from django.db.models import Q
from django.http import QueryDict
from django.utils.http import urlencode

from sync.models import Cycle
from sync.services.policies import policy_now
from sync.web.cycle_chart import STEP, Bucket, CycleChart, chart_begins, cycle_chart
from sync.web.cycle_rows import CycleRow, cycle_row
from sync.web.run_filters import BadValue, moment_read, position_read, position_text
from sync.web.run_history import Position
from sync.web.scheduler import banner_text, last_beat

CYCLES_PER_PAGE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleHistory:
    """`ends`: as it was typed; `older`: the query of the next page, "" at the end."""

    rows: tuple[CycleRow, ...]
    chart: CycleChart
    ends: str
    problems: tuple[str, ...]
    is_first: bool
    older: str
    banner: str


def cycle_history(*, query: QueryDict, now: datetime) -> CycleHistory:
    ends = query.get("to", "").replace("\x00", "").strip()
    before, problems = _before(ends, query.get("before", "").replace("\x00", "").strip())
    # Without problems only: a page that does not say what was asked for shows nothing else either.
    found = [] if problems else _cycles(before, limit=CYCLES_PER_PAGE + 1)
    rows = found[:CYCLES_PER_PAGE]
    older = ""
    if len(found) > CYCLES_PER_PAGE:
        place = position_text(Position(started_at=rows[-1].started_at, pk=rows[-1].pk))
        older = urlencode({**({"to": ends} if ends else {}), "before": place})
    return CycleHistory(
        rows=tuple(cycle_row(cycle, now=now) for cycle in rows),
        chart=day_chart(now=now),
        ends=ends,
        problems=problems,
        is_first=before is None,
        older=older,
        banner=banner_text(last_beat(now=now, policy=policy_now()), zone=UTC, now=now),
    )


def day_chart(*, now: datetime) -> CycleChart:
    """How long the cycles of the last 24 hours took. Two queries."""
    first = Cycle.objects.order_by("started_at").values_list("started_at", flat=True).first()
    return cycle_chart(_buckets(now=now), first=first, now=now)


def _before(ends: str, place: str) -> tuple[Position | None, tuple[str, ...]]:
    try:
        position = position_read(place)
        end = moment_read(ends, name="Before", is_end=True)
    except BadValue as problem:
        return None, (str(problem),)
    if end is None:
        return position, ()
    at_end = Position(started_at=end, pk=0)
    return min(at_end, position) if position else at_end, ()


def _cycles(before: Position | None, *, limit: int) -> list[Cycle]:
    """Newest first, in the index cycle_latest."""
    cycles = Cycle.objects.order_by("-started_at", "-pk")
    if before is not None:
        # The first half is what the index is entered with.
        cycles = cycles.filter(started_at__lte=before.started_at).filter(
            Q(started_at__lt=before.started_at) | Q(pk__lt=before.pk)
        )
    return list(cycles[:limit])


def _buckets(*, now: datetime) -> list[Bucket]:
    """A day is 8,640 cycles: the database makes 144 of them."""
    begins = chart_begins(now=now)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT floor(extract(epoch FROM started_at - %s) / %s)::int AS place, count(*),
                max(extract(epoch FROM finished_at - started_at))::float
            FROM sync_cycle WHERE started_at >= %s AND started_at <= %s GROUP BY 1 ORDER BY 1
            """,
            [begins, STEP.total_seconds(), begins, now],
        )
        return [Bucket(place=place, cycles=number, slowest=took) for place, number, took in cursor.fetchall()]
