"""The races of a weekend, each as a row: its start in its own zone, its readiness and what is open."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from races.models import Event, Race
from sync.core.findings import is_over
from sync.core.policy import Policy
from sync.core.tiers import StartWindow, zone_of
from sync.core.time_words import counted, zone_name
from sync.services.event_schedule import window_of
from sync.services.forecast import KeyOutlook
from sync.services.readiness import RaceReadiness, races_readiness
from sync.web.doubts import ReadinessView, readiness_view
from sync.web.times import Moment, moment
from sync.web.words import ICONS, Kind

OVER = "Over"
# As the words are counted, the worst first: "2 with a problem, 3 ready".
WORDS = {"Problem": "with a problem", "Look": "to look at", "Ready": "ready", OVER: "over"}


@dataclass(frozen=True, slots=True, kw_only=True)
class WeekendRow:
    """`when`: all its starts in words; `readiness` None: all its events are over."""

    pk: int
    name: str
    partner: str
    place: str
    first: datetime | None
    starts: Moment | None
    when: str
    events: int
    registered: int | None
    readiness: ReadinessView | None

    @property
    def word(self) -> str:
        return self.readiness.word if self.readiness else OVER

    @property
    def kind(self) -> Kind:
        return self.readiness.kind if self.readiness else Kind.IDLE

    @property
    def icon(self) -> str:
        return self.readiness.icon if self.readiness else ICONS[Kind.IDLE]


def coming_races(races: Iterable[Sequence[Event]], *, now: datetime, policy: Policy) -> dict[Race, list[Event]]:
    """Those that have events to come, with these."""
    ahead = {}
    for mine in races:
        coming = [event for event in mine if not is_over(window_of(event), now=now, policy=policy)]
        if coming:
            ahead[coming[0].race] = coming
    return ahead


def weekend_rows(
    races: Sequence[Sequence[Event]],
    *,
    ahead: Mapping[Race, Sequence[Event]],
    outlooks: Mapping[int, KeyOutlook],
    now: datetime,
    policy: Policy,
) -> tuple[WeekendRow, ...]:
    """In the order of `races`, of each its events by their start; `ahead`: from `coming_races`; `outlooks`: of their
    keys."""
    found = races_readiness(ahead, now=now, policy=policy, outlooks=outlooks)
    ready = {each.race.pk: each for each in found}
    return tuple(_row(mine, ready.get(mine[0].race_id), now=now) for mine in races)


def windows_of(events: Iterable[Event]) -> list[StartWindow]:
    return [window for event in events if (window := window_of(event)) is not None]


def counts_of(rows: Iterable[WeekendRow]) -> tuple[tuple[str, int], ...]:
    """(words, how many races), the worst first."""
    words = [row.word for row in rows]
    return tuple((said, words.count(word)) for word, said in WORDS.items() if word in words)


def _row(events: Sequence[Event], ready: RaceReadiness | None, *, now: datetime) -> WeekendRow:
    race = events[0].race
    first = ready.first if ready else min((window.earliest for window in windows_of(events)), default=None)
    return WeekendRow(
        pk=race.pk,
        name=race.name,
        partner=race.credential.partner.name,
        place=", ".join(part for part in (race.city, race.state) if part),
        first=first,
        starts=moment(first, zone=zone_of(race.timezone), now=now, seconds=False),
        when=when_text(events),
        events=len(events),
        registered=ready.registered if ready else None,
        readiness=readiness_view(ready.readiness) if ready else None,
    )


def when_text(events: Sequence[Event]) -> str:
    """All starts of a race in its zone: "Sat 08:00 EDT", "Sat 07:00–09:30 EDT", "Sat 07:00 – Sun 08:00 EDT",
    "Sat, no time of day"."""
    zone = zone_of(events[0].race.timezone)
    starts = sorted(event.starts_at for event in events if event.starts_at and not event.start_is_placeholder)
    if not starts:
        days = sorted(event.starts_at.astimezone(zone) for event in events if event.starts_at)
        return f"{days[0]:%a}, no time of day" if days else "no start"
    vague = len(events) - len(starts)
    also = f", {counted(vague, 'event')} without a time" if vague else ""
    first, last = starts[0].astimezone(zone), starts[-1].astimezone(zone)
    # A clock change lies between them.
    since = f" {zone_name(first)}" if zone_name(first) != zone_name(last) else ""
    until = ""
    if first.date() != last.date():
        until = f" – {last:%a %H:%M}"
    elif starts[0] != starts[-1]:
        until = f"–{last:%H:%M}"
    return f"{first:%a %H:%M}{since}{until} {zone_name(last)}{also}"
