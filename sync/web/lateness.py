"""Why an event that should have been checked was not, in a few words. Pure; the event page explains it at length."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo

from sync.core.causes import Cause, cause_of
from sync.core.planning import Candidate, KeyState, Verdict, plan
from sync.core.policy import Policy
from sync.web.times import local_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A due event, or one whose tries fail, and its key. `error`: what the last failed try said; `lane_until`: end of a
    living lane's lease."""

    candidate: Candidate
    key: KeyState
    failures: int
    error: str
    is_running: bool
    is_silent: bool
    picked_at: datetime | None
    lane_until: datetime | None


def late_cause(event: Waiting, *, policy: Policy, zone: tzinfo, now: datetime) -> str:
    """The first reason of the explanation, without what only a person at the machine needs."""
    cause = cause_of(
        is_running=event.is_running,
        is_silent=event.is_silent,
        paused_until=event.key.paused_until,
        picked_at=event.picked_at,
        lane_until=event.lane_until,
        now=now,
    )
    if event.failures and not cause.comes_before_failures:
        return event.error or "RunSignUp could not be asked"
    handed = f"handed to its key's lane at {local_text(event.picked_at, zone=zone, now=now)}" if event.picked_at else ""
    match cause:
        case Cause.RUNNING:
            return "a check is running now"
        case Cause.SCHEDULER_SILENT:
            return "the scheduler is silent"
        case Cause.KEY_PAUSED:
            return paused_text(event.key.paused_until or now, zone=zone, now=now)
        case Cause.LANE_BUSY:
            return f"{handed}, which is busy with other races"
        case Cause.LANE_BEGINS:
            return f"{handed}, which is about to begin"
        case Cause.NO_LANE:
            return f"{handed}, and no lane works"
        case Cause.PLANNER:
            return _planned(event, policy=policy, now=now)


def _planned(event: Waiting, *, policy: Policy, now: datetime) -> str:
    """What the planner says of it alone: the other events of its cycle would cost a list of races a plan of its own."""
    keys = {event.candidate.credential_id: event.key}
    (decision,) = plan([event.candidate], keys, now=now, policy=policy)
    return decision.reason if decision.verdict is Verdict.DEFER else "it waits for its turn in the schedule"


def paused_text(until: datetime, *, zone: tzinfo, now: datetime) -> str:
    return f"RunSignUp asked the key to slow down, it is paused until {local_text(until, zone=zone, now=now)}"
