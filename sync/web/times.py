"""Times as pages show them: race-local with the zone's abbreviation, and how far away. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from sync.core.time_words import Clock, whole_minutes

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """`iso`: UTC for <time datetime>; `text`: local with zone; `relative`: "in 2 h 14 min", "3 min ago"."""

    iso: str
    text: str
    relative: str


def moment(at: datetime | None, *, zone: tzinfo, now: datetime, seconds: bool = True) -> Moment | None:
    """None stays None: each template says in its own words what a missing time means there."""
    if at is None:
        return None
    return Moment(
        iso=at.astimezone(UTC).isoformat(timespec="seconds"),
        text=local_text(at, zone=zone, now=now, seconds=seconds),
        relative=relative_text(at, now=now),
    )


def local_text(at: datetime, *, zone: tzinfo, now: datetime, seconds: bool = True) -> str:
    """Today "06:41:20 EDT", another day "Sat Jun 6, 08:00 EDT", another year with the year."""
    clock = Clock(zone=zone, now=now)
    return clock.text(at, seconds=seconds and clock.is_today(at))


def day_text(at: datetime, *, zone: tzinfo, now: datetime) -> str:
    """ "Sat Jun 6", with the year when it is not this one."""
    return Clock(zone=zone, now=now).day(at)


def by_minute_text(at: datetime, *, zone: tzinfo, now: datetime) -> str:
    """The full minute by which something that is due at `at` has begun: "06:42"."""
    up = at if at == at.replace(second=0, microsecond=0) else at.replace(second=0, microsecond=0) + MINUTE
    clock, local = Clock(zone=zone, now=now), up.astimezone(zone)
    return f"{local:%H:%M}" if clock.is_today(up) else f"{clock.day(up)}, {local:%H:%M}"


def relative_text(at: datetime, *, now: datetime) -> str:
    """Whole minutes, so that a page that shows it changes once a minute and not at every poll."""
    if abs(at - now) < MINUTE:
        return "within a minute" if at > now else "just now"
    return f"in {whole_minutes(at - now)}" if at > now else f"{whole_minutes(now - at)} ago"


def period_text(period: timedelta) -> str:
    """ "every minute", "every 5 minutes", "every hour", "every 84 s", "every 2 h 18 min"."""
    seconds = int(period.total_seconds())
    if seconds % 3600 == 0:
        return "every hour" if seconds == 3600 else f"every {seconds // 3600} hours"
    if seconds % 60 == 0:
        return "every minute" if seconds == 60 else f"every {seconds // 60} minutes"
    return f"every {whole_minutes(period)}" if seconds > 600 else f"every {seconds} s"
