"""One cycle's plan: what runs now, what waits, and why. Everything that shows a reason renders these decisions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import zip_longest

from partners.budget import reserve
from sync.core.policy import Policy, Tier
from sync.core.spending import first_call
from sync.core.turns import has_turn


class Verdict(StrEnum):
    RUN = "run"
    WAIT = "wait"
    DEFER = "defer"
    BLOCKED = "blocked"
    FINISHED = "finished"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An event that may be due. `due_at` aware UTC."""

    event_id: int
    race_id: int
    credential_id: int
    partner_id: int
    tier: Tier
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyState:
    """A key as the planner sees it: `free` calls at this moment, `limit` per hour, and why it may not call at all
    (`blocked_since` where that is recorded)."""

    credential_id: int
    free: int
    limit: int
    paused_until: datetime | None = None
    name: str = ""
    blocked_reason: str = ""
    blocked_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What happens with one event and why. `facts` holds the numbers behind the reason."""

    event_id: int
    tier: Tier
    verdict: Verdict
    reason: str
    facts: Mapping[str, object] = field(default_factory=dict)


def plan(
    candidates: Iterable[Candidate], keys: Mapping[int, KeyState], *, now: datetime, policy: Policy
) -> tuple[Decision, ...]:
    """Decide about every candidate: most urgent tier first, partners interleaved, most overdue first.

    A race is one call however many of its events are due, so only its first event needs a free call. Where it is the
    turn of what has waited longest, that has its calls before HIGH comes. The order of the candidates does not matter.
    """
    candidates = list(candidates)
    decisions: list[Decision] = []
    races_of_key: dict[int, set[int]] = {key: set() for key in keys}
    by_tier: dict[Tier, list[Candidate]] = {tier: [] for tier in Tier}
    for candidate in candidates:
        by_tier[candidate.tier].append(candidate)
    for candidate in _longest_waiting(candidates, now=now, policy=policy):
        key = keys.get(candidate.credential_id)
        if key is not None and len(races_of_key[candidate.credential_id]) < key.free:
            races_of_key[candidate.credential_id].add(candidate.race_id)
    for tier in Tier:
        picked = 0
        for candidate in _interleaved(by_tier[tier]):
            decision = _decide(candidate, keys, races_of_key, picked=picked, now=now, policy=policy)
            decisions.append(decision)
            if decision.verdict is Verdict.RUN:
                picked += 1
                races_of_key[candidate.credential_id].add(candidate.race_id)
    return tuple(decisions)


def _longest_waiting(candidates: Iterable[Candidate], *, now: datetime, policy: Policy) -> list[Candidate]:
    """What has its turn because it has waited longest, most overdue first."""
    found = [each for each in candidates if has_turn(each.credential_id, due_at=each.due_at, now=now, policy=policy)]
    return sorted(found, key=_most_overdue_first)


def _interleaved(candidates: list[Candidate]) -> list[Candidate]:
    """Round by round the most overdue event of each partner, so that one large partner never fills the cap alone."""
    by_partner: dict[int, list[Candidate]] = {}
    for candidate in sorted(candidates, key=_most_overdue_first):
        by_partner.setdefault(candidate.partner_id, []).append(candidate)
    rounds = zip_longest(*by_partner.values())
    return [candidate for one_round in rounds for candidate in sorted(filter(None, one_round), key=_most_overdue_first)]


def _most_overdue_first(candidate: Candidate) -> tuple[datetime, int]:
    return candidate.due_at, candidate.event_id


def _decide(
    candidate: Candidate,
    keys: Mapping[int, KeyState],
    races_of_key: Mapping[int, set[int]],
    *,
    picked: int,
    now: datetime,
    policy: Policy,
) -> Decision:
    tier, cap = candidate.tier, policy.rule(candidate.tier).cap

    def decided(verdict: Verdict, reason: str, **facts: object) -> Decision:
        return Decision(event_id=candidate.event_id, tier=tier, verdict=verdict, reason=reason, facts=facts)

    if candidate.due_at > now:
        return decided(Verdict.WAIT, "not due yet", due_at=candidate.due_at)
    key = keys.get(candidate.credential_id)
    if key is None:
        return decided(Verdict.BLOCKED, "its key does not exist any more", key=candidate.credential_id)
    if key.blocked_reason:
        return decided(Verdict.BLOCKED, key.blocked_reason, **_blocked_facts(key))
    if key.paused_until is not None and key.paused_until > now:
        return decided(Verdict.DEFER, "RunSignUp asked the key to pause", paused_until=key.paused_until)
    if picked >= cap:
        return decided(Verdict.DEFER, f"this cycle already took {cap} {tier} events", cap=cap)
    races = races_of_key[candidate.credential_id]
    purpose = first_call(tier, due_at=candidate.due_at, now=now, policy=policy)
    kept = reserve(purpose, rate=key.limit, reserves=policy.reserves)
    if candidate.race_id not in races and key.free - len(races) <= kept:
        left = max(0, key.free - len(races))
        calls = "1 call" if left == 1 else f"{left} calls"
        reason = f"the key has {calls} free of its {key.limit:,} an hour, too few for {tier}"
        return decided(Verdict.DEFER, reason, free=left, needs=kept + 1)
    return decided(Verdict.RUN, "due", late_seconds=(now - candidate.due_at).total_seconds())


def _blocked_facts(key: KeyState) -> dict[str, object]:
    facts: dict[str, object] = {"key": key.name or key.credential_id}
    return facts if key.blocked_since is None else facts | {"since": key.blocked_since}
