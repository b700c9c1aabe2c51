"""The forecast of each key, from the schedule as it is now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from partners.gate import loaded_budget_states
from partners.models import Credential, TimingPartner
from sync.core.forecast import EventStart, KeyForecast, busiest_sentence, forecast, overload_sentence
from sync.core.policy import DEFAULT_POLICY, Policy
from sync.core.tiers import zone_of
from sync.models import EventSync
from sync.services.cycles import blocked_reason
from sync.services.event_schedule import believed_window

DAYS = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyOutlook:
    """One key's forecast in its partner's zone. `blocked`: why the key makes no call now, "" when it may; `rate`: calls
    an hour that RunSignUp leaves it now, below the limit for an hour or two after it was throttled."""

    credential: Credential
    zone: ZoneInfo
    events: int
    rate: int
    blocked: str
    forecast: KeyForecast
    busiest: str
    sentences: tuple[str, ...]


def outlooks(
    *, now: datetime, partner: TimingPartner | None = None, days: int = DAYS, policy: Policy = DEFAULT_POLICY
) -> tuple[KeyOutlook, ...]:
    """The forecasts of all keys, or of one partner's. The number of queries does not depend on theirs."""
    keys = Credential.objects.select_related("partner", "budget").defer("api_secret")
    if partner is not None:
        keys = keys.filter(partner=partner)
    return _outlooks(list(keys), now=now, days=days, policy=policy)


def outlooks_of(
    keys: Iterable[Credential], *, now: datetime, days: int = DAYS, policy: Policy = DEFAULT_POLICY
) -> dict[int, KeyOutlook]:
    """By key, each with its partner and budget. One query."""
    return {found.credential.pk: found for found in _outlooks(list(keys), now=now, days=days, policy=policy)}


def outlook_of(
    credential: Credential, *, now: datetime, days: int = DAYS, policy: Policy = DEFAULT_POLICY
) -> KeyOutlook:
    return _outlooks([credential], now=now, days=days, policy=policy)[0]


def _outlooks(keys: list[Credential], *, now: datetime, days: int, policy: Policy) -> tuple[KeyOutlook, ...]:
    budgets = loaded_budget_states(keys, now=now)
    starts = _starts(keys)
    found = []
    for key in keys:
        zone = zone_of(key.partner.timezone)
        coming = forecast(
            starts[key.pk],
            begins=now,
            ends=now + timedelta(days=days),
            limit=key.hourly_limit,
            zone=zone,
            policy=policy,
        )
        found.append(
            KeyOutlook(
                credential=key,
                zone=zone,
                events=len(starts[key.pk]),
                rate=budgets[key.pk].rate,
                blocked=blocked_reason(key),
                forecast=coming,
                busiest=busiest_sentence(coming, zone=zone, now=now),
                sentences=tuple(
                    overload_sentence(overload, coming, zone=zone, now=now, policy=policy)
                    for overload in coming.overloads
                ),
            )
        )
    return tuple(found)


def _starts(keys: Iterable[Credential]) -> dict[int, list[EventStart]]:
    """By key: what is in its schedule. What is over, switched off or gone is not."""
    starts: dict[int, list[EventStart]] = {key.pk: [] for key in keys}
    rows = EventSync.objects.filter(credential_id__in=list(starts), due_at__isnull=False).values_list(
        "credential_id", "event__race_id", "event__starts_at", "event__start_is_placeholder", "event__race__timezone"
    )
    for credential_id, race_id, starts_at, is_placeholder, timezone in rows.iterator(chunk_size=5000):
        window = believed_window(starts_at, is_placeholder, timezone)
        starts[credential_id].append(EventStart(race_id=race_id, window=window))
    return starts
