"""What the queue runs. Each task reads the clock, calls one service and returns nothing."""

from __future__ import annotations

from datetime import datetime

from partners.gate import database_now
from sync.services import cycles, lanes


def cycle(intended: str | None = None) -> None:
    """One cycle for the slot `intended` (ISO text, set by the schedule)."""
    cycles.cycle_run(now=database_now(), slot=datetime.fromisoformat(intended) if intended else None)


def lane(credential_id: int) -> None:
    """The lane of one credential; does nothing when another one is at it."""
    lanes.lane_run(credential_id=credential_id)
