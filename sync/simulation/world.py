"""What is simulated: keys, events with their starts, and from when to when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sync.core.pace import Demand
from sync.core.policy import Tier
from sync.core.tiers import StartWindow


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A partner's API key: `limit` calls an hour."""

    key_id: int
    partner_id: int
    name: str
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedEvent:
    """An event as the schedule knows it when the simulation begins; `race_id` places its slots.

    `due_at`: None for its race's first slot after the beginning. `reconciled_at`: its last full comparison.
    """

    event_id: int
    race_id: int
    key_id: int
    window: StartWindow | None
    due_at: datetime | None = None
    visits: int = 0
    reconciled_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """`counted_event`: the one event that the HIGH figures are about; None: all. Times aware UTC."""

    name: str
    keys: tuple[Key, ...]
    events: tuple[PlannedEvent, ...]
    begins: datetime
    ends: datetime
    counted_event: int | None = None


def demand_of(rows: Iterable[tuple[int, Tier, bool]]) -> Demand:
    """A key's races, each in the most urgent tier of its events. Rows: race id, tier, whether its start is near."""
    urgency = {tier: rank for rank, tier in enumerate(Tier)}
    tiers: dict[int, Tier] = {}
    final: set[int] = set()
    for race_id, tier, is_near in rows:
        tiers[race_id] = min(tier, tiers.get(race_id, tier), key=urgency.__getitem__)
        if is_near:
            final.add(race_id)
    count = list(tiers.values()).count
    return Demand(
        high=count(Tier.HIGH),
        medium=count(Tier.MEDIUM),
        low=count(Tier.LOW),
        final=sum(1 for race_id in final if tiers[race_id] is Tier.HIGH),
    )
