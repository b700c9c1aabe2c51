"""What is known of one event, as the explanation needs it: read by the service, put into words by the core."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sync.core.pace import Demand, Pace
from sync.core.planning import Decision
from sync.core.policy import Tier
from sync.core.reconcile_words import Comparison
from sync.core.tiers import StartWindow


class Obstacle(StrEnum):
    """What keeps an event from being synced until somebody does something. The value is what that is."""

    EVENT_GONE = "nothing here: RunSignUp says that it does not exist. Discovery opens it again if it comes back"
    RACE_OFF = "switch the race on in the admin"
    PARTNER_OFF = "switch the partner on in the admin"
    KEY_REFUSED = "the key is refused: store a new secret in the admin"
    KEY_PAUSED = "resume the key in the admin: staff paused it"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleFacts:
    """An event's row in the schedule. Times aware UTC."""

    tier: Tier | None
    due_at: datetime | None
    is_asked: bool
    picked_at: datetime | None
    checked_at: datetime | None
    removals_checked_at: datetime | None
    changed_at: datetime | None
    failures: int
    hold_reason: str
    comparison: Comparison | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFacts:
    """The event's key: `rate` calls an hour it may make now, `free` at once; `lane_until`: end of a living lane's
    lease; `calls`, `throttled`: in the last hour; `used_elsewhere`: sentences when another program seems to use it."""

    name: str
    limit: int
    rate: int
    free: int
    calls: int
    throttled: int
    paused_until: datetime | None
    used_elsewhere: str
    lane_until: datetime | None
    demand: Demand
    pace: Pace


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    started_at: datetime
    finished_at: datetime | None
    due_at: datetime | None
    trigger: str
    outcome: str
    is_full: bool
    came_along: bool
    calls: int
    added: int
    changed: int
    removed: int
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFacts:
    """All that is known of one event. `obstacle_reason`: the obstacle in the schedule's words; `decision`: the
    planner's, None when there is nothing to decide; `runs` newest first, one more than is shown."""

    provider_event_id: int
    window: StartWindow | None
    is_placeholder: bool
    zone_note: str
    schedule: ScheduleFacts | None
    obstacle: Obstacle | None
    obstacle_reason: str
    key: KeyFacts
    decision: Decision | None
    beat_at: datetime | None
    is_running: bool
    runs: tuple[RunFacts, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleFacts:
    """A cycle and what of one tier it had to do."""

    started_at: datetime
    due: int
    picked: int
    deferred: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PastFacts:
    """What is recorded around `at`. `before` newest first, `after` oldest first, a few each; `last_good`, `next_good`:
    the ends of the gap that contains `at`; `bad_runs`: what ended badly in it, newest first, of `bad_count`;
    `cycles`: those that began in it; `calls`, `throttled`: of the key in the hour before `at`; `refused_at`: when the
    key was last refused; `kept_since`: the first run of the event that is still kept."""

    at: datetime
    before: tuple[RunFacts, ...]
    after: tuple[RunFacts, ...]
    last_good: RunFacts | None
    next_good: RunFacts | None
    bad_runs: tuple[RunFacts, ...]
    bad_count: int
    cycles: int
    cycle_before: CycleFacts | None
    cycle_after: CycleFacts | None
    calls: int
    throttled: int
    refused_at: datetime | None
    kept_since: datetime | None
