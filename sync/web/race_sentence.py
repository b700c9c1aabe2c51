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
from sync.web.words import ICONS, Kind, every_nth_text

# More late events than this are counted, not listed.
LISTED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """`word` and `text` together are the sentence; `note`: how old the look for withdrawals is, when it is older than
    the list; `details`: one line per event that needs one."""

    word: str
    kind: Kind
    text: str
    note: str = ""
    details: tuple[str, ...] = ()
    is_off: bool = False

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
    if any(event.off for event in events):
        return _switched_off(events, zone=zone, now=now)
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


def _switched_off(events: Sequence[EventStatus], *, zone: tzinfo, now: datetime) -> Sentence:
    """On purpose, so nothing is wrong. The switches are the race's, its key's and its partner's: one reason for all."""
    off = [event for event in events if event.off]
    as_of = _stop(_capital(_as_of(off, zone=zone, now=now)))
    return Sentence(word="Not synced", kind=Kind.IDLE, text=f"{_stop(off[0].status.reason)} {as_of}", is_off=True)


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
    """The reason first: it is what a reader can do something about, or can stop worrying about."""
    overdue = any(event.status.word is Word.OVERDUE for event in late)
    causes = [event.cause for event in late if event.cause]
    cause = max(causes, key=causes.count, default="")
    details = [_late_detail(event, headline=cause, zone=zone, now=now) for event in late[:LISTED]]
    if len(late) > LISTED:
        details.append(f"And {len(late) - LISTED} more, see below.")
    which = _names(late) if len(late) < len(events) else _of(late, events)
    reason = f"{_stop(_capital(cause))} " if cause else ""
    return Sentence(
        word="Overdue" if overdue else "Late",
        kind=Kind.BAD if overdue else Kind.WARN,
        text=f"{reason}{which}: {_as_of(late, zone=zone, now=now)}.",
        note=_withdrawals(late, zone=zone, now=now),
        details=tuple(details),
    )


def _late_detail(event: EventStatus, *, headline: str, zone: tzinfo, now: datetime) -> str:
    parts = []
    if event.status.reason:
        parts.append(event.status.reason)
    if event.cause and event.cause != headline:
        parts.append(event.cause)
    if event.due_at is not None and event.status.word is not Word.SYNCING:
        due = local_text(event.due_at, zone=zone, now=now)
        if event.due_at > now:
            parts.append(f"next try {due}")
        elif event.checking_now:
            parts.append("checking now")
        else:
            parts.append(f"was due {due}, {relative_text(event.due_at, now=now)}")
    return f"{event.name}: {'; '.join(parts)}."


def _closed(events: Sequence[EventStatus], *, zone: tzinfo, now: datetime) -> Sentence:
    """People may still be running: what has ended is the checking, and only the automatic one."""
    if all(event.over for event in events):
        ended = max(event.checks_ended for event in events if event.checks_ended is not None)
        after = events[0].checks_last
        as_of = _as_of(events, zone=zone, now=now)
        still_works = " “Sync now” still works." if any(event.can_sync_now for event in events) else ""
        return Sentence(
            word="Checks finished",
            kind=Kind.IDLE,
            text=f"Automatic checks ended {after} after the start, at {local_text(ended, zone=zone, now=now)}; {as_of}."
            f"{still_works}",
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
    details = [
        f"{event.name}: as of {local_text(event.checked_at, zone=zone, now=now)}, it is checked less often."
        for event in others[:LISTED]
        if event.checked_at is not None
    ]
    # What will make it late, said while the list is still fresh. A paused key is the same for all of them.
    troubles = dict.fromkeys(_stop(_capital(event.why)) for event in urgent if event.why)
    return Sentence(
        word="Up to date",
        kind=Kind.GOOD,
        text=f"as of {local_text(oldest, zone=zone, now=now)}, {following}.",
        note=_withdrawals(urgent, zone=zone, now=now),
        details=(*list(troubles)[:LISTED], *details),
    )


def _withdrawals(events: Sequence[EventStatus], *, zone: tzinfo, now: datetime) -> str:
    """How old the oldest look for withdrawals is, "" when the list itself is not newer."""
    loaded = [event for event in events if event.checked_at is not None]
    older = [event for event in loaded if not _is_current(event)]
    if not older:
        return ""
    tier = older[0].tier
    often = every_nth_text(tier.removals_every) if tier else ""
    looked_for = f", looked for at {often}" if often else ""
    looks = [event.removals_checked_at for event in older if event.removals_checked_at is not None]
    if len(looks) < len(older):
        return f"Withdrawals not asked for yet{looked_for}."
    return f"Withdrawals as of {local_text(min(looks), zone=zone, now=now)}{looked_for}."


def _is_current(event: EventStatus) -> bool:
    """Whether the last look for withdrawals belongs to the list that is shown, or to a newer one."""
    looked, listed = event.removals_checked_at, event.checked_at
    return looked is not None and listed is not None and looked >= listed


def _most_urgent(events: Sequence[EventStatus]) -> list[EventStatus]:
    for tier in Tier:
        found = [event for event in events if event.tier is not None and event.tier.name == tier.value]
        if found:
            return found
    return list(events)


def _following(events: Sequence[EventStatus], *, zone: tzinfo, now: datetime) -> str:
    first = min((event for event in events if event.due_at is not None), key=lambda event: event.due_at or now)
    due_at = first.due_at or now
    if any(event.status.word is Word.SYNCING for event in events):
        return "a check is running now"
    if first.checking_now:
        return "checking now"
    if due_at <= now:
        return f"the next check has waited since {local_text(due_at, zone=zone, now=now)}"
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
        return {1: some[0].name, 2: "Both events"}.get(len(events), f"All {len(events)} events")
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
