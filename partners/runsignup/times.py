"""The provider's four ways to write a time (contract §6; §8, traps 15 to 17).

Start and end of an event are in the race's zone, every other text is US Eastern. A time that does not exist (the gap
in March) moves forward by the gap; of a time that exists twice (November) the first is meant.
"""

from __future__ import annotations

import re
import zoneinfo
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from partners.runsignup.values import Scalar, whole_number

EASTERN = zoneinfo.ZoneInfo("America/New_York")

_CLOCK = r"(?:[ T](?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2}))?)?"
_FORMATS = (
    re.compile(r"(?P<month>[0-9]{1,2})/(?P<day>[0-9]{1,2})/(?P<year>[0-9]{4})" + _CLOCK),
    re.compile(r"(?P<year>[0-9]{4})-(?P<month>[0-9]{1,2})-(?P<day>[0-9]{1,2})" + _CLOCK),
)
_LONGEST = 25
_MINUTES = {f"{minute:02}": timedelta(minutes=minute) for minute in range(60)}


def wall_clock(value: object) -> datetime | None:
    """A time without a zone as the provider wrote it, 00:00 when it wrote only a date; None when unreadable."""
    if not isinstance(value, str) or len(value) > _LONGEST:
        return None
    for form in _FORMATS:
        if match := form.fullmatch(value.strip()):
            try:
                return datetime(**{name: int(part or 0) for name, part in match.groupdict().items()})  # type: ignore[arg-type]  # noqa: DTZ001
            except ValueError:
                return None
    return None


@lru_cache(maxsize=65_536)
def _calendar_date(value: str) -> date | None:
    at = wall_clock(value)
    return at.date() if at else None


def calendar_date(value: object) -> date | None:
    """A day without a zone: birthdays, race days."""
    return _calendar_date(value) if isinstance(value, str) and len(value) <= _LONGEST else None


def in_zone(at: datetime | None, zone: zoneinfo.ZoneInfo) -> datetime | None:
    """The UTC moment of a wall clock in `zone`."""
    if at is None:
        return None
    try:
        # In the gap fold=0 reads the clock with the offset before it: the same moment, shown one hour later.
        return at.replace(tzinfo=zone, fold=0).astimezone(UTC)
    except OverflowError:
        return None


# Registrations crowd in few hours: with the minutes left out nearly each look-up hits. US zones change at full hours.
@lru_cache(maxsize=65_536)
def _eastern_hour(day_and_hour: str) -> datetime | None:
    return in_zone(wall_clock(f"{day_and_hour}:00"), EASTERN)


def eastern(value: object) -> datetime | None:
    """The UTC moment of an Eastern text; None when it is absent or unreadable."""
    if not isinstance(value, str) or len(value) > _LONGEST:
        return None
    day_and_hour, _colon, minute = value.strip().rpartition(":")
    if ":" in day_and_hour or not day_and_hour:
        return in_zone(wall_clock(value), EASTERN)
    hour, past = _eastern_hour(day_and_hour), _MINUTES.get(minute)
    return hour + past if hour is not None and past is not None else None


def unix(value: Scalar) -> datetime | None:
    """The moment of Unix seconds; None when absent, not a number or beyond what a datetime holds."""
    seconds = whole_number(value)
    if seconds is None:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None


@lru_cache(maxsize=1024)
def zone_named(name: str) -> zoneinfo.ZoneInfo | None:
    """The IANA zone, None when there is none of this name."""
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        # A name such as "America" is a directory, "../x" not allowed: each fails in its own way.
        return None
