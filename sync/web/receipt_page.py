"""The receipt of an event as its page shows it, and its line on the event page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from races.models import Event
from sync.core.gap_causes import NEW_HERE
from sync.core.policy import Policy
from sync.core.receipt import DayFigures, Gap, Receipt, gap_text, missed_text, receipt_text
from sync.core.tiers import zone_of
from sync.core.time_words import Clock, span_words
from sync.services.receipt import event_receipt
from sync.web.event_status import Counts, participant_counts
from sync.web.race_status import RaceHeader, race_header
from sync.web.times import Moment, moment
from sync.web.words import ICONS, Kind

# From here on a receipt reads as kept; the promise allows for two syncs that a lane or a cycle came late to.
KEPT = 0.99


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptLine:
    """`word` and `text` are the sentence."""

    word: str
    kind: Kind
    icon: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DayRow:
    day: str
    planned: int
    done: int
    failed: int
    gap: str
    last_change: Moment | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptPage:
    """`line` None: there is nothing to say yet, or nothing was recorded; the rest is empty then. `gap`: the longest one
    in words, with its cause; `list_as_of`: of the list whose `counts` stand below."""

    header: RaceHeader
    event_pk: int
    event: str
    starts: Moment | None
    is_over: bool
    line: ReceiptLine | None
    begins: Moment | None = None
    ends: Moment | None = None
    as_of: Moment | None = None
    planned: int = 0
    planned_in_all: int = 0
    done: int = 0
    failed: int = 0
    missed: str = ""
    gap: str = ""
    gap_period: str = ""
    last_change: Moment | None = None
    list_as_of: Moment | None = None
    counts: Counts | None = None
    days: tuple[DayRow, ...] = ()


def receipt_line(*, event: Event, now: datetime, policy: Policy) -> ReceiptLine | None:
    """`event` with its race."""
    receipt = event_receipt(event=event, now=now, policy=policy)
    return None if receipt is None else _line(receipt, Clock(zone=zone_of(event.race.timezone), now=now))


def receipt_page(*, event: Event, now: datetime, policy: Policy) -> ReceiptPage:
    """`event` from `events_with_race`."""
    zone = zone_of(event.race.timezone)
    receipt = event_receipt(event=event, now=now, policy=policy)
    header = race_header(event.race, now=now)
    starts = moment(event.starts_at, zone=zone, now=now, seconds=False)
    if receipt is None:
        return ReceiptPage(header=header, event_pk=event.pk, event=event.name, starts=starts, is_over=False, line=None)
    clock = Clock(zone=zone, now=now)
    row = getattr(event, "sync", None)
    return ReceiptPage(
        header=header,
        event_pk=event.pk,
        event=event.name,
        starts=starts,
        is_over=receipt.is_over,
        line=_line(receipt, clock),
        begins=moment(receipt.begins, zone=zone, now=now, seconds=False),
        ends=moment(receipt.ends, zone=zone, now=now, seconds=False),
        as_of=moment(receipt.as_of, zone=zone, now=now),
        planned=receipt.planned,
        planned_in_all=receipt.planned_in_all,
        done=receipt.done,
        failed=receipt.failed,
        missed=missed_text(receipt),
        gap=_gap(receipt.gap, receipt.gap_cause, clock=clock),
        gap_period=_period(receipt.gap),
        last_change=moment(receipt.last_change, zone=zone, now=now),
        list_as_of=moment(row.checked_at if row else None, zone=zone, now=now),
        counts=participant_counts([event.pk]).get(event.pk, Counts()),
        days=tuple(_day(day, clock=clock, zone=zone) for day in receipt.days),
    )


def _line(receipt: Receipt, clock: Clock) -> ReceiptLine:
    # An event that was found in its last hours is judged from then on.
    found_late = receipt.gap is not None and receipt.gap_cause == NEW_HERE
    missed_before = int(receipt.gap.owed) if receipt.gap is not None and found_late else 0
    kept = receipt.done >= KEPT * (receipt.planned - missed_before)
    kind = Kind.GOOD if kept else Kind.WARN
    as_planned = "Synced as planned since it was found" if found_late else "Synced as planned"
    return ReceiptLine(
        word=as_planned if kept else "Synced less than planned",
        kind=kind,
        icon=ICONS[kind],
        text=receipt_text(receipt, clock=clock),
    )


def _gap(gap: Gap | None, cause: str, *, clock: Clock) -> str:
    return gap_text(gap, cause, clock=clock).removeprefix("longest gap ")


def _period(gap: Gap | None) -> str:
    """What was planned where the longest gap was."""
    return f"a sync every {span_words(gap.period)} was planned" if gap else ""


def _day(day: DayFigures, *, clock: Clock, zone: ZoneInfo) -> DayRow:
    return DayRow(
        day=f"{day.part.day:%a %b} {day.part.day.day}",
        planned=day.planned,
        done=day.done,
        failed=day.failed,
        gap=_gap(day.gap, day.gap_cause, clock=clock),
        last_change=moment(day.last_change, zone=zone, now=clock.now),
    )
