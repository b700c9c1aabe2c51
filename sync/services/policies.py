"""The policy in force, read where a task or command begins, and what a change of it does to the schedule."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import DateTimeField, ExpressionWrapper, F, Value
from django.db.models.functions import Mod

from sync.core import policy as core
from sync.core.policy import DEFAULT_POLICY, Tier, TierRule, policy_problems
from sync.models import EventSync, Policy
from sync.services.schedules import schedules_ensure

ONLY = 1


class PolicyRefused(Exception):
    """It cannot work; `problems` are sentences that say why."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems


def policy_now() -> core.Policy:
    """The policy in force. A row that was made unusable past the admin does not stop the syncs: the default rules."""
    row = Policy.objects.filter(pk=ONLY).first()
    if row is None:
        return DEFAULT_POLICY
    policy = policy_of(row)
    return DEFAULT_POLICY if policy_problems(policy) else policy


def policy_of(row: Policy) -> core.Policy:
    """The row as the core understands it; it need not make sense."""

    def rule(lead_minutes: int | None, period_seconds: int, cap: int, default: TierRule) -> TierRule:
        return TierRule(
            lead=None if lead_minutes is None else timedelta(minutes=lead_minutes),
            period=timedelta(seconds=period_seconds),
            cap=cap,
            longest_retry=default.longest_retry,
        )

    return core.Policy(
        high=rule(row.high_lead_minutes, row.high_period_seconds, row.high_cap, DEFAULT_POLICY.high),
        medium=rule(row.medium_lead_minutes, row.medium_period_seconds, row.medium_cap, DEFAULT_POLICY.medium),
        low=rule(None, row.low_period_seconds, row.low_cap, DEFAULT_POLICY.low),
        after_start=timedelta(minutes=row.after_start_minutes),
        cycle=timedelta(seconds=row.cycle_seconds),
        reserves={
            "HIGH": 0,
            "MEDIUM": row.medium_needs_free - 1,
            "LOW": row.low_needs_free - 1,
            "background": row.background_needs_free - 1,
        },
    )


def policy_store(row: Policy, *, now: datetime) -> None:
    """Put a policy in force: the next cycle works by it. Raises PolicyRefused; then nothing is changed."""
    policy = policy_of(row)
    if problems := policy_problems(policy):
        raise PolicyRefused(problems)
    with transaction.atomic():
        before = policy_now()
        row.pk = ONLY
        row.save()
        schedules_ensure(now=now, cycle=policy.cycle)
        _retier_all(before, policy, now=now)
        _pull_due(before, policy, now=now)


def _retier_all(before: core.Policy, after: core.Policy, *, now: datetime) -> None:
    """The next cycles give each event its tier under the new leads: those that come soon at once."""
    if (before.high.lead, before.medium.lead, before.after_start) == (
        after.high.lead,
        after.medium.lead,
        after.after_start,
    ):
        return
    earlier = (after.medium.lead or timedelta(0)) - (before.medium.lead or timedelta(0))
    low = EventSync.objects.filter(tier=Tier.LOW.value, tier_until__isnull=False)
    low.update(tier_until=F("tier_until") - earlier)
    EventSync.objects.filter(tier__in=[Tier.HIGH.value, Tier.MEDIUM.value]).update(tier_until=now)


def _pull_due(before: core.Policy, after: core.Policy, *, now: datetime) -> None:
    """What waits by a longer period than the new one comes within the new one, spread evenly over it."""
    for tier in Tier:
        period = after.rule(tier).period
        if period >= before.rule(tier).period:
            continue
        spread = ExpressionWrapper(
            Value(now) + Value(timedelta(seconds=1)) * Mod(F("pk"), int(period.total_seconds())),
            output_field=DateTimeField(),
        )
        EventSync.objects.filter(tier=tier.value, picked_at=None, due_at__gt=now + period).update(due_at=spread)
