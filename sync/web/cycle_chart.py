"""The drawing of how long the cycles of the last day took, with the line that none may reach. Pure.

Only coordinates: colours are the style sheet's. The scale is logarithmic: a cycle takes 0.05 s on a good day and would
take 60 s on a very bad one, and both must be seen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from sync.web.times import local_text

STEP = timedelta(minutes=10)
SPAN = timedelta(hours=24)
COLUMNS = SPAN // STEP
WIDTH = 720
HEIGHT = 200
LIMIT_SECONDS = 60.0
LEAST_SECONDS = 0.01
MOST_SECONDS = 600.0
# A narrow screen has no room for the last name beside that of the limit.
LINES = ((0.1, "0.1 s", False), (1.0, "1 s", False), (10.0, "10 s", True))
HOURS_BETWEEN_MARKS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """`place`: the number of the step since the beginning; `slowest`: seconds, None when none of them finished."""

    place: int
    cycles: int
    slowest: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    x: int
    y: float
    height: float
    width: int
    is_over: bool
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A line of the scale at `y`, or an hour at `x`, with its name."""

    at: float
    name: str
    is_minor: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleChart:
    """`silent`: the steps without any cycle; `summary`: in words what the drawing shows; `is_bad`: a cycle reached the
    limit, or there was a time without any."""

    width: int
    height: int
    bars: tuple[Bar, ...]
    silent: tuple[Bar, ...]
    limit_y: float
    lines: tuple[Mark, ...]
    hours: tuple[Mark, ...]
    summary: str
    is_bad: bool


def chart_begins(*, now: datetime) -> datetime:
    """A full step, a day ago: the bars do not wander from one look to the next."""
    at = now.astimezone(UTC)
    step = at.replace(minute=at.minute - at.minute % 10, second=0, microsecond=0) + STEP
    return step - SPAN


def cycle_chart(buckets: Sequence[Bucket], *, first: datetime | None, now: datetime) -> CycleChart:
    """`buckets` from `chart_begins` on; `first`: when the first cycle ever began: before it nothing is missing."""
    begins = chart_begins(now=now)
    by_place = {bucket.place: bucket for bucket in buckets}
    width = WIDTH // COLUMNS
    bars, silent = [], []
    for place in range(COLUMNS):
        at = begins + place * STEP
        bucket = by_place.get(place)
        text = local_text(at, zone=UTC, now=now, seconds=False)
        if bucket is None:
            # The step that has just begun may be empty, and before the first cycle there was nothing to run.
            if at + STEP < now and first is not None and at >= first:
                silent.append(
                    Bar(x=place * width, y=0, height=HEIGHT, width=width, is_over=True, title=f"{text}: no cycle")
                )
        else:
            bars.append(_bar(bucket, text=text, width=width))
    return CycleChart(
        width=WIDTH,
        height=HEIGHT,
        bars=tuple(bars),
        silent=tuple(silent),
        limit_y=_y(LIMIT_SECONDS),
        lines=tuple(Mark(at=_y(seconds), name=name, is_minor=minor) for seconds, name, minor in LINES),
        hours=hour_marks(begins, zone=UTC, width=width),
        summary=_summary(buckets, silent=len(silent)),
        is_bad=bool(silent) or any(bar.is_over for bar in bars),
    )


def _bar(bucket: Bucket, *, text: str, width: int) -> Bar:
    y = _y(bucket.slowest or LEAST_SECONDS)
    took = "none finished" if bucket.slowest is None else f"the slowest took {seconds_text(bucket.slowest)}"
    return Bar(
        x=bucket.place * width,
        y=y,
        height=round(HEIGHT - y, 1),
        width=width - 1,
        is_over=bucket.slowest is None or bucket.slowest >= LIMIT_SECONDS,
        title=f"{text}: {bucket.cycles} cycle{'' if bucket.cycles == 1 else 's'}, {took}",
    )


def _y(seconds: float) -> float:
    low, high = math.log10(LEAST_SECONDS), math.log10(MOST_SECONDS)
    share = (math.log10(min(max(seconds, LEAST_SECONDS * 1.2), MOST_SECONDS)) - low) / (high - low)
    return round(HEIGHT * (1 - share), 1)


def hour_marks(begins: datetime, *, zone: tzinfo, width: int) -> tuple[Mark, ...]:
    """The hours that a day of steps is marked with; `width`: of a step."""
    marks: list[Mark] = []
    for place in range(COLUMNS):
        at = (begins + place * STEP).astimezone(zone)
        # Some zones are off by a quarter of an hour: then no step begins with the hour.
        if at.minute < STEP.seconds // 60 and at.hour % HOURS_BETWEEN_MARKS == 0:
            marks.append(Mark(at=place * width, name=f"{at:%H:%M}", is_minor=bool(len(marks) % 2)))
    return tuple(marks)


def seconds_text(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:,.0f} s"


def _summary(buckets: Sequence[Bucket], *, silent: int) -> str:
    cycles = sum(bucket.cycles for bucket in buckets)
    if not cycles:
        return "No cycle ran in the last 24 hours."
    slowest = max((bucket.slowest for bucket in buckets if bucket.slowest is not None), default=None)
    words = f"{cycles:,} cycle{'' if cycles == 1 else 's'} in the last 24 hours"
    if slowest is not None:
        words += f", the slowest took {seconds_text(slowest)}"
    if silent:
        minutes = silent * int(STEP.total_seconds()) // 60
        words += f". For {minutes} minutes together none ran"
    return f"{words}."
