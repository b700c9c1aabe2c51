"""The races that wait for their keys, in the order in which the lanes take them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from django.db.models import Q

from partners.gate import loaded_budget_states
from partners.models import Credential
from sync.core.line import InLine, KeyPlace, places_in_line
from sync.core.policy import Policy, Tier
from sync.models import EventSync, SyncRun


def race_places(credentials: Iterable[Credential], *, now: datetime, policy: Policy) -> dict[int, KeyPlace]:
    """By race id, of all races that wait for one of these keys (each with its `budget`). Two queries, both on an index
    of their own: what is due of a key, and what runs at this moment."""
    budgets = loaded_budget_states(credentials, now=now)
    running = SyncRun.objects.filter(lease_until__gt=now, event__sync__credential_id__in=budgets)
    visiting: dict[int, dict[int, int]] = defaultdict(dict)
    for key_id, event_id, race_id in running.values_list("event__sync__credential_id", "event_id", "event__race_id"):
        visiting[key_id][event_id] = race_id
    places: dict[int, KeyPlace] = {}
    for key_id, events in _in_line(budgets, now=now).items():
        budget, busy = budgets[key_id], visiting[key_id]
        places |= places_in_line(
            [event for event in events if event.event_id not in busy],
            key_id=key_id,
            visiting=set(busy.values()),
            free=budget.free,
            rate=budget.rate,
            now=now,
            policy=policy,
        )
    return places


def _in_line(credential_ids: Iterable[int], *, now: datetime) -> dict[int, list[InLine]]:
    waiting: dict[int, list[InLine]] = defaultdict(list)
    due = EventSync.objects.filter(Q(due_at__lte=now) | Q(picked_at__isnull=False), credential_id__in=credential_ids)
    fields = ("credential_id", "event__race_id", "event_id", "tier", "due_at", "picked_at")
    for key_id, race_id, event_id, tier, due_at, picked_at in due.exclude(tier=None).values_list(*fields):
        waiting[key_id].append(
            InLine(
                race_id=race_id,
                event_id=event_id,
                tier=Tier(tier),
                due_at=due_at or now,
                picked=picked_at is not None,
            )
        )
    return waiting
