"""The last day of an event as a picture: its facts, the drawing and the words beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from django.db.models import Count, Q, Sum
from django.db.models.functions import TruncMinute

from races.models import Event, ParticipantChange
from sync.core.day_ticks import Day, Gap, Length, State, day_of
from sync.core.explanation import GOOD
from sync.core.policy import Policy
from sync.core.receipt import begins_at, is_settled
from sync.core.tiers import StartWindow, finished_after, zone_of
from sync.core.time_words import Clock, counted, span_words, whole_minutes, zone_name
from sync.models import EventDay, SyncRun
from sync.services.event_schedule import window_of
from sync.services.policies import policy_now
from sync.web.day_drawing import LANES, TICK, Band, ChangeCount, Hole, Row, bands
from sync.web.times import Moment, moment, period_text
from sync.web.words import Kind

# The longest ones are named in the picture; the others are drawn.
NAMED_HOLES = 40
KIND_OF_LENGTH: dict[Length, Kind] = {Length.SHORT: Kind.IDLE, Length.LATE: Kind.WARN, Length.OVERDUE: Kind.BAD}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """`kept`: False when a part of the runs of that day is not kept any more."""

    good: tuple[datetime, ...]
    bad: tuple[datetime, ...]
    changes: tuple[ChangeCount, ...]
    known_since: datetime
    kept: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HoleView:
    """`title`: time and length."""

    x: int
    y: int
    width: int
    height: int
    kind: Kind
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BandView:
    """`unnamed`: by kind the outlines of further holes, where there are very many."""

    band: Band
    name: str
    often: str
    summary: str
    holes: tuple[HoleView, ...]
    unnamed: tuple[tuple[Kind, str], ...]
    dots: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HourRow:
    """A row of the drawing in figures. `gap`: its longest time without a sync, "" when nothing is missing."""

    label: str
    iso: str
    passed: int
    done: int
    gap: str
    kind: Kind
    added: int
    changed: int
    removed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EventDayView:
    """`sentence`: the day in words; `note`: why there is no picture, or what it cannot show."""

    kind: Kind
    sentence: str
    changes: str
    note: str
    begins: Moment | None
    bands: tuple[BandView, ...]
    hours: tuple[HourRow, ...]
    start_text: str
    now_text: str


def event_day(*, event: Event, now: datetime, policy: Policy | None = None) -> EventDayView:
    """`event` with its race. At most four queries, each by an index of the event; two while the day goes on."""
    policy, zone, window = policy or policy_now(), zone_of(event.race.timezone), window_of(event)
    if window is None:
        return _empty(event, "There is no start, so there is no last day to show.")
    begins = begins_at(window, policy=policy)
    if now < begins:
        at = Clock(zone=zone, now=now).text(begins)
        return _empty(event, f"The last day begins at {at}. Each sync from then on is a tick here.")
    facts = _facts(event, window, now=now, policy=policy)
    day = day_of(
        window,
        race_id=event.race.provider_race_id,
        good=facts.good,
        bad=facts.bad,
        known_since=facts.known_since,
        now=now,
        policy=policy,
    )
    start = window.earliest if window.earliest == window.latest else None
    drawn = bands(day, facts.changes, start=start, now=now, zone=zone, policy=policy)
    return _view(event, day, drawn, facts, start=start, zone=zone, now=now)


def _empty(event: Event, note: str) -> EventDayView:
    return EventDayView(
        kind=Kind.IDLE,
        sentence="",
        changes="",
        note=note,
        begins=None,
        bands=(),
        hours=(),
        start_text="",
        now_text="",
    )


def _facts(event: Event, window: StartWindow, *, now: datetime, policy: Policy) -> Facts:
    begins, ends = begins_at(window, policy=policy), finished_after(window, policy=policy)
    # One range of the index of an event's runs: some hundred rows.
    rows = (
        SyncRun.objects.filter(event=event, started_at__range=(begins, min(now, ends)))
        .exclude(outcome="")
        .order_by("started_at")
        .values_list("started_at", "outcome", "added", "changed", "removed")
    )
    runs = list(rows)
    good = tuple(run[0] for run in runs if run[1] in GOOD)
    is_kept = not is_settled(ends, at=now) or _written(event, since=begins, until=ends) <= len(good)
    changes = (
        tuple(ChangeCount(at=at, added=new, changed=other, removed=gone) for at, _, new, other, gone in runs)
        if is_kept
        else _changes(event, since=begins, until=ends)
    )
    return Facts(
        good=good,
        bad=tuple(run[0] for run in runs if run[1] not in GOOD),
        changes=tuple(change for change in changes if change.added or change.changed or change.removed),
        known_since=_known_since(event, runs[0][0] if runs else None, begins=begins, now=now, kept=is_kept),
        kept=is_kept,
    )


def _known_since(event: Event, first: datetime | None, *, begins: datetime, now: datetime, kept: bool) -> datetime:
    """Before it the event was not in the schedule, or its runs are not kept."""
    if first is not None and first - begins <= timedelta(minutes=10):
        return begins
    if kept and SyncRun.objects.filter(event=event, started_at__lt=begins).exists():
        return begins
    return first or now


def _written(event: Event, *, since: datetime, until: datetime) -> int:
    """The good syncs that the day's record counts, which outlives the runs."""
    local = zone_of(event.race.timezone)
    days = (since.astimezone(local).date(), until.astimezone(local).date())
    found = EventDay.objects.filter(event=event, day__range=days).aggregate(done=Sum("done"))
    return found["done"] or 0


def _changes(event: Event, *, since: datetime, until: datetime) -> tuple[ChangeCount, ...]:
    """From the history of changes, by the minute: only once the runs are gone, which say the same."""
    kinds = ParticipantChange.Kind
    rows = (
        ParticipantChange.objects.filter(event=event, at__range=(since, until))
        .order_by()
        .annotate(minute=TruncMinute("at"))
        .values("minute")
        .annotate(
            added=Count("pk", filter=Q(kind=kinds.ADDED)),
            changed=Count("pk", filter=Q(kind__in=[kinds.CHANGED, kinds.RESTORED])),
            removed=Count("pk", filter=Q(kind__in=[kinds.REMOVED, kinds.TRANSFERRED])),
        )
        .order_by("minute")
    )
    return tuple(
        ChangeCount(at=row["minute"], added=row["added"], changed=row["changed"], removed=row["removed"])
        for row in rows
    )


def _view(
    event: Event,
    day: Day,
    drawn: Sequence[Band],
    facts: Facts,
    *,
    start: datetime | None,
    zone: tzinfo,
    now: datetime,
) -> EventDayView:
    is_over = now > day.ends
    longest = day.longest if day.count(State.MISSED) else None
    named = _named(drawn)
    clock = Clock(zone=zone, now=now)
    return EventDayView(
        kind=KIND_OF_LENGTH[longest.length] if longest and longest.length is not Length.SHORT else Kind.GOOD,
        sentence=_sentence(day, is_over=is_over, clock=clock),
        changes=_changes_sentence(facts.changes, clock=clock),
        note=_note(day, facts),
        begins=moment(day.begins, zone=zone, now=now, seconds=False),
        bands=tuple(_band_view(band, named, zone=zone) for band in drawn),
        hours=tuple(
            _hour(row, facts.changes, tier_begins=band.begins, zone=zone) for band in drawn for row in band.rows
        ),
        start_text=f"Start {clock.text(start)}" if start else "",
        now_text="" if is_over else "Now",
    )


def _named(drawn: Sequence[Band]) -> frozenset[datetime]:
    """The beginnings of the gaps whose holes are named: the longest ones."""
    gaps = {hole.gap.begins: hole.gap for band in drawn for row in band.rows for hole in row.holes}
    worst = sorted(gaps.values(), key=lambda gap: gap.periods, reverse=True)
    return frozenset(gap.begins for gap in worst[:NAMED_HOLES])


def _sentence(day: Day, *, is_over: bool, clock: Clock) -> str:
    so_far = "" if is_over else "So far "
    done, passed = day.count(State.DONE), day.passed
    if not passed:
        return "No sync of this day is recorded." if is_over else "No planned sync has passed yet."
    if done == passed:
        made = f"{so_far}every planned sync was made: {done:,} of {passed:,}."
    else:
        made = f"{so_far}{done:,} of {passed:,} planned syncs were made."
    made = made[:1].upper() + made[1:]
    gap = day.longest
    if gap is None:
        return made
    since = clock.text(gap.begins, seconds=True)
    if gap.is_open and gap.length is not Length.SHORT:
        return f"{made} Since {since} there is none: {_lasted(gap)} so far."
    closed = gap if not gap.is_open else None
    return f"{made} The longest time between two was {span_words(closed.lasted)}, from {since}." if closed else made


def _changes_sentence(changes: Sequence[ChangeCount], *, clock: Clock) -> str:
    if not changes:
        return "Nobody in the list changed."
    parts = (
        f"{sum(change.added for change in changes):,} new",
        f"{sum(change.changed for change in changes):,} changed",
        f"{sum(change.removed for change in changes):,} left",
    )
    last = max(change.at for change in changes)
    return f"In the list: {', '.join(parts)}; the last change at {clock.text(last)}."


def _note(day: Day, facts: Facts) -> str:
    if not facts.kept:
        return "The single syncs of this day are not kept any more, or only a part of them; the changes are."
    unknown = day.count(State.NOT_KNOWN)
    return f"{counted(unknown, 'planned sync')} lay before the first one of this event." if unknown else ""


def _band_view(band: Band, named: frozenset[datetime], *, zone: tzinfo) -> BandView:
    ticks = [tick for row in band.rows for tick in row.ticks]
    holes = [hole for row in band.rows for hole in row.holes]
    done = sum(tick.state is State.DONE for tick in ticks)
    missed = sum(tick.state is State.MISSED for tick in ticks)
    return BandView(
        band=band,
        name=band.tier.value,
        often=f"{period_text(band.period)}; a row is {_span_text(band.span)}"
        + (f", a tick stands for {band.at_once}" if band.at_once > 1 else ""),
        summary=f"{band.tier.value}: {done:,} of {len(ticks):,} planned syncs made, {missed:,} missed.",
        holes=tuple(
            HoleView(
                x=hole.x,
                y=hole.y,
                width=hole.width,
                height=TICK,
                kind=KIND_OF_LENGTH[hole.gap.length],
                title=gap_text(hole.gap, zone=zone),
            )
            for hole in holes
            if hole.gap.begins in named
        ),
        unnamed=tuple((kind, path) for kind in Kind if (path := _outlines(holes, named, kind))),
        dots=tuple((lane, "".join(row.dots[lane] for row in band.rows)) for lane in LANES),
    )


def _outlines(holes: Sequence[Hole], named: frozenset[datetime], kind: Kind) -> str:
    return "".join(
        f"M{hole.x} {hole.y}h{hole.width}v{TICK}h-{hole.width}z"
        for hole in holes
        if hole.gap.begins not in named and KIND_OF_LENGTH[hole.gap.length] is kind
    )


def _span_text(span: timedelta) -> str:
    hours = span / timedelta(hours=1)
    return "an hour" if hours == 1 else f"{hours:g} hours" if hours > 1 else f"{span // timedelta(minutes=1)} minutes"


def gap_text(gap: Gap, *, zone: tzinfo) -> str:
    """ "Sat 06:12:03 to 06:15:20 EDT: 3 min 17 s without a sync, 2 tries brought nothing"."""
    first, last = gap.begins.astimezone(zone), gap.ends.astimezone(zone)
    between = f"{first:%a %H:%M:%S} to {last:%H:%M:%S} {zone_name(last)}"
    if gap.is_open:
        between = f"Since {first:%a %H:%M:%S} {zone_name(first)}"
    going_on = " so far" if gap.is_open else ""
    tries = f", {counted(gap.tries, 'try').replace('trys', 'tries')} brought nothing" if gap.tries else ""
    return f"{between}: {_lasted(gap)} without a sync{going_on}{tries}"


def _lasted(gap: Gap) -> str:
    """Of one that goes on in whole minutes: seconds that pass alone must not change the page."""
    return whole_minutes(gap.lasted) if gap.is_open else span_words(gap.lasted)


def _hour(row: Row, changes: Sequence[ChangeCount], *, tier_begins: datetime, zone: tzinfo) -> HourRow:
    # Where the row or the tier begins on the clock, not its first planned sync some seconds or minutes later.
    at = max(row.at, tier_begins)
    local = at.astimezone(zone)
    inside = [change for change in changes if row.begins <= change.at < row.ends]
    worst = max((hole.gap for hole in row.holes), key=lambda gap: gap.periods, default=None)
    states = [tick.state for tick in row.ticks]
    done = states.count(State.DONE)
    return HourRow(
        label=f"{local:%a %H:%M} {zone_name(local)}",
        iso=at.isoformat(timespec="minutes"),
        passed=done + states.count(State.MISSED),
        done=done,
        gap=_lasted(worst) if worst else "",
        kind=KIND_OF_LENGTH[worst.length] if worst else Kind.GOOD,
        added=sum(change.added for change in inside),
        changed=sum(change.changed for change in inside),
        removed=sum(change.removed for change in inside),
    )
