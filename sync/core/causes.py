"""What an event that is due waits for: the first thing that a person would look at. Pure.

The pages' short reason and the explanation's sentences both follow this one order.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum, auto

# A lane that was called begins within this time, or no worker is there to run it.
LANE_BEGINS_WITHIN = timedelta(seconds=90)


class Cause(Enum):
    RUNNING = auto()
    SCHEDULER_SILENT = auto()
    KEY_PAUSED = auto()
    LANE_BUSY = auto()
    LANE_BEGINS = auto()
    NO_LANE = auto()
    PLANNER = auto()

    @property
    def comes_before_failures(self) -> bool:
        """Whether this is why no further try follows, so that what the last one said does not matter now."""
        return self in {Cause.SCHEDULER_SILENT, Cause.KEY_PAUSED}


def cause_of(
    *,
    is_running: bool,
    is_silent: bool,
    paused_until: datetime | None,
    picked_at: datetime | None,
    lane_until: datetime | None,
    now: datetime,
) -> Cause:
    """`picked_at`: when a cycle handed it to its key's lane; `lane_until`: end of that lane's lease. PLANNER: nothing
    but the planner's decision."""
    if is_running:
        return Cause.RUNNING
    if is_silent:
        return Cause.SCHEDULER_SILENT
    if paused_until is not None and paused_until > now:
        return Cause.KEY_PAUSED
    if picked_at is None:
        return Cause.PLANNER
    if lane_until is not None and lane_until > now:
        return Cause.LANE_BUSY
    return Cause.LANE_BEGINS if now - picked_at <= LANE_BEGINS_WITHIN else Cause.NO_LANE
