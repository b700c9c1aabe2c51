"""How fast the events of keys are synced now: from the tiers of their races and the calls that they may make."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from django.db.models import Case, Count, IntegerField, Min, Q, Value, When

from sync.core.pace import FINAL_AFTER, FINAL_BEFORE, Demand, Pace, pace_of
from sync.core.policy import Policy, Tier
from sync.models import EventSync

URGENCY = {tier: rank for rank, tier in enumerate(Tier)}


def key_demands(credential_ids: Iterable[int], *, now: datetime) -> dict[int, Demand]:
    """The races of each key, each in the most urgent tier of its events. One query, on the index of a key's events."""
    wanted = list(credential_ids)
    scheduled = EventSync.objects.filter(credential_id__in=wanted, tier__isnull=False, due_at__isnull=False)
    whens = [When(tier=tier.value, then=Value(rank)) for tier, rank in URGENCY.items()]
    is_final = Q(event__starts_at__gte=now - FINAL_AFTER, event__starts_at__lte=now + FINAL_BEFORE)
    races = (
        scheduled.order_by()
        .values_list("credential_id", "event__race_id")
        .annotate(urgency=Min(Case(*whens, output_field=IntegerField())), final=Count("pk", filter=is_final))
    )
    found: dict[int, Counter[int]] = {pk: Counter() for pk in wanted}
    final: Counter[int] = Counter()
    for credential_id, _race, urgency, finals in races:
        found[credential_id][urgency] += 1
        final[credential_id] += urgency == URGENCY[Tier.HIGH] and finals > 0
    return {
        pk: Demand(
            high=counts[URGENCY[Tier.HIGH]],
            medium=counts[URGENCY[Tier.MEDIUM]],
            low=counts[URGENCY[Tier.LOW]],
            final=final[pk],
        )
        for pk, counts in found.items()
    }


def key_paces(rates: Mapping[int, int], *, now: datetime, policy: Policy) -> dict[int, Pace]:
    """`rates`: by credential the calls an hour that its key may make now."""
    demands = key_demands(rates, now=now)
    return {pk: pace_of(demands[pk], rate=rate, policy=policy) for pk, rate in rates.items()}


def key_demand(credential_id: int, *, now: datetime) -> Demand:
    return key_demands([credential_id], now=now)[credential_id]


def key_pace(credential_id: int, *, rate: int, now: datetime, policy: Policy) -> Pace:
    return key_paces({credential_id: rate}, now=now, policy=policy)[credential_id]
