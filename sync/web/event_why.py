"""Why the event is or is not synced now, on its page: the sentences of `manage.py explain`, in the race's time.

A part of its own: its seconds pass with every look, and the live part, which is looked at most often, must stay the
same bytes while nothing happens. It is looked at again more seldom, and for the first time when the page is there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from races.models import Event
from sync.core.explanation import Line, explanation
from sync.core.policy import Policy
from sync.core.tiers import zone_of
from sync.core.time_words import Clock
from sync.services.explain import event_facts
from sync.web.times import Moment, moment

ANSWER_LINES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class EventWhy:
    """`answer`: why, and what would have to change; `lines`: everything else that is known."""

    as_of: Moment | None
    answer: tuple[Line, ...]
    lines: tuple[Line, ...]


def event_why(*, event: Event, now: datetime, policy: Policy) -> EventWhy:
    """`event` from `with_state`. The number of queries is bounded."""
    zone = zone_of(event.race.timezone)
    facts = event_facts(event=event, now=now, policy=policy)
    said = explanation(facts, clock=Clock(zone=zone, now=now), policy=policy)
    return EventWhy(as_of=moment(now, zone=zone, now=now), answer=said[:ANSWER_LINES], lines=said[ANSWER_LINES:])
