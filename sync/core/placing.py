"""An event's place in the schedule: its tier, until when that holds, and when it is due. The database and the simulator
keep it in rows of their own; what it is, is decided here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sync.core.policy import Policy, Tier
from sync.core.slots import earlier_for_next_tier, entry_due
from sync.core.tiers import StartWindow, finished_after, tier_at, tier_until


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Aware UTC. `tier` and `due_at` None: not scheduled. `tier_until` None: the tier does not change any more."""

    tier: Tier | None = None
    tier_until: datetime | None = None
    due_at: datetime | None = None


NOWHERE = Place()


def place_of(
    *,
    tier: Tier | None,
    due_at: datetime | None,
    window: StartWindow | None,
    race_id: int,
    now: datetime,
    policy: Policy,
    asked_for: bool = False,
) -> Place:
    """The place at `now` of an event that had `tier` and `due_at` until now; without a due time it is due at once.

    `asked_for`: a person wants it synced, which still happens after its end.
    """
    current = tier_at(window, now=now, policy=policy)
    if current is None:
        if _owes_last_visit(tier, due_at, window, policy=policy):
            return Place(tier=tier, due_at=due_at)
        return Place(tier=Tier.LOW, due_at=due_at) if asked_for and due_at is not None else NOWHERE
    if due_at is None:
        due_at = now
    elif current is not tier:
        due_at = min(due_at, entry_due(tier=current, race_id=race_id, at=now, policy=policy))
    return Place(
        tier=current,
        tier_until=tier_until(window, now=now, policy=policy),
        due_at=earlier_for_next_tier(due_at, window=window, race_id=race_id, now=now, policy=policy),
    )


def _owes_last_visit(tier: Tier | None, due_at: datetime | None, window: StartWindow | None, *, policy: Policy) -> bool:
    """A visit that fell due while the event was HIGH is still made, though no cycle came in time for it."""
    if window is None or due_at is None:
        return False
    return tier is Tier.HIGH and due_at <= finished_after(window, policy=policy)
