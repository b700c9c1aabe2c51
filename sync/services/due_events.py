"""Which due events a cycle looks at: bounded, whatever is due. What explains a cycle asks here too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from partners.budget import reserve
from sync.core.planning import Candidate, Decision, KeyState, Verdict, plan
from sync.core.policy import Policy
from sync.core.spending import need_not_leave_after
from sync.core.tiers import Tier
from sync.models import EventSync

# The planner sees this many of the most overdue per place in a tier: enough to go round busy keys and partners.
CANDIDATES_PER_PLACE = 4
# When keys in overload fill that window: looks again without them, at most so many in all.
LOOKS_PER_TIER = 4


def due_candidates(keys: Mapping[int, KeyState], *, now: datetime, policy: Policy) -> list[Candidate]:
    """What a cycle that runs at `now` plans with, of all tiers."""
    return [candidate for tier in Tier for candidate in _candidates_of(tier, keys, now=now, policy=policy)]


def decision_about(candidate: Candidate, keys: Mapping[int, KeyState], *, now: datetime, policy: Policy) -> Decision:
    """What a cycle that runs at `now` decides about one event, whether it looks at it or not."""
    (alone,) = plan([candidate], keys, now=now, policy=policy)
    if alone.verdict is not Verdict.RUN:
        return alone
    seen = {each.event_id: each for each in due_candidates(keys, now=now, policy=policy)}
    decisions = plan((seen | {candidate.event_id: candidate}).values(), keys, now=now, policy=policy)
    decision = next(each for each in decisions if each.event_id == candidate.event_id)
    if decision.verdict is not Verdict.RUN or candidate.event_id in seen:
        return decision
    tier = candidate.tier
    window = _window(tier, policy=policy)
    reason = f"a cycle looks at the {window} most overdue {tier} events, and it is not one of them yet"
    return replace(decision, verdict=Verdict.DEFER, reason=reason, facts={"looked_at": window})


def _window(tier: Tier, *, policy: Policy) -> int:
    return policy.rule(tier).cap * CANDIDATES_PER_PLACE


def _candidates_of(tier: Tier, keys: Mapping[int, KeyState], *, now: datetime, policy: Policy) -> list[Candidate]:
    """The most overdue events of a tier whose key can be used for it, and those that need not leave a reserve any more
    where the key has calls, but too few for the others."""
    kept = {pk: reserve(tier.value, rate=key.limit, reserves=policy.reserves) for pk, key in keys.items()}
    free = {pk: key.free for pk, key in keys.items() if not key.blocked_reason and key.free > 0}
    found = _looked_at(tier, {pk: calls - kept[pk] for pk, calls in free.items()}, due_by=now, policy=policy)
    scarce = {pk: calls for pk, calls in free.items() if calls <= kept[pk]}
    long_ago = now - need_not_leave_after(tier, policy=policy)
    return [*found, *_looked_at(tier, scarce, due_by=long_ago, policy=policy)]


def _looked_at(tier: Tier, room: Mapping[int, int], *, due_by: datetime, policy: Policy) -> list[Candidate]:
    """One bounded query on one index. `room`: the calls that each key has for this tier.

    A few more when a key in overload fills the window: what it has no calls for must not hide the events of the others.
    """
    usable = {pk for pk, calls in room.items() if calls > 0}
    window = _window(tier, policy=policy)
    found: dict[int, Candidate] = {}
    for _ in range(LOOKS_PER_TIER if usable else 0):
        rows = _most_overdue(tier, usable, due_by=due_by, window=window)
        found |= {candidate.event_id: candidate for candidate in rows}
        races: dict[int, set[int]] = {}
        for candidate in found.values():
            races.setdefault(candidate.credential_id, set()).add(candidate.race_id)
        full = {pk for pk in usable if len(races.get(pk, ())) >= room[pk]}
        usable -= full
        if len(rows) < window or not full or not usable:
            break
    return list(found.values())


def _most_overdue(tier: Tier, usable: set[int], *, due_by: datetime, window: int) -> list[Candidate]:
    rows = (
        EventSync.objects.filter(tier=tier.value, due_at__lte=due_by, picked_at=None, credential_id__in=usable)
        .order_by("due_at", "pk")
        .values_list("event_id", "event__race_id", "credential_id", "credential__partner_id", "due_at")
    )
    return [
        Candidate(
            event_id=event_id,
            race_id=race_id,
            credential_id=credential_id,
            partner_id=partner_id,
            tier=tier,
            due_at=due_at,
        )
        for event_id, race_id, credential_id, partner_id, due_at in rows[:window]
        if due_at is not None
    ]
