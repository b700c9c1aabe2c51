"""Keeps each event's place in the schedule: its tier, until when that holds, and when it is due."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from races.models import Event, Race
from sync.core.placing import NOWHERE, place_of
from sync.core.policy import DEFAULT_POLICY, Policy
from sync.core.tiers import StartWindow, Tier, start_window, tier_at
from sync.models import ASKED_FOR, EventSync
from sync.services.policies import policy_now

RACE_OFF = "This race is switched off: nothing of it is synced. Switch it on in the admin."
RACE_GONE = "RunSignUp says that this race does not exist any more. Its data is kept as it was."
EVENT_GONE = "RunSignUp says that this event does not exist any more. Its data is kept as it was."

# A start in year 1 or 9999 stands for "not known yet"; the hours around it could not even be reckoned with.
BELIEVED_YEARS = range(1900, 2200)

# One cycle re-tiers at most this many events; after a long outage the rest follow in the next cycles.
RETIER_LIMIT = 2000


def window_of(event: Event) -> StartWindow | None:
    """When the event may start, as the core understands it. Needs `event.race`."""
    return believed_window(event.starts_at, event.start_is_placeholder, event.race.timezone)


def believed_window(starts_at: datetime | None, is_placeholder: bool, timezone: str) -> StartWindow | None:
    """The same from an event's columns and its race's zone."""
    if starts_at is not None and starts_at.year not in BELIEVED_YEARS:
        starts_at = None
    return start_window(starts_at=starts_at, is_placeholder=is_placeholder, timezone=timezone)


def closed_reason(event: Event) -> str:
    """Why nothing of this event may be synced, "" when it may."""
    if event.race.gone_at:
        return RACE_GONE
    if event.gone_at:
        return EVENT_GONE
    return "" if event.race.sync_enabled else RACE_OFF


def reschedule(*, events: Iterable[Event], now: datetime, policy: Policy | None = None) -> int:
    """Create or update the schedule of `events` (each with its `race` loaded); returns how many rows were written.

    `policy`: the one in force, unless the caller has read it already.

    A new event is due at once. A start that moved re-tiers at once. A race that is off or gone leaves the schedule with
    the reason; switched on again it is due at once.
    """
    with transaction.atomic():
        return _reschedule(list(events), now=now, policy=policy or policy_now())


def _reschedule(events: list[Event], *, now: datetime, policy: Policy) -> int:
    # Locked, and in the order in which the lanes lock: what a visit writes meanwhile must not be undone.
    rows = EventSync.objects.select_for_update().filter(event__in=events).order_by("pk")
    known = {row.event_id: row for row in rows}
    # Read behind the locks: while we waited for them the race may have got another key.
    races = Race.objects.filter(pk__in={event.race_id for event in events})
    keys = dict(races.values_list("pk", "credential_id"))
    new: list[EventSync] = []
    altered: list[EventSync] = []
    for event in events:
        row = known.get(event.pk)
        if row is None:
            row = EventSync(event=event, credential_id=keys[event.race_id])
            place(row, event, now=now, policy=policy)
            new.append(row)
            continue
        before = (row.credential_id, row.tier, row.tier_until, row.due_at, row.hold_reason)
        row.credential_id = keys[event.race_id]
        place(row, event, now=now, policy=policy)
        if before != (row.credential_id, row.tier, row.tier_until, row.due_at, row.hold_reason):
            altered.append(row)
    EventSync.objects.bulk_create(new, ignore_conflicts=True, batch_size=1000)
    EventSync.objects.bulk_update(
        altered, ["credential", "tier", "tier_until", "due_at", "hold_reason"], batch_size=1000
    )
    return len(new) + len(altered)


def place(row: EventSync, event: Event, *, now: datetime, policy: Policy) -> None:
    """Set tier, tier_until, due_at and the closing reason of one row in memory."""
    reason = closed_reason(event)
    window = window_of(event)
    if reason or tier_at(window, now=now, policy=policy) is None:
        row.hold_reason = reason
    elif row.hold_reason in {RACE_OFF, RACE_GONE, EVENT_GONE}:
        row.hold_reason = ""
    found = NOWHERE
    if not reason:
        found = place_of(
            tier=None if row.tier is None else Tier(row.tier),
            due_at=row.due_at,
            window=window,
            race_id=event.race.provider_race_id,
            now=now,
            policy=policy,
            asked_for=row.due_trigger in ASKED_FOR,
        )
    row.tier = None if found.tier is None else found.tier.value
    row.tier_until, row.due_at = found.tier_until, found.due_at


def retier_due(*, now: datetime, policy: Policy = DEFAULT_POLICY) -> int:
    """Give the events whose tier changes now their new tier. Bounded, on an index of its own."""
    rows = list(
        EventSync.objects.filter(tier_until__lte=now)
        .select_related("event__race")
        .order_by("tier_until")[:RETIER_LIMIT]
        .select_for_update(of=("self",), skip_locked=True)
    )
    altered = []
    for row in rows:
        before = (row.tier, row.tier_until, row.due_at)
        place(row, row.event, now=now, policy=policy)
        if before != (row.tier, row.tier_until, row.due_at):
            altered.append(row)
    EventSync.objects.bulk_update(altered, ["tier", "tier_until", "due_at", "hold_reason"])
    return len(altered)


def due_pull_back(*, now: datetime, policy: Policy = DEFAULT_POLICY) -> int:
    """What is due later than its tier ever waits was reckoned with a clock that has been set back since: due now."""
    pulled = 0
    for tier in Tier:
        rule = policy.rule(tier)
        beyond = EventSync.objects.filter(
            tier=tier.value, picked_at=None, due_at__gt=now + rule.period + rule.longest_retry
        )
        # Bounded, and not what a lane or a discovery holds: it will be looked at again in ten seconds.
        rows = list(beyond.select_for_update(skip_locked=True).values_list("pk", flat=True)[:RETIER_LIMIT])
        pulled += EventSync.objects.filter(pk__in=rows).update(due_at=now) if rows else 0
    return pulled
