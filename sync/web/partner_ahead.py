"""What the keys of a partner will be asked for in the coming days: a drawing, sentences and a row a day for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from partners.models import Credential
from sync.core.forecast import LOWER_BOUND, Colour, Interval, worst_by_day
from sync.core.policy import Policy, Tier
from sync.core.time_words import span_words
from sync.services.forecast import DAYS, KeyOutlook, outlooks_of
from sync.web.forecast_chart import Chart, chart
from sync.web.times import day_text
from sync.web.words import ICONS, Kind

SENTENCES = 10
KIND_OF_COLOUR = {Colour.GREEN: Kind.GOOD, Colour.YELLOW: Kind.WARN, Colour.RED: Kind.BAD}
# The colour is a word too.
WORDS = {Colour.GREEN: "Room", Colour.YELLOW: "Nearly full", Colour.RED: "Too much"}


@dataclass(frozen=True, slots=True, kw_only=True)
class DayRow:
    """The busiest time of a day: `share` in percent of what the key can sustain; `races`: those within four hours of
    their start; `period`: how often they sync then, "" when that is as planned."""

    day: str
    wanted: int
    share: int
    word: str
    kind: Kind
    icon: str
    races: int
    period: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyAhead:
    """`sentences`: what will be late, at most SENTENCES; `sentences_left` are not shown."""

    pk: int
    label: str
    limit: int
    usable: int
    word: str
    kind: Kind
    icon: str
    busiest: str
    sentences: tuple[str, ...]
    sentences_left: int
    chart: Chart
    days: tuple[DayRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerAhead:
    days: int
    lower_bound: str
    keys: tuple[KeyAhead, ...]


def partner_ahead(keys: Sequence[Credential], *, now: datetime, policy: Policy) -> PartnerAhead:
    """`keys` with their partner and budget. One query."""
    outlooks = outlooks_of(keys, now=now, policy=policy)
    return PartnerAhead(
        days=DAYS,
        lower_bound=LOWER_BOUND,
        keys=tuple(_key(outlooks[key.pk], policy=policy, now=now) for key in keys),
    )


def _key(outlook: KeyOutlook, *, policy: Policy, now: datetime) -> KeyAhead:
    key, coming = outlook.credential, outlook.forecast
    kind = KIND_OF_COLOUR[coming.colour]
    return KeyAhead(
        pk=key.pk,
        label=key.label,
        limit=coming.limit,
        usable=round(coming.usable),
        word=WORDS[coming.colour],
        kind=kind,
        icon=ICONS[kind],
        busiest=outlook.busiest,
        sentences=outlook.sentences[:SENTENCES],
        sentences_left=max(0, len(outlook.sentences) - SENTENCES),
        chart=chart(coming, zone=outlook.zone),
        days=tuple(
            _day(day_text(_noon(day, outlook), zone=outlook.zone, now=now), worst, policy=policy)
            for day, worst in worst_by_day(coming, zone=outlook.zone)
        ),
    )


def _noon(day: date, outlook: KeyOutlook) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=outlook.zone)


def _day(name: str, worst: Interval, *, policy: Policy) -> DayRow:
    kind = KIND_OF_COLOUR[worst.colour]
    return DayRow(
        day=name,
        wanted=round(worst.wanted),
        share=round(100 * worst.wanted / worst.pace.usable),
        word=WORDS[worst.colour],
        kind=kind,
        icon=ICONS[kind],
        races=worst.demand.high,
        period=f"every {span_words(worst.high_period)}" if worst.is_stretched(Tier.HIGH, policy=policy) else "",
    )
