"""Whose turn it is among the races of a key: HIGH's, but one cycle of a few belongs to what has waited longest.

A key that is asked for more than it can do never comes to the end of what is HIGH. The share of the longest waiting
needs no memory: it follows from the time and the key. In it the oldest due time goes first, so each race gets its turn
after every other race of its key had at most one.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from functools import lru_cache

from sync.core.policy import Policy, Tier

# One cycle of so many.
ONE_OF = 8
URGENCY = {tier: rank for rank, tier in enumerate(Tier, start=1)}


def has_turn(key_id: int, *, due_at: datetime, now: datetime, policy: Policy) -> bool:
    """Whether now is the turn of what has waited longest in this key, and an event due at `due_at` has.

    It has when it is late by LOW's whole period. Earlier, a busy hour in which LOW can wait would cost HIGH its minute.
    """
    late_enough = now - due_at >= policy.low.period
    return late_enough and _is_for_longest_waiting(key_id, now=now, cycle=policy.cycle)


def _is_for_longest_waiting(key_id: int, *, now: datetime, cycle: timedelta) -> bool:
    """One cycle of each `ONE_OF`. Which one of them changes: calls that come free at even intervals would otherwise
    never meet it."""
    group, place = divmod(int(now.timestamp() // cycle.total_seconds()), ONE_OF)
    return _place_of_turn(key_id, group, ONE_OF) == place


@lru_cache(maxsize=4096)
def _place_of_turn(key_id: int, group: int, one_of: int) -> int:
    digest = hashlib.blake2b(f"{key_id}:{group}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) % one_of


def place_in_line(key_id: int, tier: Tier, *, due_at: datetime, now: datetime, policy: Policy) -> tuple[int, datetime]:
    """What sorts the events of a key, the first to be visited first."""
    return (0 if has_turn(key_id, due_at=due_at, now=now, policy=policy) else URGENCY[tier]), due_at
