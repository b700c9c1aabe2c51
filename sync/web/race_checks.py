"""The parts of the race page that look ahead: is the race ready, and which of its events raise doubts.

Not in the live part: they look at every participant, and what they find changes by the hour, not by the second. What
stands below the events is loaded once the page is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from races.models import Event, Race
from sync.core.findings import Finding
from sync.core.policy import Policy
from sync.core.readiness import is_prominent
from sync.services.findings import events_findings, start_facts
from sync.services.readiness import asked_to_be_ready, race_readiness
from sync.web.doubts import KIND_OF_STATE, STATE_OF_SEVERITY, ReadinessView, readiness_view
from sync.web.event_status import EventStatus
from sync.web.race_status import events_now
from sync.web.words import Kind

EVENTS_NAMED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class EventDoubts:
    """`first`: the most serious one; `what_to_do` about it."""

    pk: int
    name: str
    count: int
    kind: Kind
    first: str
    what_to_do: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RaceDoubts:
    """The events that raise doubts, at most EVENTS_NAMED; `left` are not named."""

    race_pk: int
    events: tuple[EventDoubts, ...]
    left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChecksPlace:
    """Where the page has the readiness: nowhere when it starts later than in a week, is over or is switched off.
    `readiness`: once its last day has begun it is there with the page, and linked at its top."""

    is_shown: bool
    readiness: ReadinessView | None


def checks_place(
    events: Sequence[Event], statuses: Sequence[EventStatus], *, now: datetime, policy: Policy
) -> ChecksPlace:
    """`events`: the race's `events_now`; `statuses`: theirs."""
    asked = asked_to_be_ready(events, now=now, policy=policy)
    if not is_prominent([start_facts(event) for event in asked], now=now, policy=policy):
        return ChecksPlace(is_shown=bool(asked), readiness=None)
    counts = {status.pk: (status.counts.registered, status.counts.bibs) for status in statuses}
    ready = race_readiness(events=events, now=now, policy=policy, counts=counts)
    return ChecksPlace(is_shown=True, readiness=readiness_view(ready.readiness) if ready else None)


def race_checks(*, race: Race, now: datetime, policy: Policy) -> ReadinessView | None:
    """None when nothing is asked of the race."""
    ready = race_readiness(events=events_now(race, now=now), now=now, policy=policy)
    return readiness_view(ready.readiness) if ready else None


def race_doubts(*, race: Race, now: datetime, policy: Policy) -> RaceDoubts:
    events = events_now(race, now=now)
    found = events_findings(events=events, now=now, policy=policy)
    doubts = tuple(_doubts(event, found[event.pk]) for event in events if found[event.pk])
    return RaceDoubts(race_pk=race.pk, events=doubts[:EVENTS_NAMED], left=max(0, len(doubts) - EVENTS_NAMED))


def _doubts(event: Event, found: Sequence[Finding]) -> EventDoubts:
    """The findings come with the problems first."""
    kind = KIND_OF_STATE[STATE_OF_SEVERITY[found[0].severity]]
    first = found[0]
    return EventDoubts(
        pk=event.pk,
        name=event.name,
        count=len(found),
        kind=kind,
        first=first.text,
        what_to_do=first.what_to_do,
    )
