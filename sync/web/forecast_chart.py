"""The drawing of a key's forecast: a stepped area, the line of what the key can sustain, and what lies above it. Pure.

Only coordinates: colours are the style sheet's. A step shows the most that is wanted within half an hour.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from itertools import groupby

from sync.core.forecast import KeyForecast

STEP = timedelta(minutes=30)
HEIGHT = 260
HALF_DAY = timedelta(hours=12)
# Above the highest of area and line, so that neither touches the edge.
HEADROOM = 1.12


@dataclass(frozen=True, slots=True, kw_only=True)
class DayMark:
    """A midnight of the zone at `x`, and the name of its day in the middle of it, "" where the day is cut off;
    `is_minor`: a narrow screen leaves the name out."""

    x: float
    name: str
    name_x: float
    is_minor: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """`area` and `over` are SVG paths; `over` is "" when nothing is above the line at `line_y`."""

    width: int
    height: int
    area: str
    over: str
    line_y: float
    days: tuple[DayMark, ...]


def chart(found: KeyForecast, *, zone: tzinfo) -> Chart:
    columns = _columns(found)
    top = max(found.usable, *columns) * HEADROOM
    heights = [_y(calls, top) for calls in columns]
    line = _y(found.usable, top)
    crowded = [calls > found.usable for calls in columns]
    return Chart(
        width=len(columns),
        height=HEIGHT,
        area=_steps(heights, 0, len(heights), base=HEIGHT),
        over=" ".join(_steps(heights, first, last, base=line) for first, last in _rows(crowded)),
        line_y=line,
        days=_days(found, zone=zone),
    )


def _columns(found: KeyForecast) -> list[float]:
    """The most that is wanted in each half hour."""
    columns = [0.0] * max(1, -((found.begins - found.ends) // STEP))
    for interval in found.intervals:
        first = (interval.begins - found.begins) // STEP
        last = -((found.begins - interval.ends) // STEP)
        for place in range(first, min(last, len(columns))):
            columns[place] = max(columns[place], interval.wanted)
    return columns


def _y(calls: float, top: float) -> float:
    return round(HEIGHT * (1 - calls / top), 1)


def _rows(crowded: Sequence[bool]) -> list[tuple[int, int]]:
    """Where it is crowded: (first, one after the last) of each row of columns."""
    rows, place = [], 0
    for is_crowded, group in groupby(crowded):
        after = place + len(list(group))
        if is_crowded:
            rows.append((place, after))
        place = after
    return rows


def _steps(heights: Sequence[float], first: int, last: int, *, base: float) -> str:
    """A closed path over the columns, each as high as it is, down to `base`."""
    parts, place = [f"M{first} {base:g}"], first
    for height, group in groupby(heights[first:last]):
        place += len(list(group))
        parts.append(f"V{height:g}H{place}")
    return f"{''.join(parts)}V{base:g}Z"


def _days(found: KeyForecast, *, zone: tzinfo) -> tuple[DayMark, ...]:
    marks: list[DayMark] = []
    day = found.begins.astimezone(zone).date() + timedelta(days=1)
    while (midnight := datetime.combine(day, time(0, 0), zone).astimezone(UTC)) < found.ends:
        x = round((midnight - found.begins) / STEP, 1)
        middle = x + HALF_DAY / STEP
        name = f"{day:%a} {day.day}" if found.begins + middle * STEP + HALF_DAY <= found.ends else ""
        marks.append(DayMark(x=x, name=name, name_x=middle, is_minor=bool(len(marks) % 2)))
        day += timedelta(days=1)
    return tuple(marks)
