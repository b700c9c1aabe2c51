"""What the queue runs. Each task reads the clock, calls one service and returns nothing."""

from __future__ import annotations

from datetime import datetime

from partners.gate import database_now
from sync.services import asking, cycles, lanes
from sync.services.discovery import discoveries_start, discovery_run
from sync.services.event_days import event_days_roll_up
from sync.services.key_releases import key_release
from sync.services.policies import policy_now
from sync.services.pruning import prune_continue, prune_start


def cycle(intended: str | None = None) -> None:
    """One cycle for the slot `intended` (ISO text, set by the schedule)."""
    slot = datetime.fromisoformat(intended) if intended else None
    cycles.cycle_run(now=database_now(), slot=slot, policy=policy_now())


def lane(credential_id: int) -> None:
    """The lane of one credential; does nothing when another one is at it."""
    lanes.lane_run(credential_id=credential_id, policy=policy_now())


def lanes_call(credential_ids: list[int]) -> None:
    """Call the lanes of several keys, whose events somebody asked for at once."""
    asking.lanes_call(credential_ids)


def discoveries() -> None:
    """Queue the discoveries that are due: a schedule of every minute."""
    discoveries_start(now=database_now())


def event_days() -> None:
    """Roll up what the last hours of events came to: a schedule of every five minutes."""
    event_days_roll_up(now=database_now(), policy=policy_now())


def discovery(credential_id: int, asked_at: str | None = None) -> None:
    """Find the races of one key; does nothing when one that began after `asked_at` (ISO text) has done it."""
    discovery_run(
        credential_id=credential_id,
        now=database_now(),
        policy=policy_now(),
        asked_at=datetime.fromisoformat(asked_at) if asked_at else None,
    )


def key_released(credential_id: int) -> None:
    """A refused key works again: its events are due at once."""
    key_release(credential_id=credential_id, now=database_now())


def prune() -> None:
    """Queue the nightly look for events that are long over."""
    prune_start()


def prune_events() -> None:
    """Blank contact data of such events for some minutes; what is left goes on in a task of its own."""
    prune_continue(now=database_now())
