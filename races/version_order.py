"""Which of two things that the provider said about one registration is the newer one."""

from __future__ import annotations

from datetime import datetime, timedelta

# How far the provider's clock and ours may be apart before a time is not believed.
CLOCK_SLACK = timedelta(minutes=15)
# The reason of a removal that nobody gave: a complete list did not have the registration.
MISSING = "missing"


def believable(moment: datetime | None, *, now: datetime) -> datetime | None:
    """None for a moment in the future: compared with it everything that follows would look old, for ever."""
    return moment if moment is not None and moment <= now + CLOCK_SLACK else None


def is_older(version: datetime | None, *, stored: datetime | None, now: datetime) -> bool:
    """True when `version` was strictly before what is stored. Unknown times and equal seconds are not older."""
    known = believable(stored, now=now)
    return version is not None and known is not None and version < known


def brings_back(listed: datetime | None, *, removed_at: datetime, reason: str, now: datetime) -> bool:
    """True when a removed registration that is listed as active, last changed at `listed`, is active again.

    A removal stands only against a list that may have been fetched before it: when it came after the last change of
    the registration and is not clearly before `now`, when the fetch began. Who was only missing is back once listed.
    """
    if reason == MISSING or listed is None or listed >= removed_at:
        return True
    return removed_at < now - CLOCK_SLACK
