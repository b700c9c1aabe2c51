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
    is_running: bool,
    scheduler_silent: bool,
    budget: BudgetState | None,
    tier: Tier | None,
    picked_at: datetime | None,
    zone: tzinfo,
    now: datetime,
) -> str:
    """The most likely reason in words; what a person would look at first comes first."""
    if failures:
        return error or "RunSignUp could not be asked"
    if scheduler_silent:
        return "the scheduler is silent"
    if budget is not None and budget.paused_until is not None:
        return paused_text(budget.paused_until, zone=zone, now=now)
    if is_running:
        return "a check is running now"
    if budget is not None and tier is not None and budget.free <= reserve(tier.value, rate=budget.rate):
        calls = "1 call" if budget.free == 1 else f"{budget.free} calls"
        return f"the key has {calls} free of its {budget.rate:,} an hour, too few for {tier.value}"
    if picked_at is not None:
        return (
            f"handed to its key's lane at {local_text(picked_at, zone=zone, now=now)}, which is busy with other races"
        )
    return "it waits for its turn in the schedule"


def paused_text(until: datetime, *, zone: tzinfo, now: datetime) -> str:
    return f"RunSignUp asked the key to slow down, it is paused until {local_text(until, zone=zone, now=now)}"
