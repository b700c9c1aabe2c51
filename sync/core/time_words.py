"""Moments and spans as sentences of the core say them. Pure: the zone and the present moment are arguments."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo

DAY = timedelta(days=1)
# Beyond these days a weekday alone could be the one of next week.
WEEKDAY_ALONE = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """Says moments in one zone, seen from `now`; `with_utc` puts the UTC beside each."""

    zone: tzinfo
    now: datetime
    with_utc: bool = False

    def text(self, at: datetime, *, seconds: bool = False) -> str:
        """Today "06:41 EDT", another day "Sat Jun 6, 08:00 EDT", another year with the year."""
        local = at.astimezone(self.zone)
        clock = f"{local:%H:%M:%S}" if seconds else f"{local:%H:%M}"
        day = "" if self.is_today(at) else f"{self.day(at)}, "
        text = f"{day}{clock} {zone_name(local)}"
        return f"{text} ({at.astimezone(UTC):%H:%M:%S} UTC)" if self.with_utc and seconds else self._beside(text, at)

    def span(self, at: datetime) -> str:
        """ "in 2 h 14 min", "40 s ago", "now"."""
        away = at - self.now
        if abs(away) < timedelta(seconds=1):
            return "now"
        return f"in {span_words(away)}" if away > timedelta(0) else f"{span_words(-away)} ago"

    def full(self, at: datetime) -> str:
        """To the second, and how far away: "06:41:20 EDT, 40 s ago"."""
        return f"{self.text(at, seconds=True)}, {self.span(at)}"

    def is_today(self, at: datetime) -> bool:
        return at.astimezone(self.zone).date() == self.now.astimezone(self.zone).date()

    def midnight(self) -> datetime:
        """When today began."""
        return datetime.combine(self.now.astimezone(self.zone).date(), time(0), self.zone)

    def day(self, at: datetime) -> str:
        """ "Sat Jun 6", with the year when it is not this one."""
        local = at.astimezone(self.zone)
        year = f" {local.year}" if local.year != self.now.astimezone(self.zone).year else ""
        return f"{local:%a %b} {local.day}{year}"

    def _beside(self, text: str, at: datetime) -> str:
        return f"{text} ({at.astimezone(UTC):%H:%M} UTC)" if self.with_utc else text


def weekday(at: datetime, *, zone: tzinfo, now: datetime) -> str:
    """ "Saturday", and "Saturday Jun 13" when that is more than six days away."""
    local, here = at.astimezone(zone), now.astimezone(zone)
    if abs((local.date() - here.date()).days) <= WEEKDAY_ALONE:
        return f"{local:%A}"
    return f"{local:%A %b} {local.day}"


def zone_name(local: datetime) -> str:
    """The zone's abbreviation; zones that have none are called by their offset."""
    name = local.strftime("%Z")
    return f"UTC{name}" if name[:1] in "+-" else name


def span_words(span: timedelta) -> str:
    """ "84 s", "5 min", "7 min 30 s", "2 h 14 min", "3 days 4 h"."""
    seconds = round(span.total_seconds())
    if seconds < 120:
        return f"{seconds} s"
    minutes, rest = divmod(seconds, 60)
    return f"{minutes} min {rest} s" if rest and minutes < 10 else _minutes_words(minutes)


def whole_minutes(span: timedelta) -> str:
    """ "less than a minute", "14 min", "2 h 14 min", "3 days 4 h", "12 days": what changes once a minute at most."""
    minutes = int(span / timedelta(minutes=1))
    return _minutes_words(minutes) if minutes else "less than a minute"


def _minutes_words(minutes: int) -> str:
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} days {hours} h" if hours and days < 7 else f"{days} days"


def counted(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
