"""Why an event that should have been checked was not. Pure."""

from __future__ import annotations

from datetime import datetime, tzinfo

from partners.budget import reserve
from partners.gate import BudgetState
from sync.core.policy import Tier
from sync.web.times import local_text


def late_cause(
    *,
    failures: int,
    error: str,
    scheduler_silent: bool,
    budget: BudgetState | None,
    tier: Tier | None,
    picked_at: datetime | None,
    zone: tzinfo,
    now: datetime,
) -> str:
    """The most likely reason in words; what a person would look at first comes first."""
    if failures:
        tries = "1 try failed" if failures == 1 else f"{failures} tries in a row failed"
        return f"{tries}: {error.rstrip('.')}" if error else tries
    if scheduler_silent:
        return "the scheduler is silent"
    if budget is not None and budget.paused_until is not None:
        until = local_text(budget.paused_until, zone=zone, now=now)
        return f"RunSignUp asked the key to slow down, it is paused until {until}"
    if budget is not None and tier is not None and budget.free <= reserve(tier.value, rate=budget.rate):
        return f"the key has {budget.free} of its {budget.rate:,} calls an hour free, too few for {tier.value}"
    if picked_at is not None:
        return (
            f"handed to its key's lane at {local_text(picked_at, zone=zone, now=now)}, which is busy with other races"
        )
    return "it waits for its turn in the schedule"
