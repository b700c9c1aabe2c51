"""Which of its key's calls a visit may take: what it leaves to the more urgent, and when it need not.

A less urgent visit leaves its tier's reserve, so that HIGH never waits for a call. Two exceptions keep that from
starving it in a key that is asked for too much, where HIGH takes each call as it comes free: what has waited long, and
what ends a visit that has begun. Both take one call where HIGH takes many.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from partners.budget import Purpose
from sync.core.policy import Policy, Tier

# Most visits end with their second call, the look for those who left: it is a part of what the first one left free.
LAST_OF_MOST = 2
# A longer visit, such as a large full comparison, goes on with at least one call in this time.
LONGEST_PAUSE = timedelta(seconds=60)


def need_not_leave_after(tier: Tier, *, policy: Policy) -> timedelta:
    """From so much lateness on, the first call of a visit may be the last one that the key has."""
    return policy.rule(tier).period / 10


def first_call(tier: Tier, *, due_at: datetime, now: datetime, policy: Policy) -> Purpose:
    """As what the first call of a visit is spent."""
    return "HIGH" if now - due_at >= need_not_leave_after(tier, policy=policy) else tier.value


def later_call(tier: Tier, *, number: int, waited: timedelta) -> Purpose:
    """As what call `number` (from 2 on) of a visit is spent that has waited so long for its turn."""
    return "HIGH" if number <= LAST_OF_MOST or waited >= LONGEST_PAUSE else tier.value


def kept_from_overtaking(tier: Tier, purpose: Purpose) -> int:
    """Calls that must stay free when HIGH overtakes a visit of `tier` before a call with this purpose: none, while that
    call leaves the reserve; one, and one more that HIGH itself may make, when it is this visit's turn."""
    return 0 if purpose == tier.value else 2
