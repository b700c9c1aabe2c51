"""How fast a key's events are synced now: from the tiers of its races and the calls that it may make."""

from __future__ import annotations

from datetime import datetime

from sync.core.pace import FINAL_AFTER, FINAL_BEFORE, Demand, Pace, pace_of
from sync.core.policy import Policy, Tier
from sync.models import EventSync


def key_demand(credential_id: int, *, now: datetime) -> Demand:
    """The key's races, each in the most urgent tier of its events. Reads one key's schedule from an index."""
    scheduled = EventSync.objects.filter(credential_id=credential_id, tier__isnull=False, due_at__isnull=False)
    urgency = {tier.value: rank for rank, tier in enumerate(Tier)}
    tiers: dict[int, str] = {}
    final: set[int] = set()
    rows = scheduled.values_list("event__race_id", "tier", "event__starts_at")
    for race_id, tier, starts_at in rows:
        if tier is None:
            continue
        tiers[race_id] = min(tier, tiers.get(race_id, tier), key=urgency.__getitem__)
        if starts_at is not None and starts_at - FINAL_BEFORE <= now <= starts_at + FINAL_AFTER:
            final.add(race_id)
    count = list(tiers.values()).count
    return Demand(
        high=count(Tier.HIGH),
        medium=count(Tier.MEDIUM),
        low=count(Tier.LOW),
        final=sum(1 for race_id in final if tiers[race_id] == Tier.HIGH),
    )


def key_pace(credential_id: int, *, rate: int, now: datetime, policy: Policy) -> Pace:
    """`rate`: the calls an hour that the key may make now."""
    return pace_of(key_demand(credential_id, now=now), rate=rate, policy=policy)
