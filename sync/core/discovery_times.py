"""When a key's races are looked for: twice a day by the partner's own clock."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from sync.core.tiers import zone_of

# Before the crew starts its day, and once more when the directors have done theirs.
LOOKS = (time(6, 0), time(18, 0))


def discovery_due(*, discovered_at: datetime | None, timezone: str, now: datetime) -> bool:
    """Whether a discovery is owed at `now`. One at most, whatever number of looks was missed; a new key at once.

    `discovered_at`: the end of the last complete one, aware UTC, or None.
    """
    return discovered_at is None or discovered_at < last_look(timezone=timezone, now=now)


def last_look(*, timezone: str, now: datetime) -> datetime:
    """The last 06:00 or 18:00 of the zone that is not after `now`, aware UTC."""
    zone = zone_of(timezone)
    today = now.astimezone(zone).date()
    # Compared in UTC: two moments of one zone are otherwise compared by their wall clocks.
    looks = [
        datetime.combine(day, look, zone).astimezone(UTC)
        for day in (today - timedelta(days=1), today)
        for look in LOOKS
    ]
    return max(look for look in looks if look <= now)
