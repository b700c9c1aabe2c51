"""Which events are late now, per tier: how many, and the oldest with the reason that its page gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.db.models.expressions import RawSQL

from partners.gate import BudgetState, loaded_budget_states
from sync.core.pace import Pace, is_final
from sync.core.planning import Candidate, KeyState
from sync.core.policy import Policy, Tier
from sync.core.status import EventState, Word, status_of
from sync.core.time_words import whole_minutes
from sync.models import EventSync, SyncRun
from sync.services.event_schedule import window_of
from sync.services.key_pace import key_paces
from sync.services.leases import lease_holds
from sync.web.lateness import Waiting, late_cause
from sync.web.runs import short_error
from sync.web.scheduler import Beat
from sync.web.words import KIND_OF_WORD, Kind

# Of each tier so many are looked at: after an outage everything is late, and this is asked for every five seconds.
LOOKED_AT = 50

# Three looks, because each has an index of its own: what waits for a cycle, what waits for its lane, and what fails,
# whose due time may lie ahead while its list is old. LOW is the whole schedule, so its failing events are not looked
# for: they count once they are late by their due time.
_BEHIND = """
SELECT found.event_id FROM unnest(%s::text[], %s::timestamptz[]) AS asked (tier, due_by)
CROSS JOIN LATERAL (
    (SELECT event_id FROM sync_eventsync WHERE tier = asked.tier AND picked_at IS NULL AND due_at <= asked.due_by
        AND credential_id IN (SELECT id FROM usable) ORDER BY due_at LIMIT %s)
    UNION
    (SELECT event_id FROM sync_eventsync WHERE tier = asked.tier AND picked_at IS NOT NULL AND due_at <= asked.due_by
        AND credential_id IN (SELECT id FROM usable) ORDER BY due_at LIMIT %s)
    UNION
    (SELECT event_id FROM sync_eventsync WHERE asked.tier <> 'LOW' AND tier = asked.tier AND picked_at IS NULL
        AND due_at > asked.due_by AND failures > 0
        AND credential_id IN (SELECT id FROM usable) ORDER BY due_at LIMIT %s)
) AS found
"""
# What may call. What is off on purpose is not late, and what a refused key stops is said with the key.
_USABLE = """
WITH usable AS (
    SELECT credential.id FROM partners_credential credential
    JOIN partners_timingpartner partner ON partner.id = credential.partner_id
    WHERE partner.is_active AND credential.status NOT IN ('paused', 'refused')
)
"""
_COLUMNS = (
    *("tier", "due_at", "picked_at", "checked_at", "failures", "credential_id"),
    *("event__name", "event__starts_at", "event__start_is_placeholder", "event__race_id"),
    *("event__race__name", "event__race__timezone", "event__race__partner_id"),
    *("credential__hourly_limit", "credential__budget"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LateEvent:
    """`late`: "4 min late", or "its list is 12 min old" while its tries fail; `reason`: why, in a few words."""

    event_pk: int
    race_pk: int
    event: str
    race: str
    word: str
    kind: Kind
    late: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LateTier:
    """`count`: events that are late or overdue, of those that were looked at; `is_more`: there may be more."""

    count: int = 0
    overdue: int = 0
    is_more: bool = False
    oldest: LateEvent | None = None

    @property
    def text(self) -> str:
        """ "12", "50 or more"."""
        return f"{self.count:,} or more" if self.is_more else f"{self.count:,}"


def late_tiers(*, beat: Beat, now: datetime, policy: Policy) -> dict[Tier, LateTier]:
    """Two queries, and one when nothing is due for longer than its period."""
    rows = list(_behind(now=now, policy=policy))
    keys = {row.credential_id: row.credential for row in rows}
    budgets = loaded_budget_states(keys.values(), now=now)
    rates = {pk: budget.rate for pk, budget in budgets.items()}
    paces = key_paces(rates, now=now, policy=policy) if rates else {}
    found: dict[Tier, LateTier] = {}
    for tier in Tier:
        of_tier = [row for row in rows if row.tier == tier.value]
        words = {row.pk: _word(row, tier, pace=paces[row.credential_id], now=now, policy=policy) for row in of_tier}
        late = [row for row in of_tier if words[row.pk] in {Word.LATE, Word.OVERDUE}]
        if not late:
            found[tier] = LateTier()
            continue
        oldest = min(late, key=lambda row: (_behind_since(row), row.pk))
        budget = budgets[oldest.credential_id]
        found[tier] = LateTier(
            count=len(late),
            overdue=sum(words[row.pk] is Word.OVERDUE for row in late),
            is_more=len(of_tier) >= LOOKED_AT,
            oldest=_late_event(
                oldest, tier, words[oldest.pk], budget=budget, is_silent=beat.is_silent, now=now, policy=policy
            ),
        )
    return found


def _behind(*, now: datetime, policy: Policy) -> QuerySet[EventSync]:
    """What may be late: a key's pace can only make a period longer than the policy's."""
    tiers: Sequence[Tier] = list(Tier)
    asked = [[tier.value for tier in tiers], [now - policy.rule(tier).period for tier in tiers]]
    runs = SyncRun.objects.filter(event=OuterRef("pk"))
    return (
        EventSync.objects.filter(pk__in=RawSQL(_USABLE + _BEHIND, [*asked, *[LOOKED_AT] * 3]))  # noqa: S611 - constants
        .select_related("event__race", "credential__budget")
        .only(*_COLUMNS)
        .annotate(
            running=Exists(runs.filter(lease_until__gt=now)),
            last_error=Subquery(runs.exclude(error_text="").order_by("-started_at").values("error_text")[:1]),
        )
        .order_by("due_at", "pk")
    )


def _word(row, tier: Tier, *, pace: Pace, now: datetime, policy: Policy) -> Word:
    """The word that the event's page says; a decision that waits for a person does not make it less late."""
    state = EventState(
        tier=tier,
        due_at=row.due_at,
        checked_at=row.checked_at,
        is_running=row.running,
        is_picked=row.picked_at is not None,
        failures=row.failures,
        blocked_reason="",
        over=False,
        period=pace.period(tier, is_final=is_final(window_of(row.event), now=now)),
    )
    return status_of(state, now=now, policy=policy).word


def _behind_since(row: EventSync) -> datetime:
    assert row.due_at is not None  # noqa: S101 - only what has a due time is looked at
    return min(row.due_at, row.checked_at) if row.failures and row.checked_at else row.due_at


def _late_event(
    row, tier: Tier, word: Word, *, budget: BudgetState, is_silent: bool, now: datetime, policy: Policy
) -> LateEvent:
    lane = getattr(row.credential, "budget", None)
    lane_until = lane.lane_lease_until if lane else None
    waiting = Waiting(
        candidate=Candidate(
            event_id=row.pk,
            race_id=row.event.race_id,
            credential_id=row.credential_id,
            partner_id=row.event.race.partner_id,
            tier=tier,
            due_at=row.due_at,
        ),
        key=KeyState(
            credential_id=row.credential_id,
            free=budget.free,
            limit=budget.rate,
            paused_until=budget.paused_until,
        ),
        failures=row.failures,
        error=short_error(row.last_error or "").rstrip("."),
        is_running=row.running,
        is_silent=is_silent,
        picked_at=row.picked_at,
        lane_until=lane_until if lease_holds(lane_until, now=now) else None,
    )
    since = whole_minutes(now - _behind_since(row))
    late = f"{since} late"
    if row.failures:
        late = f"its list is {since} old" if row.checked_at else "never loaded"
    return LateEvent(
        event_pk=row.pk,
        race_pk=row.event.race_id,
        event=row.event.name,
        race=row.event.race.name,
        word=word.value,
        kind=KIND_OF_WORD[word],
        late=late,
        reason=late_cause(waiting, policy=policy, zone=UTC, now=now),
    )
