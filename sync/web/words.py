"""The words, icons and kinds that pages use for outcomes, triggers, tiers and states. Pure.

A kind is what the style sheet colours: good, busy, warn, bad, idle. The word and the icon say the same without colour.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sync.core.cadence import REMOVALS_EVERY, REMOVALS_EVERY_OVERLOADED
from sync.core.pace import Pace, is_final
from sync.core.policy import Policy, Tier
from sync.core.status import Word
from sync.core.tiers import StartWindow
from sync.core.time_words import whole_minutes
from sync.web.times import period_text


class Kind(StrEnum):
    GOOD = "good"
    BUSY = "busy"
    WARN = "warn"
    BAD = "bad"
    IDLE = "idle"


# The icon is the id of a symbol in templates/_icons.html.
ICONS: dict[Kind, str] = {
    Kind.GOOD: "check",
    Kind.BUSY: "sync",
    Kind.WARN: "clock",
    Kind.BAD: "alert",
    Kind.IDLE: "pause",
}

KIND_OF_WORD: dict[Word, Kind] = {
    Word.ON_TIME: Kind.GOOD,
    Word.SYNCING: Kind.BUSY,
    Word.QUEUED: Kind.BUSY,
    Word.LATE: Kind.WARN,
    Word.OVERDUE: Kind.BAD,
    Word.NEEDS_ACTION: Kind.BAD,
    Word.NOT_SCHEDULED: Kind.IDLE,
    Word.FINISHED: Kind.IDLE,
}

# What a run's outcome is called, on every page; "" is a run that still runs.
OUTCOMES: dict[str, tuple[str, Kind]] = {
    "": ("Running", Kind.BUSY),
    "ok": ("Updated", Kind.GOOD),
    "unchanged": ("No change", Kind.GOOD),
    "throttled": ("Throttled", Kind.WARN),
    "failed": ("Failed", Kind.BAD),
    "refused": ("Refused", Kind.BAD),
    "gone": ("Gone", Kind.BAD),
    "lost": ("Lost", Kind.BAD),
}

TRIGGERS: dict[str, str] = {
    "scheduled": "Schedule",
    "manual": "Sync now",
    "backfill": "Backfill",
    "discovery": "Discovery",
    "reconcile": "Full comparison",
}

# How often a visit looks for withdrawals, as a part of all visits.
EVERY_NTH: dict[int, str] = {
    1: "every check",
    2: "every second check",
    3: "every third check",
    5: "every fifth check",
    10: "every tenth check",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TierView:
    """`name`: HIGH, MEDIUM, LOW; `why`: why the event is in it and what that means; `removals_every`: every n-th check
    looks for withdrawals."""

    name: str
    why: str
    removals_every: int


def tier_view(
    tier: Tier | None, *, window: StartWindow | None, policy: Policy, pace: Pace | None, now: datetime
) -> TierView | None:
    """`pace`: that of the event's key, where it was asked for."""
    if tier is None:
        return None
    often = f"Checked {period_text(policy.rule(tier).period)}"
    every = REMOVALS_EVERY
    if pace is not None and pace.overloaded:
        every = REMOVALS_EVERY_OVERLOADED
        period = pace.period(tier, is_final=is_final(window, now=now))
        if period > policy.rule(tier).period:
            often = f"Checked {period_text(period)}, as its key's races want more calls than it may make"
    lead = policy.rule(tier).lead
    medium_lead = policy.medium.lead
    if window is None:
        why = "the start is not known"
    elif tier is Tier.HIGH and lead is not None:
        why = f"from {whole_minutes(lead)} before the start until {whole_minutes(policy.after_start)} after it"
    elif tier is Tier.MEDIUM and lead is not None:
        why = f"it starts within {whole_minutes(lead)}"
    else:
        why = f"the start is more than {whole_minutes(medium_lead)} away" if medium_lead else "the start is far away"
    return TierView(name=tier.value, why=f"{often}: {why}", removals_every=every[tier])


def every_nth_text(number: int) -> str:
    """ "every fifth check"."""
    return EVERY_NTH.get(number, f"one check of {number}")
