"""The keys of a partner as they are now: may they call, what was found, and what they called in the last day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce

from partners.gate import BudgetState, loaded_budget_states
from partners.models import Credential, TimingPartner
from races.models import Race
from sync.core.time_words import counted
from sync.services.cycles import blocked_reason
from sync.web.lateness import paused_text
from sync.web.partner_usage import KeyUsage, keys_usage
from sync.web.times import Moment, moment
from sync.web.usage_chart import UsageChart, usage_chart
from sync.web.words import ICONS, Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPanel:
    """`state`: whether the key may call; `detail`: why not, or what was found when it was verified; `paused`: until
    when RunSignUp wants no call, "" when it takes them; `elsewhere`: when another program seems to use it; `looking`:
    how far its first discovery is, "" when that is done. `calls`: of the last hour; `chart`: None when there was no
    call in the last day."""

    pk: int
    label: str
    state: str
    kind: Kind
    icon: str
    detail: str
    paused: str
    elsewhere: str
    looking: str
    verified: Moment | None
    discovered: Moment | None
    calls: int
    limit: int
    percent: int
    chart: UsageChart | None


def keys_of(partner: TimingPartner) -> list[Credential]:
    """With partner and budget, and how many races they brought, without any secret. One query."""
    brought = Race.objects.filter(credential=OuterRef("pk")).order_by().values("credential")
    races = brought.annotate(number=Count("pk")).values("number")
    keys = Credential.objects.filter(partner=partner).select_related("partner", "budget")
    keys = keys.annotate(race_count=Coalesce(Subquery(races), 0))
    return list(keys.defer("api_secret", "api_key"))


def key_panels(
    keys: Sequence[Credential], *, partner: TimingPartner, zone: tzinfo, now: datetime
) -> tuple[KeyPanel, ...]:
    """`keys` from `keys_of`. One query."""
    usage = keys_usage(partner_id=partner.pk, now=now)
    budgets = loaded_budget_states(keys, now=now)
    return tuple(_panel(key, budgets[key.pk], usage.get(key.pk, KeyUsage()), zone=zone, now=now) for key in keys)


def _panel(key: Credential, budget: BudgetState, usage: KeyUsage, *, zone: tzinfo, now: datetime) -> KeyPanel:
    state, kind = _state(key, budget)
    return KeyPanel(
        pk=key.pk,
        label=key.label,
        state=state,
        kind=kind,
        icon=ICONS[kind],
        detail=blocked_reason(key) or key.status_detail,
        paused=paused_text(budget.paused_until, zone=zone, now=now) if budget.paused_until else "",
        elsewhere=budget.used_elsewhere,
        looking=_looking(key),
        verified=moment(key.verified_at, zone=zone, now=now, seconds=False),
        discovered=moment(key.discovered_at, zone=zone, now=now, seconds=False),
        calls=usage.last_hour,
        limit=key.hourly_limit,
        percent=round(100 * usage.last_hour / key.hourly_limit),
        chart=usage_chart(usage.steps, limit=key.hourly_limit, zone=zone, now=now),
    )


def _looking(key: Any) -> str:
    if key.discovered_at is not None or blocked_reason(key):
        return ""
    return f"Its races are being looked for: {counted(key.race_count, 'race')} found so far."


def _state(key: Credential, budget: BudgetState) -> tuple[str, Kind]:
    if not key.partner.is_active:
        return "Partner off", Kind.IDLE
    if key.status == Credential.Status.REFUSED:
        return "Refused", Kind.BAD
    if key.status == Credential.Status.PAUSED:
        return "Paused", Kind.IDLE
    if budget.paused_until is not None:
        return "Throttled", Kind.WARN
    if budget.rate < key.hourly_limit:
        return f"Slowed down to {budget.rate:,} an hour", Kind.WARN
    return ("OK", Kind.GOOD) if key.status == Credential.Status.OK else ("Unverified", Kind.WARN)
