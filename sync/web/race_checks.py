"""The part of the race page that looks ahead: is the race ready, and which of its events raise doubts.

Not in the live part: it looks at every participant, and what it finds changes by the hour, not by the second.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from races.models import Race
from sync.core.readiness import State
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
    doubts: tuple[EventDoubts, ...]
    doubts_left: int


def race_checks(*, race: Race, now: datetime) -> RaceChecks:
    policy = policy_now()
    events = list(with_state(current_events([race.pk], now=now)))
    found = events_findings(events=events, now=now, policy=policy)
    ready = race_readiness(race=race, events=events, now=now, policy=policy)
    doubts = tuple(
        EventDoubts(
            pk=event.pk,
            name=event.name,
            count=len(mine),
            kind=KIND_OF_STATE[max((STATE_OF_SEVERITY[each.severity] for each in mine), key=list(State).index)],
            first=mine[0].text,
        )
        for event in events
        if (mine := found[event.pk])
    )
    return RaceChecks(
        race_pk=race.pk,
        readiness=readiness_view(ready.readiness) if ready else None,
        is_prominent=ready is not None and ready.is_prominent,
        doubts=doubts[:EVENTS_NAMED],
        doubts_left=max(0, len(doubts) - EVENTS_NAMED),
    )
