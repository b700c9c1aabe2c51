"""Which tier an event is in, and until when. Boundaries belong to the more urgent tier."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sync.core.policy import Policy, Tier

# A start without a time of day is "some time between these", race-local: nobody starts a race at midnight.
PLACEHOLDER_EARLIEST = time(4, 0)
PLACEHOLDER_LATEST = time(14, 0)
# The provider's own zone: what a race without a readable zone is taken to be in.
FALLBACK_ZONE = "America/New_York"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartWindow:
    """When the event may start, aware UTC; one moment when the provider gave a usable start."""

    earliest: datetime
    latest: datetime


def start_window(*, starts_at: datetime | None, is_placeholder: bool, timezone: str) -> StartWindow | None:
    """None when the provider gave no start at all."""
    if starts_at is None:
        return None
    if not is_placeholder:
        return StartWindow(earliest=starts_at, latest=starts_at)
    zone = zone_of(timezone)
    day = starts_at.astimezone(zone).date()
    earliest = datetime.combine(day, PLACEHOLDER_EARLIEST, zone).astimezone(UTC)
    latest = datetime.combine(day, PLACEHOLDER_LATEST, zone).astimezone(UTC)
    # A start with a time of day but without a zone lies somewhere in between too; it is never left out.
    return StartWindow(earliest=min(earliest, starts_at) if _has_time(starts_at, zone) else earliest, latest=latest)


def zone_of(timezone: str) -> ZoneInfo:
    """The zone of that name, or the fallback for a name that nobody knows."""
    try:
        return ZoneInfo(timezone or FALLBACK_ZONE)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo(FALLBACK_ZONE)


def _has_time(starts_at: datetime, zone: ZoneInfo) -> bool:
    return starts_at.astimezone(zone).time() != time(0, 0)


def tier_at(window: StartWindow | None, *, now: datetime, policy: Policy) -> Tier | None:
    """The tier at `now`; None once the event is over. An event without any start stays LOW: it must not fall out."""
    if window is None:
        return Tier.LOW
    if now > finished_after(window, policy=policy):
        return None
    if now >= window.earliest - _lead(policy, Tier.HIGH):
        return Tier.HIGH
    if now >= window.earliest - _lead(policy, Tier.MEDIUM):
        return Tier.MEDIUM
    return Tier.LOW


def tier_until(window: StartWindow | None, *, now: datetime, policy: Policy) -> datetime | None:
    """When the tier of `now` ends: the first moment of the next tier, or the last one of HIGH."""
    if window is None or (tier := tier_at(window, now=now, policy=policy)) is None:
        return None
    if tier is Tier.HIGH:
        return finished_after(window, policy=policy)
    return tier_begins(window, Tier.HIGH if tier is Tier.MEDIUM else Tier.MEDIUM, policy=policy)


def tier_begins(window: StartWindow, tier: Tier, *, policy: Policy) -> datetime:
    """The first moment of HIGH or MEDIUM. LOW has none: ValueError."""
    return window.earliest - _lead(policy, tier)


def finished_after(window: StartWindow, *, policy: Policy) -> datetime:
    """The last moment at which the event is still synced."""
    return window.latest + policy.after_start


def _lead(policy: Policy, tier: Tier) -> timedelta:
    lead = policy.rule(tier).lead
    if lead is None:
        raise ValueError(f"{tier} has no lead: it begins when the event is known")
    return lead
