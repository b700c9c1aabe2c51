"""Whether a race is ready for its last day: one list, each line ok, to look at, or a problem. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sync.core.cadence import reconcile_due
from sync.core.findings import Repeats, Severity, StartFacts, bib_finding, start_findings
from sync.core.forecast import Interval
from sync.core.policy import Policy, Tier
from sync.core.tiers import tier_begins
from sync.core.time_words import Clock, counted, span_words

# A comparison that falls due takes its turn among the other visits of the key.
COMPARED_WITHIN = timedelta(minutes=30)
# A few people get their bib at the desk; more without one, and somebody should know.
BIBS_GIVEN = 0.98
# Race-day races that are synced more seldom than this are not what was promised.
BEARABLE = 3
# Shown from so long before the first start, and at the top from MEDIUM on.
SHOWN_BEFORE = timedelta(days=7)
NAMED = 3


class State(StrEnum):
    """What somebody who looks for a minute reads."""

    OK = "ok"
    LOOK = "look"
    PROBLEM = "problem"


_ORDER = list(State)
RACE_WORDS = {State.OK: "Ready", State.LOOK: "Look", State.PROBLEM: "Problem"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """`what_to_do` "" when there is nothing."""

    name: str
    state: State
    text: str
    what_to_do: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    checks: tuple[Check, ...]

    @property
    def state(self) -> State:
        return max((check.state for check in self.checks), key=_ORDER.index, default=State.OK)

    @property
    def word(self) -> str:
        return RACE_WORDS[self.state]

    @property
    def open_ones(self) -> tuple[Check, ...]:
        """What is not ok, the problems first."""
        bad = [check for check in self.checks if check.state is not State.OK]
        return tuple(sorted(bad, key=lambda check: check.state is not State.PROBLEM))


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFacts:
    """The race's key. `off`: what is switched off on purpose, so that nothing of the race is synced; `refused`: why the
    key may not be used; both "" when it is fine. `is_verified`: it was tested and works; `used_elsewhere`: a sentence
    when another program seems to use it."""

    name: str
    off: str
    refused: str
    is_verified: bool
    paused_until: datetime | None
    used_elsewhere: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFacts:
    """One event that is still to come. `checked_at`: its list is as of then."""

    name: str
    start: StartFacts
    checked_at: datetime | None
    reconciled_at: datetime | None
    registered: int
    bibs: int
    duplicates: Repeats


@dataclass(frozen=True, slots=True, kw_only=True)
class RaceFacts:
    """`worst`: the forecast's interval of the race's last hours that wants most; None when it reaches not so far."""

    key: KeyFacts
    worst: Interval | None
    events: tuple[EventFacts, ...]


def readiness(facts: RaceFacts, *, clock: Clock, policy: Policy) -> Readiness:
    return Readiness(
        checks=(
            _key(facts.key, clock=clock),
            _budget(facts.worst, clock=clock, policy=policy),
            _starts(facts.events, clock=clock, policy=policy),
            _compared(facts.events, clock=clock, policy=policy),
            _bibs(facts.events),
            _duplicates(facts.events),
        )
    )


def is_prominent(starts: Iterable[StartFacts], *, now: datetime, policy: Policy) -> bool:
    """Whether one of them is within its last 24 hours (MEDIUM's lead) before the start."""
    windows = [start.window for start in starts if start.window is not None]
    return any(tier_begins(window, Tier.MEDIUM, policy=policy) <= now <= window.latest for window in windows)


def _key(key: KeyFacts, *, clock: Clock) -> Check:
    name = "Key"
    if key.off:
        todo = "If it is to be synced, staff switch it on in the admin."
        return Check(name=name, state=State.LOOK, text=_stop(key.off), what_to_do=todo)
    if key.refused:
        todo = "Nothing is synced until staff store a key that works."
        return Check(name=name, state=State.PROBLEM, text=_stop(key.refused), what_to_do=todo)
    if key.used_elsewhere:
        todo = "Stop the other program over race day, or give it a key of its own."
        return Check(name=name, state=State.LOOK, text=key.used_elsewhere, what_to_do=todo)
    if key.paused_until is not None and key.paused_until > clock.now:
        text = f"RunSignUp asked {key.name} to slow down, it is paused until {clock.text(key.paused_until)}."
        return Check(name=name, state=State.LOOK, text=text, what_to_do="Look again when the pause is over.")
    if not key.is_verified:
        text = f"{_capital(key.name)} was never tested."
        return Check(name=name, state=State.LOOK, text=text, what_to_do="Test the key in the admin.")
    return Check(name=name, state=State.OK, text=f"{_capital(key.name)} works.")


def _budget(worst: Interval | None, *, clock: Clock, policy: Policy) -> Check:
    name = "Call budget"
    if worst is None:
        return Check(name=name, state=State.OK, text="The forecast does not reach its last hours.")
    wanted = f"{worst.wanted:,.0f} of {worst.pace.usable:,.0f} calls an hour wanted"
    when = f"at most, {clock.text(worst.begins)}" if worst.begins > clock.now else "at most, now"
    if not worst.pace.overloaded:
        return Check(name=name, state=State.OK, text=f"The key has room: {wanted} {when}.")
    if not worst.is_stretched(Tier.HIGH, policy=policy):
        minute = span_words(policy.high.period)
        text = f"{wanted} {when}: race-day races keep their {minute}, the others arrive later."
        return Check(name=name, state=State.OK, text=text)
    every = worst.high_period
    state = State.PROBLEM if every > BEARABLE * policy.high.period else State.LOOK
    return Check(
        name=name,
        state=state,
        text=f"{wanted} {when}: race-day races will sync about every {span_words(every)}.",
        what_to_do="Nothing is lost, it arrives later. Ask RunSignUp for a higher limit, or move races to another key.",
    )


def _starts(events: Sequence[EventFacts], *, clock: Clock, policy: Policy) -> Check:
    name = "Start"
    found = [
        (event, finding) for event in events for finding in start_findings(event.start, clock=clock, policy=policy)
    ]
    if not found:
        text = "Every event has a date, a time of day and a zone." if len(events) > 1 else "It has date, time and zone."
        return Check(name=name, state=State.OK, text=text)
    event, first = next((each for each in found if each[1].severity is Severity.PROBLEM), found[0])
    more = len({event.name for event, _ in found}) - 1
    also = f" And {counted(more, 'event')} more." if more else ""
    state = State.PROBLEM if first.severity is Severity.PROBLEM else State.LOOK
    which = f"{event.name}: " if len(events) > 1 else ""
    return Check(name=name, state=state, text=f"{which}{first.text}{also}", what_to_do=first.what_to_do)


def _compared(events: Sequence[EventFacts], *, clock: Clock, policy: Policy) -> Check:
    name = "Full comparison"
    never = [event for event in events if event.reconciled_at is None]
    if never:
        return Check(
            name=name,
            state=State.PROBLEM,
            text=f"{_names(never)}: the whole list was never compared with RunSignUp.",
            what_to_do="Sync the race now and look again in a few minutes.",
        )
    waited = clock.now - COMPARED_WITHIN
    old = [
        event
        for event in events
        if reconcile_due(window=event.start.window, reconciled_at=event.reconciled_at, now=waited, policy=policy)
    ]
    if old:
        oldest = min(event.reconciled_at for event in old if event.reconciled_at is not None)
        return Check(
            name=name,
            state=State.LOOK,
            text=f"{_names(old)}: last compared {clock.text(oldest)}; a newer one is due.",
            what_to_do="It comes with the next syncs. If it does not, see on the event's page why.",
        )
    last = min((event.reconciled_at for event in events if event.reconciled_at is not None), default=clock.now)
    return Check(name=name, state=State.OK, text=f"Compared with RunSignUp's whole list {clock.text(last)}.")


def _bibs(events: Sequence[EventFacts]) -> Check:
    name = "Bibs"
    registered, bibs = sum(event.registered for event in events), sum(event.bibs for event in events)
    if not registered:
        todo = "If that is not meant, compare with RunSignUp."
        return Check(name=name, state=State.LOOK, text="Nobody is registered.", what_to_do=todo)
    share = f"{bibs:,} of {registered:,} people have a bib ({int(100 * bibs / registered)} %)"
    if bibs >= BIBS_GIVEN * registered:
        return Check(name=name, state=State.OK, text=f"{share}.")
    fewest = sorted(events, key=lambda event: event.bibs - event.registered)
    without = [
        f"{event.name} {event.registered - event.bibs:,} without" for event in fewest if event.bibs < event.registered
    ]
    which = f": {', '.join(without[:NAMED])}" if len(events) > 1 else ""
    todo = "Assign the bibs in RunSignUp, unless they are given out at the desk."
    return Check(name=name, state=State.LOOK, text=f"{share}{which}.", what_to_do=todo)


def _duplicates(events: Sequence[EventFacts]) -> Check:
    name = "Duplicate bibs"
    found = [(event, finding) for event in events if (finding := bib_finding(event.duplicates)) is not None]
    if not found:
        return Check(name=name, state=State.OK, text="No bib is worn twice in an event.")
    texts = [f"{event.name}: {finding.text}" if len(events) > 1 else finding.text for event, finding in found[:NAMED]]
    return Check(name=name, state=State.PROBLEM, text=" ".join(texts), what_to_do=found[0][1].what_to_do)


def _names(events: Sequence[EventFacts]) -> str:
    more = len(events) - NAMED
    return ", ".join(event.name for event in events[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _stop(text: str) -> str:
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
