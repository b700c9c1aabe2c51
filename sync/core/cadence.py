"""Which extra calls a visit makes: the look for withdrawals, the look for new ids, and the full comparison."""

from __future__ import annotations

from datetime import datetime, timedelta

from sync.core.policy import Policy, Tier
from sync.core.tiers import StartWindow, tier_begins

# Every n-th good visit asks who left: a second call at every HIGH visit would cost half of the key's budget.
REMOVALS_EVERY: dict[Tier, int] = {Tier.HIGH: 5, Tier.MEDIUM: 3, Tier.LOW: 1}
# While a key's races want more calls than it may make, the lists themselves come first.
REMOVALS_EVERY_OVERLOADED: dict[Tier, int] = {**REMOVALS_EVERY, Tier.HIGH: 10}
# A registration whose last_modified lies before the cursor is not among what changed: every n-th good visit asks for
# whoever is new by id, too. About once an hour (LOW: every six); there is no call that asks for both at once.
IDS_EVERY: dict[Tier, int] = {Tier.HIGH: 60, Tier.MEDIUM: 12, Tier.LOW: 6}
RECONCILE_EVERY = timedelta(days=1)


def removals_due(*, tier: Tier, visits: int, overloaded: bool = False, race_id: int = 0) -> bool:
    """`visits`: the good visits before this one.

    Races take turns: those that became known together would otherwise all ask at once, and the round in which they do
    would cost their key twice the calls.
    """
    every = REMOVALS_EVERY_OVERLOADED if overloaded else REMOVALS_EVERY
    return (visits + race_id) % every[tier] == 0


def ids_due(*, tier: Tier, visits: int, overloaded: bool, race_id: int) -> bool:
    """Arguments as of `removals_due`, and never in the same visit but in LOW. A key with too few calls for its lists
    leaves it to the full comparison."""
    return not overloaded and (visits + race_id) % IDS_EVERY[tier] == 1


def reconcile_due(*, window: StartWindow | None, reconciled_at: datetime | None, now: datetime, policy: Policy) -> bool:
    """A full comparison: when the event is first seen, once a day, and when it has entered MEDIUM or HIGH."""
    if reconciled_at is None or now - reconciled_at >= RECONCILE_EVERY:
        return True
    if window is None:
        return False
    entries = [tier_begins(window, tier, policy=policy) for tier in (Tier.HIGH, Tier.MEDIUM)]
    return any(reconciled_at < entry <= now for entry in entries)
