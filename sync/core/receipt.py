"""What an event's last hours came to: planned, done, the longest gap and why. Pure.

The last hours are those of MEDIUM and HIGH, from 24 hours before the start until an hour after it: the part of the
promise that a race day is judged by. They lie on two local days, or on three around a clock change. Everything is
reckoned in UTC, so no clock change adds or loses a sync.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import pairwise

from sync.core.explanation import GOOD
from sync.core.policy import Policy, Tier
from sync.core.tiers import StartWindow, finished_after, tier_begins
from sync.core.time_words import Clock, counted, span_words

FAILED = frozenset({"failed", "refused", "gone", "lost"})
# The last visit falls due at the very end; so long afterwards its run, or that of a lane that died, is known.
SETTLED_AFTER = timedelta(minutes=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFact:
    """One run of the event. `changed`: it brought a change."""

    started_at: datetime
    outcome: str
    changed: bool = False
    due_at: datetime | None = None
    error_class: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayPart:
    """The piece of an event's last hours that lies on one local day: aware UTC, `ends` is not part of it."""

    day: date
    begins: datetime
    ends: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A time without a good sync. `owed`: how many syncs were planned for its length; 1 is as planned."""

    begins: datetime
    ends: datetime
    owed: float

    @property
    def length(self) -> timedelta:
        return self.ends - self.begins

    @property
    def period(self) -> timedelta:
        """What was planned between two syncs, on average over the gap."""
        return self.length / self.owed if self.owed else self.length


@dataclass(frozen=True, slots=True, kw_only=True)
class DayFigures:
    """One day of the last hours. `planned` counts the whole of it, also what lies ahead."""

    part: DayPart
    planned: int
    done: int
    failed: int
    gap: Gap | None
    gap_cause: str
    last_change: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """`planned` counts until `as_of`, `planned_in_all` to the end. `begins`, `ends`: of the last hours; `days`: those
    that have begun, in their order."""

    begins: datetime
    ends: datetime
    as_of: datetime
    planned: int
    planned_in_all: int
    done: int
    failed: int
    gap: Gap | None
    gap_cause: str
    last_change: datetime | None
    days: tuple[DayFigures, ...]

    @property
    def is_over(self) -> bool:
        return self.as_of > self.ends


def begins_at(window: StartWindow, *, policy: Policy) -> datetime:
    """The first moment of the last hours: where MEDIUM begins."""
    return tier_begins(window, Tier.MEDIUM, policy=policy)


def is_settled(ends: datetime, *, at: datetime) -> bool:
    """Whether what was reckoned at `at` of a time that ended at `ends` will not change any more."""
    return at >= ends + SETTLED_AFTER


def day_parts(window: StartWindow, *, zone: tzinfo, policy: Policy) -> tuple[DayPart, ...]:
    """The last hours cut at the zone's midnights, in their order and without gaps."""
    begins, ends = begins_at(window, policy=policy), finished_after(window, policy=policy)
    parts = []
    day = begins.astimezone(zone).date()
    while begins < ends:
        until = min(datetime.combine(day + timedelta(days=1), time(0), zone).astimezone(UTC), ends)
        # Where the clocks are set back over midnight a day may have no second piece.
        if until > begins:
            parts.append(DayPart(day=day, begins=begins, ends=until))
            begins = until
        day += timedelta(days=1)
    return tuple(parts)


def planned_syncs(window: StartWindow, *, begins: datetime, ends: datetime, policy: Policy) -> int:
    """The syncs that the policy wants in a piece of the last hours, `ends` not part of it: 540 in all of them.

    Adjacent pieces add up exactly, wherever they are cut.
    """
    return sum(
        _slots(since, until, begins, ends, policy.rule(tier).period) for tier, since, until in _tiers(window, policy)
    )


def owed_syncs(window: StartWindow, *, begins: datetime, ends: datetime, policy: Policy) -> float:
    """The same as a measure: how many periods lie between two moments."""
    overlaps = (
        (min(until, ends) - max(since, begins), policy.rule(tier).period)
        for tier, since, until in _tiers(window, policy)
    )
    return sum(overlap / period for overlap, period in overlaps if overlap > timedelta(0))


def _tiers(window: StartWindow, policy: Policy) -> tuple[tuple[Tier, datetime, datetime], ...]:
    high = tier_begins(window, Tier.HIGH, policy=policy)
    return (
        (Tier.MEDIUM, begins_at(window, policy=policy), high),
        (Tier.HIGH, high, finished_after(window, policy=policy)),
    )


def _slots(since: datetime, until: datetime, begins: datetime, ends: datetime, period: timedelta) -> int:
    """How many of `since`, `since + period`, … before `until` lie from `begins` on and before `ends`."""
    first, last = max(since, begins), min(until, ends)
    return max(0, _up((last - since), period) - _up((first - since), period)) if first < last else 0


def _up(span: timedelta, period: timedelta) -> int:
    return -(-span // period)


def days_of(
    window: StartWindow, runs: Iterable[RunFact], *, parts: Sequence[DayPart], until: datetime, policy: Policy
) -> tuple[DayFigures, ...]:
    """What `runs` (oldest first) came to on each of `parts` that has begun at `until`. Causes are left "": they need
    more than the runs."""
    runs = list(runs)
    gaps = gaps_of(window, runs, until=until, policy=policy)
    return tuple(_day(window, part, runs, gaps, policy=policy) for part in parts if part.begins < until)


def _day(
    window: StartWindow, part: DayPart, runs: Sequence[RunFact], gaps: Sequence[Gap], *, policy: Policy
) -> DayFigures:
    mine = [run for run in runs if part.begins <= run.started_at < part.ends]
    good = [run for run in mine if run.outcome in GOOD]
    # A gap belongs to the day on which it began, however long it lasted.
    begun = [gap for gap in gaps if part.begins <= gap.begins < part.ends]
    return DayFigures(
        part=part,
        planned=planned_syncs(window, begins=part.begins, ends=part.ends, policy=policy),
        done=len(good),
        failed=sum(1 for run in mine if run.outcome in FAILED),
        gap=worst(begun),
        gap_cause="",
        last_change=max((run.started_at for run in good if run.changed), default=None),
    )


def gaps_of(window: StartWindow, runs: Iterable[RunFact], *, until: datetime, policy: Policy) -> list[Gap]:
    """From the start of the last hours over each good sync to `until` or their end, in their order."""
    begins, ends = begins_at(window, policy=policy), min(until, finished_after(window, policy=policy))
    good = (run.started_at for run in runs if run.outcome in GOOD and begins <= run.started_at <= ends)
    return [
        Gap(begins=since, ends=at, owed=owed_syncs(window, begins=since, ends=at, policy=policy))
        for since, at in pairwise([begins, *good, ends])
        if at > since
    ]


def worst(gaps: Iterable[Gap]) -> Gap | None:
    """The one that lacked most syncs: 74 s where every minute was planned is worse than 305 s where every 5 minutes."""
    return max(gaps, key=lambda gap: (gap.owed, gap.begins), default=None)


def receipt_of(window: StartWindow, days: Sequence[DayFigures], *, as_of: datetime, policy: Policy) -> Receipt:
    """All days together; `days` in their order."""
    begins, ends = begins_at(window, policy=policy), finished_after(window, policy=policy)
    over = as_of > ends
    planned = sum(day.planned for day in days)
    if not over:
        planned -= sum(
            planned_syncs(window, begins=max(day.part.begins, as_of), ends=day.part.ends, policy=policy) for day in days
        )
    gap = worst(day.gap for day in days if day.gap is not None)
    return Receipt(
        begins=begins,
        ends=ends,
        as_of=as_of,
        planned=planned,
        planned_in_all=planned_syncs(window, begins=begins, ends=ends, policy=policy),
        done=sum(day.done for day in days),
        failed=sum(day.failed for day in days),
        gap=gap,
        gap_cause=next((day.gap_cause for day in days if day.gap == gap), ""),
        last_change=max((day.last_change for day in days if day.last_change), default=None),
        days=tuple(days),
    )


def receipt_text(receipt: Receipt, *, clock: Clock) -> str:
    """ "planned 540, done 538, longest gap 74 s at 06:12 EDT (throttled), last change 08:57 EDT"."""
    parts = [f"planned {receipt.planned:,}", f"done {receipt.done:,}"]
    if receipt.failed:
        parts.append(f"failed {receipt.failed:,}")
    parts.append(gap_text(receipt.gap, receipt.gap_cause, clock=clock))
    parts.append(f"last change {clock.text(receipt.last_change)}" if receipt.last_change else "no change")
    text = ", ".join(parts)
    return text if receipt.is_over else f"so far {text}"


def gap_text(gap: Gap | None, cause: str, *, clock: Clock) -> str:
    if gap is None:
        return "no gap yet"
    text = f"longest gap {span_words(gap.length)} at {clock.text(gap.begins)}"
    return f"{text} ({cause})" if cause else text


def missed_text(receipt: Receipt) -> str:
    """How the two figures differ, in words."""
    missing = receipt.planned - receipt.done
    if missing <= 0:
        return "every planned sync was made"
    return f"{counted(missing, 'planned sync')} {'was' if missing == 1 else 'were'} not made"
