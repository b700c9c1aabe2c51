"""The drawing of the calls of a key in the last day: bars of ten minutes, the line of the rolling hour, the hourly
limit, and where RunSignUp said slow down. Pure.

Only coordinates: colours are the style sheet's. Bars and line share one scale, so that the line meets the limit exactly
when the key has spent its hour.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from sync.core.time_words import counted
from sync.web.cycle_chart import COLUMNS, STEP, WIDTH, Mark, chart_begins, hour_marks
from sync.web.times import local_text

HEIGHT = 180
# Above the highest of line and limit, so that neither touches the edge.
HEADROOM = 1.12
HOUR = timedelta(hours=1)
STEPS_AN_HOUR = HOUR // STEP
COLUMN = WIDTH // COLUMNS
# The foot of a column with throttled calls, below the ground line: seen also where the bars are tiny.
FOOT = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageStep:
    """Ten minutes. `place`: since `chart_begins`, negative in the hour before it; `most`: the most calls of any 60
    minutes that ended within it."""

    place: int
    calls: int
    throttled: int
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Slowed:
    """A step in which calls were throttled, `x` its left edge."""

    x: int
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageHour:
    """A row of the table that says what the drawing shows; `at`: its first minute."""

    at: str
    iso: str
    calls: int
    most: int
    throttled: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageChart:
    """`bars`, `line`: SVG paths, `line` with the rolling hour; `hours`: marks of the axis; `rows`: newest first."""

    width: int
    height: int
    column: int
    foot: int
    bars: str
    line: str
    limit_y: float
    slowed: tuple[Slowed, ...]
    hours: tuple[Mark, ...]
    summary: str
    rows: tuple[UsageHour, ...]


def usage_chart(steps: Sequence[UsageStep], *, limit: int, zone: tzinfo, now: datetime) -> UsageChart | None:
    """`steps` in their order, those without a call left out; None when there was none in the day."""
    by_place = {step.place: step for step in steps}
    calls = [by_place[place].calls if place in by_place else 0 for place in range(COLUMNS)]
    slowed = [by_place[place].throttled if place in by_place else 0 for place in range(COLUMNS)]
    if not any(calls) and not any(slowed):
        return None
    most = [_most(by_place, place) for place in range(COLUMNS)]
    begins = chart_begins(now=now)
    top = max(limit, *most) * HEADROOM
    return UsageChart(
        width=WIDTH,
        height=HEIGHT,
        column=COLUMN,
        foot=FOOT,
        bars=_bars(calls, top),
        line=_line(most, top),
        limit_y=_y(limit, top),
        slowed=tuple(
            Slowed(
                x=place * COLUMN,
                title=f"{local_text(begins + place * STEP, zone=zone, now=now, seconds=False)}: {number:,} throttled",
            )
            for place, number in enumerate(slowed)
            if number
        ),
        hours=hour_marks(begins, zone=zone, width=COLUMN),
        summary=_summary(calls, slowed, most, limit=limit, begins=begins, zone=zone, now=now),
        rows=_rows(calls, slowed, most, begins=begins, zone=zone, now=now),
    )


def _most(steps: Mapping[int, UsageStep], place: int) -> int:
    """Of a step without calls: what was made in the 50 minutes before it, which is the hour that ends with it."""
    if place in steps:
        return steps[place].most
    return sum(steps[past].calls for past in range(place - STEPS_AN_HOUR + 1, place) if past in steps)


def _y(calls: float, top: float) -> float:
    return round(HEIGHT * (1 - calls / top), 1)


def _bars(calls: Sequence[int], top: float) -> str:
    """One path for all: a rectangle of its own for each would be ten times as much to send every few seconds."""
    return "".join(
        f"M{place * COLUMN} {HEIGHT}V{_y(number, top):g}h{COLUMN - 1}V{HEIGHT}z"
        for place, number in enumerate(calls)
        if number
    )


def _line(most: Sequence[int], top: float) -> str:
    points = [f"{place * COLUMN + COLUMN / 2:g} {_y(number, top):g}" for place, number in enumerate(most)]
    return "M" + "L".join(points)


def _summary(
    calls: Sequence[int],
    slowed: Sequence[int],
    most: Sequence[int],
    *,
    limit: int,
    begins: datetime,
    zone: tzinfo,
    now: datetime,
) -> str:
    peak = max(most)
    at = local_text(begins + most.index(peak) * STEP, zone=zone, now=now, seconds=False)
    text = (
        f"{counted(sum(calls), 'call')} in the last 24 hours, at most {peak:,} within an hour (about {at}), "
        f"{round(100 * peak / limit)} % of the {limit:,} allowed."
    )
    number = sum(slowed)
    if not number:
        return f"{text} None was throttled."
    return f"{text} {counted(number, 'call')} {'was' if number == 1 else 'were'} throttled."


def _rows(
    calls: Sequence[int],
    slowed: Sequence[int],
    most: Sequence[int],
    *,
    begins: datetime,
    zone: tzinfo,
    now: datetime,
) -> tuple[UsageHour, ...]:
    hours: dict[datetime, list[int]] = {}
    for place in range(COLUMNS):
        at = (begins + place * STEP).astimezone(zone)
        # In UTC: of the hour that comes twice when the clocks go back, both are equal in their zone.
        hours.setdefault(at.replace(minute=0).astimezone(UTC), []).append(place)
    return tuple(
        UsageHour(
            at=local_text(at, zone=zone, now=now, seconds=False),
            iso=at.isoformat(timespec="minutes"),
            calls=sum(calls[place] for place in places),
            most=max(most[place] for place in places),
            throttled=sum(slowed[place] for place in places),
        )
        for at, places in reversed(hours.items())
    )
