"""A moment as people write it on the command line: in the race's zone."""

from __future__ import annotations

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

from django.core.management.base import CommandError


def race_moment(text: str, *, zone: ZoneInfo, now: datetime) -> datetime:
    """Aware UTC; HH:MM is today's. A time that the clocks pass twice is the first of the two. Raises CommandError."""
    try:
        if len(text) == len("HH:MM") and ":" in text:
            at = datetime.combine(now.astimezone(zone).date(), time.fromisoformat(text), zone)
        else:
            at = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(
            f"--at {text!r} is not a time. Write 02:50, 2026-06-06T02:50 or 2026-06-06T06:50Z.", returncode=2
        ) from None
    at = (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
    if at > now:
        raise CommandError(
            f"--at {text} lies ahead. Write the day too (2026-06-06T02:50), or ask manage.py forecast what comes.",
            returncode=2,
        )
    return at
