"""The time formats of the API (contract §6): four of them, Eastern but for the starts of events."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

EASTERN = ZoneInfo("America/New_York")


def slashed(moment: datetime) -> str:
    """`6/6/2026 07:30`: month and day not padded, the hour is."""
    return f"{moment.month}/{moment.day}/{moment.year} {moment.hour:02d}:{moment.minute:02d}"


def eastern_slashed(unix: float) -> str:
    return slashed(datetime.fromtimestamp(unix, EASTERN))


def eastern_dashed(unix: float) -> str:
    return datetime.fromtimestamp(unix, EASTERN).strftime("%Y-%m-%d %H:%M:%S")


def padded_date(day: date) -> str:
    """`06/06/2026`."""
    return day.strftime("%m/%d/%Y")


def slashed_day(day: date) -> str:
    return f"{day.month}/{day.day}/{day.year} 00:00"


@lru_cache(maxsize=100_000)  # every look at a start asks again, and strptime is slow
def parse_slashed(text: str | None) -> datetime | None:
    """A start as text, without zone; null for anything else than `n/j/YYYY HH:MM`."""
    try:
        return datetime.strptime(text or "", "%m/%d/%Y %H:%M")  # noqa: DTZ007 - race time, the zone is the race's
    except ValueError:
        return None


def eastern_today(unix: float) -> date:
    return datetime.fromtimestamp(unix, EASTERN).date()


def utc(unix: float) -> datetime:
    return datetime.fromtimestamp(unix, UTC)
