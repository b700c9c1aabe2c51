"""The one definition of the words that pages, metrics and alerts use for an event's state."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sync.core.policy import Policy, Tier

# So many cycles that did not come are no hiccup.
SILENT_CYCLES = 6
# In periods past the due time; exactly so many are not yet over.
LATE_AFTER, OVERDUE_AFTER = 1, 2


class Word(StrEnum):
    ON_TIME = "On time"
    SYNCING = "Syncing"
    QUEUED = "Queued"
    LATE = "Late"
    OVERDUE = "Overdue"
    NEEDS_ACTION = "Needs action"
    NOT_SCHEDULED = "Not scheduled"
    FINISHED = "Finished"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventState:
    """What is known of one event at a moment.

    `off_reason`: what somebody switched off on purpose; `blocked_reason`: why its key, its race or the event itself may
    not be used; `held_reason`: what waits for a person's decision; `over`: its last HIGH moment has passed; `period`:
    what its key's pace makes of its tier's, None: the policy's.
    """

    tier: Tier | None
    due_at: datetime | None
    checked_at: datetime | None
    is_running: bool
    is_picked: bool
    failures: int
    over: bool
    off_reason: str = ""
    blocked_reason: str = ""
    held_reason: str = ""
    period: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A word and the reason behind it, "" when the word says it all."""

    word: Word
    reason: str = ""

    @property
    def is_bad(self) -> bool:
        return self.word in {Word.LATE, Word.OVERDUE, Word.NEEDS_ACTION}


def is_silent(beat_at: datetime | None, *, now: datetime, policy: Policy) -> bool:
    """Whether the scheduler's last sign of life (None: never one) is too long ago."""
    return beat_at is None or now - beat_at > SILENT_CYCLES * policy.cycle


def status_of(state: EventState, *, now: datetime, policy: Policy) -> Status:
    """Late: over one period past its due time, or its list is older than one period and tries fail. Overdue: over two.

    A try that is running does not make an old list a current one: late comes before syncing.
    """
    kept_from_syncing = _kept_from_syncing(state)
    if kept_from_syncing is not None:
        return kept_from_syncing
    if state.due_at is None or state.tier is None:
        word = Word.FINISHED if state.over else Word.NOT_SCHEDULED
        return Status(word=Word.SYNCING if state.is_running else word)
    period = state.period or policy.rule(state.tier).period
    behind = _periods_behind(state, due_at=state.due_at, period=period, now=now)
    if behind > OVERDUE_AFTER:
        word = Word.OVERDUE
    elif behind > LATE_AFTER:
        word = Word.LATE
    elif state.is_running:
        word = Word.SYNCING
    else:
        word = Word.QUEUED if state.is_picked or state.due_at <= now else Word.ON_TIME
    return Status(word=word, reason=failed_words(state.failures))


def _kept_from_syncing(state: EventState) -> Status | None:
    """Of an event that is over nothing is to be synced any more: a switched-off race or a refused key needs nobody for
    it, what a person has to decide about its list still does."""
    if state.off_reason and not state.over:
        return Status(word=Word.NOT_SCHEDULED, reason=state.off_reason)
    reason = state.held_reason if state.over else state.blocked_reason or state.held_reason
    return Status(word=Word.NEEDS_ACTION, reason=reason) if reason else None


def _periods_behind(state: EventState, *, due_at: datetime, period: timedelta, now: datetime) -> float:
    """How many periods it is past its due time; while its tries fail, how many periods old its list is, if that is
    more: every failure moves the due time, and the next try may lie ahead while the list is already too old."""
    if state.is_running and state.checked_at is None and not state.failures:
        # The first load of a large race takes longer than a period.
        return 0
    lateness = (now - due_at) / period
    if not state.failures:
        return lateness
    # A list that was never loaded has no age: late after the first try that failed, overdue after more.
    age = 1.5 * state.failures if state.checked_at is None else (now - state.checked_at) / period
    return max(lateness, age)


def failed_words(failures: int) -> str:
    """ "" for none."""
    if not failures:
        return ""
    return "the last try failed" if failures == 1 else f"{failures} tries in a row failed"
