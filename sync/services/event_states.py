"""What the word for an event's state is decided from, read off its rows: for pages, metrics and alerts alike.

The word itself is `sync.core.status.status_of`; there is no other definition of it.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from partners.models import Credential
from races.models import Event, Race
from sync.core.pace import Pace, is_final
from sync.core.policy import Policy, Tier
from sync.core.status import EventState
from sync.core.tiers import finished_after
from sync.models import EventSync
from sync.services.cycles import blocked_reason
from sync.services.event_schedule import EVENT_GONE, RACE_GONE, RACE_OFF, closed_reason, window_of


class Switch(StrEnum):
    """What staff can switch off on purpose, the widest first."""

    PARTNER = "partner"
    KEY = "key"
    RACE = "race"


def off_switch(race: Race) -> Switch | None:
    """The widest switch that is off, None when all are on. `race` with its credential and that one's partner."""
    if not race.credential.partner.is_active:
        return Switch.PARTNER
    if race.credential.status == Credential.Status.PAUSED:
        return Switch.KEY
    return None if race.sync_enabled else Switch.RACE


def off_text(race: Race) -> str:
    """ "" when every switch is on."""
    match off_switch(race):
        case Switch.PARTNER:
            return f"{race.credential.partner} is switched off."
        case Switch.KEY:
            return "The API key of this race is paused."
        case Switch.RACE:
            return "This race is switched off."
        case None:
            return ""


def event_state(event: Event, *, is_running: bool, pace: Pace | None, now: datetime, policy: Policy) -> EventState:
    """`event` with its schedule row (`sync`, which may be missing), its race, that one's credential and its partner: no
    query. `is_running`: a run of it has a living lease; `pace`: its key's."""
    row: EventSync | None = getattr(event, "sync", None)
    tier = Tier(row.tier) if row and row.tier else None
    window = window_of(event)
    is_gone = event.gone_at is not None or event.race.gone_at is not None
    hold = row.hold_reason if row else ""
    return EventState(
        tier=tier,
        due_at=row.due_at if row else None,
        checked_at=row.checked_at if row else None,
        is_running=is_running,
        is_picked=bool(row and row.picked_at),
        failures=row.failures if row else 0,
        over=window is not None and now > finished_after(window, policy=policy),
        # What the provider does not know any more nobody can switch on again.
        off_reason="" if is_gone else off_text(event.race),
        blocked_reason=closed_reason(event) or blocked_reason(event.race.credential),
        # Those stand in the row for the cycle; here they are said of the event and its race as they are now.
        held_reason="" if hold in {RACE_OFF, RACE_GONE, EVENT_GONE} else hold,
        # What a crowded key checks every 84 s is not late 61 s after it was due.
        period=pace.period(tier, is_final=is_final(window, now=now)) if pace and tier else None,
    )
