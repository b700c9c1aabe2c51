"""The drawing of an event's last day: a band per tier, rows of planned syncs, holes where none was made. Pure.

A row is an hour where a sync is planned each minute and six hours where it is each five minutes: on a phone a tick is
still some pixels wide, and the minute of a hole is read off the row. Only coordinates: colours are the style sheet's.
Row and label are local time; along a row time passes evenly, also where a clock change makes it longer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from itertools import groupby

from sync.core.day_ticks import Day, Gap, State, Tick
from sync.core.policy import Policy, Tier
from sync.core.time_words import zone_name

# As many as one row holds, and all rows of a band: more are drawn several at a place.
ROW_PLACES = 72
MOST_PLACES = 1200
SPANS = tuple(timedelta(minutes=minutes) for minutes in (1440, 720, 360, 240, 180, 120, 60, 30, 20, 15, 10, 5))

# Units of the drawing; a phone shows about 0.8 pixels of each.
ROW_WIDTH = 360
LABEL_WIDTH = 88
ZONED_LABEL_WIDTH = 92
RIGHT = 4
AXIS = 18
START_ROOM = 17
# What the words beside the start's line take at most, in a phone's letters.
START_TEXT = 130
TICK = 14
# Lanes of the dots, from the top of the row to their middle.
LANES = {"added": 19, "changed": 24, "removed": 29}
ROW = 36


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeCount:
    """What changed at `at`."""

    at: datetime
    added: int
    changed: int
    removed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    x: int
    width: int
    y: int
    gap: Gap


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """`done`, `ahead`, `unknown` and `dots` are SVG paths, "" when there is nothing of the kind; `at`: where the row
    begins on the clock; `begins`, `ends`: the part of it that belongs to the band."""

    y: int
    label: str
    at: datetime
    begins: datetime
    ends: datetime
    ground_x: int
    ground_width: int
    done: str
    ahead: str
    unknown: str
    dots: Mapping[str, str]
    holes: tuple[Hole, ...]
    ticks: tuple[Tick, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A vertical line in one row, from `y` down."""

    x: int
    y: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisMark:
    x: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """`begins`: the first moment of the tier; `at_once`: how many planned syncs a place stands for; `start`, `now`:
    None where they are not in this band."""

    tier: Tier
    begins: datetime
    period: timedelta
    span: timedelta
    at_once: int
    width: int
    height: int
    axis: tuple[AxisMark, ...]
    rows: tuple[Row, ...]
    start: Mark | None
    now: Mark | None

    @property
    def start_text_goes_left(self) -> bool:
        """Right of a mark near the end it would be cut off."""
        return self.start is not None and self.start.x > self.width - START_TEXT

    @property
    def label_x(self) -> int:
        """Where the labels end."""
        return self.axis[0].x - 8


def bands(
    day: Day,
    changes: Iterable[ChangeCount],
    *,
    start: datetime | None,
    now: datetime,
    zone: tzinfo,
    policy: Policy,
) -> tuple[Band, ...]:
    """`start`: None when it is not one moment."""
    changes = list(changes)
    found = []
    for tier, group in groupby(day.ticks, key=lambda tick: tick.tier):
        band = _Band(
            tier=tier,
            begins=day.high_begins if tier is Tier.HIGH else day.begins,
            period=policy.rule(tier).period,
            ticks=tuple(group),
        )
        found.append(_drawn(band, changes, start=start, now=now, zone=zone))
    return tuple(found)


def row_begins(at: datetime, *, span: timedelta, zone: tzinfo) -> datetime:
    """The last time of the local clock before `at` that is a whole number of spans after midnight."""
    local = at.astimezone(zone)
    passed = timedelta(hours=local.hour, minutes=local.minute)
    floor = datetime.combine(local.date(), time(0)) + passed // span * span
    return floor.replace(tzinfo=zone, fold=local.fold).astimezone(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Band:
    """What is to be drawn; as many planned syncs as `at_once` share a place."""

    tier: Tier
    begins: datetime
    period: timedelta
    ticks: tuple[Tick, ...]

    @property
    def at_once(self) -> int:
        return -(-len(self.ticks) // MOST_PLACES)

    @property
    def place(self) -> timedelta:
        return self.period * self.at_once

    @property
    def span(self) -> timedelta:
        return next((span for span in SPANS if span / self.place <= ROW_PLACES), SPANS[-1])


def _drawn(band: _Band, changes: Sequence[ChangeCount], *, start: datetime | None, now: datetime, zone: tzinfo) -> Band:
    rows = _rows(band.ticks, span=band.span, zone=zone)
    left = ZONED_LABEL_WIDTH if len({zone_name(begins.astimezone(zone)) for begins, _ in rows}) > 1 else LABEL_WIDTH
    frame = _Frame(left=left, pitch=max(1, int(ROW_WIDTH * band.place / band.span)), place=band.place)
    drawn, y, start_mark, now_mark = [], AXIS, None, None
    for (begins, group), label in zip(rows, _labels([at for at, _ in rows], zone=zone), strict=True):
        first, last = group[0].at, group[-1].ends
        if start is not None and first <= start < last:
            y += START_ROOM
            start_mark = Mark(x=frame.x_at(start, begins), y=y)
        if first <= now < last:
            # To the place, not finer: the picture changes with a planned sync, not with each second.
            now_mark = Mark(x=frame.x(now, begins), y=y)
        inside = [at for at in changes if first <= at.at < last or (at.at < first == band.ticks[0].at)]
        drawn.append(frame.row(begins, group, inside, y=y, label=label))
        y += ROW
    return Band(
        tier=band.tier,
        begins=band.begins,
        period=band.period,
        span=band.span,
        at_once=band.at_once,
        width=max(left + ROW_WIDTH, *(row.ground_x + row.ground_width for row in drawn)) + RIGHT,
        height=y,
        axis=_axis(band.span, frame),
        rows=tuple(drawn),
        start=start_mark,
        now=now_mark,
    )


def _rows(ticks: Sequence[Tick], *, span: timedelta, zone: tzinfo) -> list[tuple[datetime, list[Tick]]]:
    """By the beginning of their row. Within five minutes no row begins and no clock changes."""
    known: dict[datetime, datetime] = {}

    def begins(tick: Tick) -> datetime:
        at = tick.at
        part = at.replace(minute=at.minute // 5 * 5, second=0, microsecond=0)
        if part not in known:
            known[part] = row_begins(part, span=span, zone=zone)
        return known[part]

    return [(at, list(group)) for at, group in groupby(ticks, begins)]


def _labels(rows: Sequence[datetime], *, zone: tzinfo) -> list[str]:
    """ "Fri 18:00", "19:00"; with the zone where it changes, because an hour may come twice."""
    locals_ = [begins.astimezone(zone) for begins in rows]
    zoned = len({zone_name(local) for local in locals_}) > 1
    labels, day = [], None
    for local in locals_:
        text = f"{local:%H:%M} {zone_name(local)}" if zoned else f"{local:%H:%M}"
        labels.append(text if zoned or local.date() == day else f"{local:%a} {text}")
        day = local.date()
    return labels


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """Where things lie in a band: `pitch` units for each place of time."""

    left: int
    pitch: int
    place: timedelta

    def x(self, at: datetime, begins: datetime) -> int:
        """The left side of the place in which `at` lies."""
        return self.left + (at - begins) // self.place * self.pitch

    def x_at(self, at: datetime, begins: datetime) -> int:
        return self.left + round((at - begins) / self.place * self.pitch)

    def row(
        self, begins: datetime, ticks: Sequence[Tick], changes: Sequence[ChangeCount], *, y: int, label: str
    ) -> Row:
        places = self._places(begins, ticks)
        middles = self.pitch // 2
        xs: dict[State, list[int]] = {state: [] for state in State}
        for x, tick in places:
            xs[tick.state].append(x + middles)
        ground_x = places[0][0]
        return Row(
            y=y,
            label=label,
            at=begins,
            begins=ticks[0].at,
            ends=ticks[-1].ends,
            ground_x=ground_x,
            ground_width=places[-1][0] + self.pitch - ground_x,
            done=_strokes(xs[State.DONE], y=y, height=TICK),
            ahead=_strokes(xs[State.AHEAD], y=y, height=TICK),
            unknown=_strokes(xs[State.NOT_KNOWN], y=y, height=TICK),
            dots=self._dots(begins, ticks, changes, y=y),
            holes=self._holes(places, y=y),
            ticks=tuple(ticks),
        )

    def _places(self, begins: datetime, ticks: Sequence[Tick]) -> list[tuple[int, Tick]]:
        """Each place once, with the worst that is there."""
        worst = list(State)
        found: dict[int, Tick] = {}
        for tick in ticks:
            x = self.x(tick.at, begins)
            if x not in found or worst.index(tick.state) < worst.index(found[x].state):
                found[x] = tick
        return sorted(found.items(), key=lambda place: place[0])

    def _holes(self, places: Sequence[tuple[int, Tick]], *, y: int) -> tuple[Hole, ...]:
        holes = []
        for gap, group in groupby(places, key=lambda place: place[1].gap):
            if gap is not None:
                xs = [x for x, _tick in group]
                holes.append(Hole(x=xs[0], width=xs[-1] - xs[0] + self.pitch, y=y, gap=gap))
        return tuple(holes)

    def _dots(
        self, begins: datetime, ticks: Sequence[Tick], changes: Sequence[ChangeCount], *, y: int
    ) -> dict[str, str]:
        lanes: dict[str, set[int]] = {lane: set() for lane in LANES}
        for change in changes:
            x = self.x(max(change.at, ticks[0].at), begins) + self.pitch // 2
            for lane, found in lanes.items():
                if getattr(change, lane):
                    found.add(x)
        return {lane: _strokes(sorted(found), y=y + LANES[lane], height=0) for lane, found in lanes.items()}


def _strokes(xs: Sequence[int], *, y: int, height: int) -> str:
    """A path of vertical strokes; a stroke without height becomes a dot by its round ends."""
    parts, at = [], None
    for x in xs:
        parts.append(f"M{x} {y}v{height}" if at is None else f"m{x - at} {-height}v{height}")
        at = x
    return "".join(parts)


def _axis(span: timedelta, frame: _Frame) -> tuple[AxisMark, ...]:
    """At the beginning and at each quarter of an hour's row or each hour of a longer one."""
    parts = 4 if span <= timedelta(hours=1) else min(12, span // timedelta(hours=1))
    step = span / parts
    texts = [_axis_text(step * part, span) for part in range(parts)]
    return tuple(
        AxisMark(x=frame.left + round(step * part / frame.place * frame.pitch), text=text)
        for part, text in enumerate(texts)
    )


def _axis_text(after: timedelta, span: timedelta) -> str:
    minutes = after // timedelta(minutes=1)
    if span == timedelta(hours=1):
        return f":{minutes:02d}"
    if not minutes:
        return "+0"
    return f"+{minutes // 60} h" if minutes % 60 == 0 else f"+{minutes} min"
