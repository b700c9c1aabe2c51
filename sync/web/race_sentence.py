"""The one sentence at the top of a race: is the list current, and if not, what is late and why. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from sync.core.policy import Tier
from sync.core.status import Word
from sync.web.event_status import EventStatus
from sync.web.scheduler import Beat
from sync.web.times import by_minute_text, local_text, relative_text
from sync.web.words import ICONS, Kind

# More late events than this are counted, not listed.
LISTED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """`word` and `text` together are the sentence; `details` one line per event that needs one."""

    word: str
    kind: Kind
    text: str
    details: tuple[str, ...] = ()

    @property
    def icon(self) -> str:
        return ICONS[self.kind]

    @property
    def lead(self) -> str:
        """The word as the beginning of the sentence: "Up to date" as of …, "Late": …"""
        return self.word if self.kind is Kind.GOOD else f"{self.word}:"


def race_sentence(events: Sequence[EventStatus], *, beat: Beat, zone: tzinfo, now: datetime) -> Sentence:
    """The worst thing that holds, then how current the list is.

    Events that are over count only when all are, and so do events that RunSignUp took out of the race: nobody has to
    act on those for the race's list to be right.
    """
    events = [event for event in events if not event.gone] or events
    if not events:
        text = "No event of this race is known yet. Discovery looks for events; they appear here by themselves."
        return Sentence(word="No events", kind=Kind.IDLE, text=text)
    blocked = [event for event in events if event.status.word is Word.NEEDS_ACTION]
    if blocked:
        return _needs_action(blocked, events, zone=zone, now=now)
    late = [event for event in events if event.status.is_bad]
    if late:
        return _late(late, events, zone=zone, now=now)
    scheduled = [event for event in events if event.due_at is not None]
    if not scheduled:
        return _closed(events, zone=zone, now=now)
    if beat.is_silent:
        return _silent(scheduled, beat, zone=zone, now=now)
    return _current(scheduled, zone=zone, now=now)


def _needs_action(
    blocked: Sequence[EventStatus], events: Sequence[EventStatus], *, zone: tzinfo, now: datetime
) -> Sentence:
    reasons = list(dict.fromkeys(event.status.reason for event in blocked))
    as_of = _as_of(blocked, zone=zone, now=now)
    if len(reasons) == 1:
        which = "" if len(blocked) == len(events) else f"{_names(blocked)}: "
        return Sentence(word="Needs action", kind=Kind.BAD, text=f"{which}{_stop(reasons[0])} {_stop(_capital(as_of))}")
    details = tuple(f"{event.name}: {_stop(event.status.reason)}" for event in blocked[:LISTED])
    return Sentence(
        word="Needs action",
        kind=Kind.BAD,
        text=f"{_of(blocked, events)}. {_stop(_capital(as_of))}",
        details=details,
    )


def _late(late: Sequence[EventStatus], events: Sequence[EventStatus], *, zone: tzinfo, now: datetime) -> Sentence:
    overdue = any(event.status.word is Word.OVERDUE for event in late)
    details = [_late_detail(event, zone=zone, now=now) for event in late[:LISTED]]
    if len(late) > LISTED:
        details.append(f"And {len(late) - LISTED} more, see below.")
    which = _names(late) if len(late) < len(events) else _of(late, events)
    return Sentence(
        word="Overdue" if overdue else "Late",
        kind=Kind.BAD if overdue else Kind.WARN,
        text=f"{which}; {_as_of(late, zone=zone, now=now)}.",
        details=tuple(details),
    )


def _late_detail(event: EventStatus, *, zone: tzinfo, now: datetime) -> str:
    parts = []
    if event.due_at is not None:
        due = local_text(event.due_at, zone=zone, now=now)
        if event.due_at <= now:
            parts.append(f"was due {due}, {relative_text(event.due_at, now=now)}")
        else:
            parts.append(f"next try {due}")
    if event.cause:
        parts.append(event.cause)
    return f"{event.name}: {'; '.join(parts)}."


def _closed(events: Sequence[EventStatus], *, zone: tzinfo, now: datetime) -> Sentence:
    if all(event.over for event in events):
        return Sentence(
            word="Finished",
            kind=Kind.IDLE,
            text=f"The race is over. {_stop(_capital(_as_of(events, zone=zone, now=now)))}",
        )
    reason = next((event.status.reason for event in events if event.status.reason), "")
    return Sentence(word="Not scheduled", kind=Kind.IDLE, text=reason or "None of its events is in the schedule.")


def _silent(events: Sequence[EventStatus], beat: Beat, *, zone: tzinfo, now: datetime) -> Sentence:
    since = f"since {local_text(beat.at, zone=zone, now=now)}" if beat.at else "from the beginning"
    as_of = _stop(_capital(_as_of(events, zone=zone, now=now)))
    return Sentence(
        word="Not being synced",
        kind=Kind.BAD,
        text=f"{as_of} No check follows: the scheduler is silent {since}.",
    )


def _current(events: Sequence[EventStatus], *, zone: tzinfo, now: datetime) -> Sentence:
    """The most urgent events make the sentence; those of other tiers are older by design and get a line each."""
    unseen = [event for event in events if event.checked_at is None]
    urgent = unseen or _most_urgent(events)
    following = _following(urgent, zone=zone, now=now)
    if unseen:
        which = "The list is" if len(unseen) == len(events) else f"{_of(unseen, events)} {_are(unseen)}"
        return Sentence(word="Loading", kind=Kind.BUSY, text=f"{which} not loaded yet, {following}.")
    oldest = min(event.checked_at for event in urgent if event.checked_at is not None)
    others = [event for event in events if event.checked_at is not None and event.checked_at < oldest]
    details = tuple(
        f"{event.name}: as of {local_text(event.checked_at, zone=zone, now=now)}, it is checked less often."
        for event in others[:LISTED]
        if event.checked_at is not None
    )
    return Sentence(
        word="Up to date",
        kind=Kind.GOOD,
        text=f"as of {local_text(oldest, zone=zone, now=now)}, {following}.",
        details=details,
    )


def _most_urgent(events: Sequence[EventStatus]) -> list[EventStatus]:
    for tier in Tier:
        found = [event for event in events if event.tier is not None and event.tier.name == tier.value]
        if found:
            return found
    return list(events)


def _following(events: Sequence[EventStatus], *, zone: tzinfo, now: datetime) -> str:
    due_at = min(event.due_at for event in events if event.due_at is not None)
    if any(event.status.word is Word.SYNCING for event in events):
        return "a check is running now"
    if due_at <= now:
        return "the next check begins now"
    return f"next check by {by_minute_text(due_at, zone=zone, now=now)}"


def _as_of(events: Sequence[EventStatus], *, zone: tzinfo, now: datetime) -> str:
    """How old the oldest of these lists is."""
    checked = [event.checked_at for event in events]
    known = [at for at in checked if at is not None]
    if not known:
        return "the list was never loaded" if len(events) == 1 else "their lists were never loaded"
    if len(known) < len(checked):
        return "not every list was loaded yet"
    return f"the list is as of {local_text(min(known), zone=zone, now=now)}"


def _of(some: Sequence[EventStatus], events: Sequence[EventStatus]) -> str:
    if len(some) == len(events):
        return some[0].name if len(events) == 1 else f"All {len(events)} events"
    return f"{len(some)} of {len(events)} events"


def _are(events: Sequence[EventStatus]) -> str:
    return "is" if len(events) == 1 else "are"


def _names(events: Sequence[EventStatus]) -> str:
    names = [event.name for event in events[:LISTED]]
    return ", ".join(names) + (f" and {len(events) - LISTED} more" if len(events) > LISTED else "")


def _stop(text: str) -> str:
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
