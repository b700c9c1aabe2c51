"""Times as pages show them: race-local with the zone's abbreviation, and how far away. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

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
    local = at.astimezone(zone)
    if local.date() == now.astimezone(zone).date():
        return f"{local:%H:%M:%S} {zone_text(local)}" if seconds else f"{local:%H:%M} {zone_text(local)}"
    return f"{day_text(at, zone=zone, now=now)}, {local:%H:%M} {zone_text(local)}"


def day_text(at: datetime, *, zone: tzinfo, now: datetime) -> str:
    """ "Sat Jun 6", with the year when it is not this one."""
    local = at.astimezone(zone)
    year = f" {local.year}" if local.year != now.astimezone(zone).year else ""
    return f"{local:%a %b} {local.day}{year}"


def by_minute_text(at: datetime, *, zone: tzinfo, now: datetime) -> str:
    """The full minute by which something that is due at `at` has begun: "06:42"."""
    up = at if at == at.replace(second=0, microsecond=0) else at.replace(second=0, microsecond=0) + MINUTE
    local = up.astimezone(zone)
    if local.date() == now.astimezone(zone).date():
        return f"{local:%H:%M}"
    return f"{day_text(up, zone=zone, now=now)}, {local:%H:%M}"


def zone_text(local: datetime) -> str:
    """The zone's abbreviation; zones that have none are called by their offset."""
    name = local.strftime("%Z")
    return f"UTC{name}" if name[:1] in "+-" else name


def relative_text(at: datetime, *, now: datetime) -> str:
    """Whole minutes, so that a page that shows it changes once a minute and not at every poll."""
    if abs(at - now) < MINUTE:
        return "within a minute" if at > now else "just now"
    return f"in {span_text(at - now)}" if at > now else f"{span_text(now - at)} ago"


def span_text(span: timedelta) -> str:
    """ "less than a minute", "14 min", "2 h 14 min", "3 days 4 h", "12 days"."""
    minutes = int(span / MINUTE)
    if minutes < 1:
        return "less than a minute"
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} days {hours} h" if hours and days < 7 else f"{days} days"


def period_text(period: timedelta) -> str:
    """ "every minute", "every 5 minutes", "every hour", "every 84 s", "every 2 h 18 min"."""
    seconds = int(period.total_seconds())
    if seconds % 3600 == 0:
        return "every hour" if seconds == 3600 else f"every {seconds // 3600} hours"
    if seconds % 60 == 0:
        return "every minute" if seconds == 60 else f"every {seconds // 60} minutes"
    return f"every {span_text(period)}" if seconds > 600 else f"every {seconds} s"
