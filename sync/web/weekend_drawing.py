"""The drawing of a weekend: one axis of hours for all partners, each in its own zone, and a bar per race. Pure.

Only coordinates, in percent of the axis, so that it is as wide as its place; colours are the style sheet's. The axis is
counted from each zone's own midnight of Saturday, so 08:00 of every partner stands in the same place. Along it time
passes evenly: after a clock change a zone's hours stand an hour beside the others'.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from sync.core.policy import Policy, Tier
from sync.core.tiers import StartWindow, finished_after, tier_begins

DAY = timedelta(days=1)
SIX_HOURS = timedelta(hours=6)
# The name of a day that is cut off is left out where it would touch its neighbour's.
SHORTEST_NAMED = timedelta(hours=9)
# On a longer axis a narrow screen has no room for each hour's label.
ROOM_FOR_HOURS = timedelta(hours=50)
# Days around the weekend that a zone far away or a start in the night can reach into.
AROUND = range(-3, 6)

Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """`first`, `last`: where it begins and ends, counted from a zone's midnight of `saturday`."""

    saturday: date
    first: timedelta
    last: timedelta

    def begins(self, zone: tzinfo) -> datetime:
        return midnight(self.saturday, zone) + self.first

    def ends(self, zone: tzinfo) -> datetime:
        return midnight(self.saturday, zone) + self.last

    def place(self, at: datetime, *, zone: tzinfo) -> float:
        """In percent from the left; a moment beyond the axis stands at its end."""
        share = (at - self.begins(zone)) / (self.last - self.first)
        return round(100 * min(1.0, max(0.0, share)), 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A stretch of the axis: "12.5%" and "8.33%"."""

    x: str
    width: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """`is_minor`: a narrow screen leaves the text out."""

    x: str
    text: str
    is_minor: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """One zone's axis: the hours, the names of the days in their middle, and the midnights; `now`: "" beyond it."""

    hours: tuple[Mark, ...]
    days: tuple[Mark, ...]
    midnights: tuple[str, ...]
    now: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """`whole`: from the first to the last moment of HIGH; `high`: the stretches of it that are HIGH; `vague`: those of
    starts without a time of day; `starts`: a tick each."""

    whole: Piece
    high: tuple[Piece, ...]
    vague: tuple[Piece, ...]
    starts: tuple[str, ...]


def midnight(day: date, zone: tzinfo) -> datetime:
    """Where the clocks are set forward over it: the first moment of the day. Aware UTC."""
    return datetime.combine(day, time(0), zone).astimezone(UTC)


def high_span(windows: Sequence[StartWindow], *, policy: Policy) -> Span:
    """From the first moment of HIGH to the last of one race's events."""
    begins = min(tier_begins(window, Tier.HIGH, policy=policy) for window in windows)
    return begins, max(finished_after(window, policy=policy) for window in windows)


def axis_of(saturday: date, spans: Iterable[tuple[tzinfo, Span]]) -> Axis:
    """Saturday and Sunday, and as much before and after in whole six hours as `spans`, each with the zone that it is
    shown in, need."""
    first, last = timedelta(0), 2 * DAY
    for zone, (begins, ends) in spans:
        zero = midnight(saturday, zone)
        first = min(first, (begins - zero) // SIX_HOURS * SIX_HOURS)
        # 49 or 47 hours where the clocks change.
        last = max(last, midnight(saturday + 2 * DAY, zone) - zero)
        if ends - zero > last:
            last = -(-(ends - zero) // SIX_HOURS) * SIX_HOURS
    return Axis(saturday=saturday, first=first, last=last)


def piece(axis: Axis, span: Span, *, zone: tzinfo) -> Piece:
    x, end = axis.place(span[0], zone=zone), axis.place(span[1], zone=zone)
    return Piece(x=f"{x:g}%", width=f"{round(end - x, 2):g}%")


def bar(axis: Axis, windows: Sequence[StartWindow], *, zone: tzinfo, policy: Policy) -> Bar:
    """One race; `windows`: of its events."""
    exact = [window for window in windows if window.earliest == window.latest]
    vague = [window for window in windows if window.earliest != window.latest]
    starts = sorted({window.earliest for window in exact})
    return Bar(
        whole=piece(axis, high_span(windows, policy=policy), zone=zone),
        high=_pieces(axis, exact, zone=zone, policy=policy),
        vague=_pieces(axis, vague, zone=zone, policy=policy),
        starts=tuple(f"{axis.place(at, zone=zone):g}%" for at in starts),
    )


def _pieces(axis: Axis, windows: Iterable[StartWindow], *, zone: tzinfo, policy: Policy) -> tuple[Piece, ...]:
    spans = sorted(high_span([window], policy=policy) for window in windows)
    return tuple(piece(axis, span, zone=zone) for span in _joined(spans))


def _joined(spans: Iterable[Span]) -> Iterator[Span]:
    """Those that overlap or touch as one; `spans` in their order."""
    current: Span | None = None
    for begins, ends in spans:
        if current is not None and begins <= current[1]:
            current = (current[0], max(current[1], ends))
            continue
        if current is not None:
            yield current
        current = (begins, ends)
    if current is not None:
        yield current


def scale(axis: Axis, *, zone: tzinfo, now: datetime) -> Scale:
    days = [axis.saturday + away * DAY for away in AROUND]
    begins, ends = axis.begins(zone), axis.ends(zone)
    return Scale(
        hours=tuple(_hours(axis, days, zone=zone)),
        days=tuple(_names(axis, days, zone=zone)),
        midnights=tuple(
            f"{axis.place(at, zone=zone):g}%" for day in days if begins < (at := midnight(day, zone)) < ends
        ),
        now=f"{axis.place(now, zone=zone):g}%" if begins <= now < ends else "",
    )


def _hours(axis: Axis, days: Iterable[date], *, zone: tzinfo) -> Iterator[Mark]:
    """06:00, 12:00, 18:00 of each day."""
    crowded = axis.last - axis.first > ROOM_FOR_HOURS
    for day in days:
        for hour in (6, 12, 18):
            at = datetime.combine(day, time(hour), zone).astimezone(UTC)
            if axis.begins(zone) < at < axis.ends(zone):
                x = f"{axis.place(at, zone=zone):g}%"
                yield Mark(x=x, text=f"{hour:02}:00", is_minor=crowded and hour != 12)


def _names(axis: Axis, days: Iterable[date], *, zone: tzinfo) -> Iterator[Mark]:
    for day in days:
        begins = max(midnight(day, zone), axis.begins(zone))
        ends = min(midnight(day + DAY, zone), axis.ends(zone))
        if ends - begins >= SHORTEST_NAMED:
            middle = axis.place(begins + (ends - begins) / 2, zone=zone)
            yield Mark(x=f"{middle:g}%", text=f"{day:%a %b} {day.day}")
