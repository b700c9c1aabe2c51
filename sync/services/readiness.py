"""What is known of races that start soon, for the list of what has to be ready. Reads only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Q

from partners.gate import BudgetState, loaded_budget_states
from partners.models import Credential
from races.models import Event, Participant, Race
from sync.core.findings import Repeats, is_over
from sync.core.forecast import Interval
from sync.core.policy import Policy
from sync.core.readiness import SHOWN_BEFORE, EventFacts, KeyFacts, RaceFacts, Readiness, is_prominent, readiness
from sync.core.receipt import begins_at
from sync.core.tiers import finished_after, zone_of
from sync.core.time_words import Clock
from sync.models import EventSync
from sync.services.cycles import blocked_reason
from sync.services.event_schedule import window_of
from sync.services.findings import duplicate_bibs, start_facts
from sync.services.forecast import KeyOutlook, outlooks_of

# A forecast further ahead says little: most events of that time are not known yet.
MOST_DAYS = 30

PeopleCounts = Mapping[int, tuple[int, int]]
"""By event: how many are registered, and how many of those have a bib."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RaceReadiness:
    """`first`: its earliest start that counts; `registered`: in all its events to come."""

    race: Race
    readiness: Readiness
    is_prominent: bool
    first: datetime | None
    events: int
    registered: int


def race_readiness(
    *, events: Sequence[Event], now: datetime, policy: Policy, counts: PeopleCounts | None = None
) -> RaceReadiness | None:
    """`events`: those of a race's present edition, each with the race, its key, partner and budget, and its schedule;
    `counts`: of their people, if the caller has read them. None when nothing is asked of the race."""
    asked = asked_to_be_ready(events, now=now, policy=policy)
    return races_readiness({asked[0].race: asked}, now=now, policy=policy, counts=counts)[0] if asked else None


def asked_to_be_ready(events: Iterable[Event], *, now: datetime, policy: Policy) -> list[Event]:
    """Those of a race's events that have to be ready: none when none of them starts within the week, and when the race
    is switched off on purpose. No query."""
    coming = coming_events(events, now=now, policy=policy)
    return [] if not coming or _off(coming[0].race, coming[0].race.credential) else coming


def coming_events(events: Iterable[Event], *, now: datetime, policy: Policy) -> list[Event]:
    """Those that are not over, of a race whose first start lies within the week; none otherwise."""
    ahead = [
        event
        for event in events
        if event.gone_at is None
        and event.race.gone_at is None
        and not is_over(window_of(event), now=now, policy=policy)
    ]
    windows = [window for event in ahead if (window := window_of(event)) is not None]
    return ahead if any(window.earliest - now <= SHOWN_BEFORE for window in windows) else []


def races_readiness(
    races: Mapping[Race, Sequence[Event]],
    *,
    now: datetime,
    policy: Policy,
    counts: PeopleCounts | None = None,
    outlooks: Mapping[int, KeyOutlook] | None = None,
) -> tuple[RaceReadiness, ...]:
    """In the order of `races`. The number of queries depends neither on theirs nor on that of their events.

    `outlooks`: of their keys, if the caller has reckoned them."""
    events = [event for each in races.values() for event in each]
    ids = [event.pk for event in events]
    keys = {event.race.credential_id: event.race.credential for event in events}
    budgets = loaded_budget_states(keys.values(), now=now)
    if outlooks is None:
        outlooks = outlooks_of(keys.values(), now=now, days=_days(events, now=now, policy=policy), policy=policy)
    bibs = duplicate_bibs(ids)
    counts = _counts(ids) if counts is None else counts
    found = []
    for race, mine in races.items():
        facts = RaceFacts(
            key=_key(race, mine[0].race.credential, budgets),
            worst=_worst(outlooks[mine[0].race.credential_id], mine, now=now, policy=policy),
            events=tuple(_event(event, counts, bibs) for event in mine),
        )
        clock = Clock(zone=zone_of(race.timezone), now=now)
        windows = [window.earliest for event in mine if (window := window_of(event)) is not None]
        found.append(
            RaceReadiness(
                race=race,
                readiness=readiness(facts, clock=clock, policy=policy),
                is_prominent=is_prominent([event.start for event in facts.events], now=now, policy=policy),
                first=min(windows, default=None),
                events=len(mine),
                registered=sum(event.registered for event in facts.events),
            )
        )
    return tuple(found)


def _days(events: Iterable[Event], *, now: datetime, policy: Policy) -> int:
    ends = [finished_after(window, policy=policy) for event in events if (window := window_of(event)) is not None]
    ahead = max(ends, default=now) - now
    return max(1, min(MOST_DAYS, -(-ahead // timedelta(days=1))))


def _key(race: Race, credential: Credential, budgets: Mapping[int, BudgetState]) -> KeyFacts:
    budget = budgets[credential.pk]
    return KeyFacts(
        name=f"the key {credential}",
        off=_off(race, credential),
        refused=blocked_reason(credential),
        is_verified=credential.status == Credential.Status.OK,
        paused_until=budget.paused_until,
        used_elsewhere=budget.used_elsewhere,
    )


def _off(race: Race, credential: Credential) -> str:
    """What of it is switched off, the widest switch first; "" when nothing is."""
    if not credential.partner.is_active:
        return f"{credential.partner} is switched off."
    if credential.status == Credential.Status.PAUSED:
        return f"The key {credential} is paused by staff."
    return "" if race.sync_enabled else "The race is switched off."


def _worst(outlook: KeyOutlook, events: Iterable[Event], *, now: datetime, policy: Policy) -> Interval | None:
    """Of the last hours of these events, as far as the forecast reaches."""
    windows = [window for event in events if (window := window_of(event)) is not None]
    if not windows:
        return None
    begins = max(now, min(begins_at(window, policy=policy) for window in windows))
    ends = max(finished_after(window, policy=policy) for window in windows)
    intervals = [each for each in outlook.forecast.intervals if each.ends > begins and each.begins < ends]
    return max(intervals, key=lambda interval: interval.wanted, default=None)


def _event(event: Event, counts: PeopleCounts, bibs: Mapping[int, Repeats]) -> EventFacts:
    row: EventSync | None = getattr(event, "sync", None)
    registered, with_bib = counts.get(event.pk, (0, 0))
    return EventFacts(
        name=event.name,
        start=start_facts(event),
        checked_at=row.checked_at if row else None,
        reconciled_at=row.reconciled_at if row else None,
        registered=registered,
        bibs=with_bib,
        duplicates=bibs.get(event.pk, Repeats()),
    )


def _counts(event_ids: Sequence[int]) -> PeopleCounts:
    """Answered from the index of the active bibs alone."""
    people = Participant.objects.filter(event_id__in=event_ids, removed_at=None).order_by().values("event_id")
    rows = people.annotate(registered=Count("*"), bibs=Count("bib", filter=~Q(bib="")))
    return {row["event_id"]: (row["registered"], row["bibs"]) for row in rows}
