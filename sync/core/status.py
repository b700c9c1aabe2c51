"""The one definition of the words that pages, metrics and alerts use for an event's state."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sync.core.policy import Policy, Tier


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
    """What is known of one event at a moment. `blocked_reason`: why its key or race may not be used, or what waits
    for a person; `over`: its last HIGH moment has passed."""

    tier: Tier | None
    due_at: datetime | None
    checked_at: datetime | None
    is_running: bool
    is_picked: bool
    failures: int
    blocked_reason: str
    over: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A word and the reason behind it, "" when the word says it all."""

    word: Word
    reason: str = ""

    @property
    def is_bad(self) -> bool:
        return self.word in {Word.LATE, Word.OVERDUE, Word.NEEDS_ACTION}


def status_of(state: EventState, *, now: datetime, policy: Policy) -> Status:
    """Late: over one period past its due time; overdue: over two."""
    if state.blocked_reason:
        return Status(word=Word.NEEDS_ACTION, reason=state.blocked_reason)
    if state.is_running:
        return Status(word=Word.SYNCING)
    if state.due_at is None or state.tier is None:
        return Status(word=Word.FINISHED if state.over else Word.NOT_SCHEDULED)
    period = policy.rule(state.tier).period
    lateness = now - state.due_at
    if lateness > 2 * period:
        return Status(word=Word.OVERDUE, reason=_failed(state))
    if lateness > period:
        return Status(word=Word.LATE, reason=_failed(state))
    if state.is_picked or lateness.total_seconds() >= 0:
        return Status(word=Word.QUEUED, reason=_failed(state))
    # The next try after a failure may lie ahead while the list is already too old.
    if state.failures and (state.checked_at is None or now - state.checked_at > 2 * period):
        return Status(word=Word.LATE, reason=_failed(state))
    return Status(word=Word.ON_TIME, reason=_failed(state))


def _failed(state: EventState) -> str:
    if not state.failures:
        return ""
    return f"{state.failures} {'try' if state.failures == 1 else 'tries'} in a row failed"
