"""The parts of the race page that look ahead: is the race ready, and which of its events raise doubts.

Not in the live part: they look at every participant, and what they find changes by the hour, not by the second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from races.models import Event, Race
from sync.core.findings import Finding
from sync.core.policy import Policy
from sync.services.findings import events_findings
from sync.services.policies import policy_now
from sync.services.readiness import race_readiness
from sync.web.doubts import KIND_OF_STATE, STATE_OF_SEVERITY, ReadinessView, readiness_view
from sync.web.event_status import with_state
from sync.web.race_status import current_events
from sync.web.words import Kind

EVENTS_NAMED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class EventDoubts:
    """`first`: the most serious one."""

    pk: int
    name: str
    count: int
    kind: Kind
    first: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RaceChecks:
    """`readiness` None: it starts later than in a week, or is over. `is_prominent`: its last day has begun."""

    race_pk: int
    readiness: ReadinessView | None
    is_prominent: bool
    doubts: tuple[EventDoubts, ...] = ()
    doubts_left: int = 0


def race_checks(*, race: Race, now: datetime) -> RaceChecks:
    """What the whole page shows."""
    policy = policy_now()
    events = list(with_state(current_events([race.pk], now=now)))
    found = events_findings(events=events, now=now, policy=policy)
    doubts = tuple(_doubts(event, found[event.pk]) for event in events if found[event.pk])
    ready = _readiness(race, events, now=now, policy=policy)
    return replace(ready, doubts=doubts[:EVENTS_NAMED], doubts_left=max(0, len(doubts) - EVENTS_NAMED))


def readiness_checks(*, race: Race, now: datetime) -> RaceChecks:
    """What the page asks for again every minute: the doubts are left out."""
    events = list(with_state(current_events([race.pk], now=now)))
    return _readiness(race, events, now=now, policy=policy_now())


def _readiness(race: Race, events: Sequence[Event], *, now: datetime, policy: Policy) -> RaceChecks:
    ready = race_readiness(race=race, events=events, now=now, policy=policy)
    return RaceChecks(
        race_pk=race.pk,
        readiness=readiness_view(ready.readiness) if ready else None,
        is_prominent=ready is not None and ready.is_prominent,
    )


def _doubts(event: Event, found: Sequence[Finding]) -> EventDoubts:
    """The findings come with the problems first."""
    kind = KIND_OF_STATE[STATE_OF_SEVERITY[found[0].severity]]
    return EventDoubts(pk=event.pk, name=event.name, count=len(found), kind=kind, first=found[0].text)
