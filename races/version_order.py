"""Which of two things that the provider said about one registration is the newer one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

# How far the provider's clock and ours may be apart before a time is not believed.
CLOCK_SLACK = timedelta(minutes=15)
# Before the provider existed: a time such as -5 or 0 is none.
EARLIEST = datetime(2009, 1, 1, tzinfo=UTC)
# The reason of a removal that nobody gave: a complete list did not have the registration.
MISSING = "missing"


def believable(moment: datetime | None, *, now: datetime) -> datetime | None:
    """None for a moment that cannot be. With one in the future everything that follows would look old, for ever; what
    bears one from before all registrations would itself look old, whatever it says."""
    return moment if moment is not None and EARLIEST <= moment <= now + CLOCK_SLACK else None


def is_older(version: datetime | None, *, stored: datetime | None, now: datetime) -> bool:
    """True when `version` was strictly before what is stored. Unknown times and equal seconds are not older."""
    said, known = believable(version, now=now), believable(stored, now=now)
    return said is not None and known is not None and said < known


def brings_back(listed: datetime | None, *, removed_at: datetime, reason: str, now: datetime) -> bool:
    """True when a removed registration that is listed as active, last changed at `listed`, is active again.

    A removal stands only against a list that may have been fetched before it: when it came after the last change of
    the registration and is not clearly before `now`, when the fetch began. Who was only missing is back once listed.
    """
    if reason == MISSING or listed is None or listed < EARLIEST or listed >= removed_at:
        return True
    return removed_at < now - CLOCK_SLACK
