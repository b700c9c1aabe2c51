"""The board of a weekend: its races as bars on one axis of hours, by partner, with what their keys will lack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.utils.safestring import SafeString, mark_safe

from partners.models import Credential, TimingPartner
from races.models import Event
from sync.core.forecast import Colour
from sync.core.policy import Policy
from sync.core.tiers import zone_of
from sync.core.time_words import Clock, counted, span_words, zone_name
from sync.services.forecast import KeyOutlook
from sync.services.readiness import MOST_DAYS
from sync.web.partner_ahead import WORDS as FORECAST_WORDS
from sync.web.times import period_text
from sync.web.weekend_drawing import Axis, Bar, Piece, Scale, axis_of, bar, high_span, midnight, piece, scale
from sync.web.weekend_races import WORDS, WeekendRow, counts_of, windows_of
from sync.web.words import Kind

DAY = timedelta(days=1)
SENTENCES = 3
NAMED = 6
STOPPED = "Stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyLine:
    """What a key cannot do on the weekend; `word` "" when it can do all. `over`: the hours that want too much;
    `sentences_left` are not shown."""

    pk: int
    name: str
    word: str
    sentences: tuple[str, ...]
    sentences_left: int
    over: tuple[Piece, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BarRow:
    """`title`: the starts of its events; `key`: the pk of its key; `drawing`: SVG."""

    race: WeekendRow
    key: int
    drawing: SafeString
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerGroup:
    """`zone_text`: the zone of its axis. `word`, `kind`, `icon`: the worst of its races."""

    slug: str
    name: str
    zone_text: str
    counts: tuple[tuple[str, int], ...]
    word: str
    kind: Kind
    icon: str
    scale: Scale
    keys: tuple[KeyLine, ...]
    rows: tuple[BarRow, ...]

    @property
    def conflicts(self) -> tuple[KeyLine, ...]:
        return tuple(key for key in self.keys if key.word)


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """`forecast`: in a sentence what the keys will lack, "" when nothing lies ahead; `is_conflict`: it is bad news.
    `bar`: what a bar stands for, as the policy has it."""

    groups: tuple[PartnerGroup, ...]
    forecast: str
    is_conflict: bool
    bar: str


def forecast_days(friday: date, *, now: datetime) -> int:
    """So far a forecast must reach for that weekend to be in it, as far as one is reckoned."""
    monday = midnight(friday + 3 * DAY, zone_of("Etc/GMT+12"))
    return max(1, min(MOST_DAYS, -((now - monday) // DAY)))


def board(
    races: Sequence[tuple[Sequence[Event], WeekendRow]],
    *,
    friday: date,
    outlooks: Mapping[int, KeyOutlook],
    now: datetime,
    policy: Policy,
) -> Board:
    """`races`: with their rows, in the order of the partners; `outlooks`: of the keys of those that lie ahead."""
    drawn = [(events, row) for events, row in races if windows_of(events)]
    spans = [(_zone(events), high_span(windows_of(events), policy=policy)) for events, _ in drawn]
    axis = axis_of(friday + DAY, spans)
    by_partner: dict[TimingPartner, list[tuple[Sequence[Event], WeekendRow]]] = {}
    for events, row in drawn:
        by_partner.setdefault(events[0].race.credential.partner, []).append((events, row))
    groups = tuple(
        _group(partner, mine, axis=axis, outlooks=outlooks, now=now, policy=policy)
        for partner, mine in by_partner.items()
    )
    crowded = sum(len(group.conflicts) for group in groups)
    return Board(
        groups=groups,
        forecast=_forecast_text(crowded, outlooks, friday, now=now),
        is_conflict=bool(crowded),
        bar=_bar_text(policy),
    )


def _bar_text(policy: Policy) -> str:
    lead = f"from {span_words(policy.high.lead)} before its first start " if policy.high.lead else ""
    after = f"until {span_words(policy.after_start)} after its last"
    return f"synced {period_text(policy.high.period)}: {lead}{after}"


def _zone(events: Sequence[Event]) -> ZoneInfo:
    return zone_of(events[0].race.credential.partner.timezone)


def _group(
    partner: TimingPartner,
    races: Sequence[tuple[Sequence[Event], WeekendRow]],
    *,
    axis: Axis,
    outlooks: Mapping[int, KeyOutlook],
    now: datetime,
    policy: Policy,
) -> PartnerGroup:
    zone = zone_of(partner.timezone)
    rows = [row for _, row in races]
    worst = min(rows, key=lambda row: list(WORDS).index(row.word))
    keys = {events[0].race.credential_id: events[0].race.credential for events, _ in races}
    return PartnerGroup(
        slug=partner.slug,
        name=partner.name,
        zone_text=_zone_text(axis, zone),
        counts=counts_of(rows),
        word=worst.word,
        kind=worst.kind,
        icon=worst.icon,
        scale=scale(axis, zone=zone, now=now),
        keys=tuple(_key(key, outlooks.get(pk), axis=axis, zone=zone) for pk, key in keys.items()),
        rows=tuple(_bar_row(events, row, axis=axis, zone=zone, now=now, policy=policy) for events, row in races),
    )


def _zone_text(axis: Axis, zone: ZoneInfo) -> str:
    first, last = (zone_name(at.astimezone(zone)) for at in (axis.begins(zone), axis.ends(zone)))
    if first == last:
        return f"{first} ({zone.key})"
    return f"{first}, then {last}: the clocks change ({zone.key})"


def _key(key: Credential, outlook: KeyOutlook | None, *, axis: Axis, zone: ZoneInfo) -> KeyLine:
    word, sentences, over = "", [], []
    if outlook is not None and outlook.blocked:
        word, sentences = STOPPED, [f"No call is made with it: {outlook.blocked.rstrip('.')}."]
    elif outlook is not None:
        begins, ends = axis.begins(zone), axis.ends(zone)
        for overload, sentence in zip(outlook.forecast.overloads, outlook.sentences, strict=True):
            if overload.ends > begins and overload.begins < ends:
                word = FORECAST_WORDS[Colour.RED]
                sentences.append(sentence)
                over.append(piece(axis, (overload.begins, overload.ends), zone=zone))
    return KeyLine(
        pk=key.pk,
        name=f"Key {key.label}",
        word=word,
        sentences=tuple(sentences[:SENTENCES]),
        sentences_left=max(0, len(sentences) - SENTENCES),
        over=tuple(over),
    )


def _bar_row(
    events: Sequence[Event], row: WeekendRow, *, axis: Axis, zone: ZoneInfo, now: datetime, policy: Policy
) -> BarRow:
    race = events[0].race
    return BarRow(
        race=row,
        key=race.credential_id,
        drawing=_drawing(bar(axis, windows_of(events), zone=zone, policy=policy)),
        title=_starts_text(events, Clock(zone=zone_of(race.timezone), now=now)),
    )


def _drawing(bar: Bar) -> SafeString:
    """In Python: a template takes several times as long for the bars of 200 races."""
    whole = f'<rect class="whole" x="{bar.whole.x}" width="{bar.whole.width}" y="50%" height="2"/>'
    pieces = [("vague", piece) for piece in bar.vague] + [("high", piece) for piece in bar.high]
    parts = [
        *([whole] if len(bar.high) > 1 else []),
        *(f'<rect class="{name}" x="{at.x}" width="{at.width}" y="22%" height="56%"/>' for name, at in pieces),
        *(f'<line class="start" x1="{x}" x2="{x}" y1="8%" y2="92%"/>' for x in bar.starts),
    ]
    return mark_safe("".join(parts))  # noqa: S308 - numbers of ours


def _starts_text(events: Sequence[Event], clock: Clock) -> str:
    """ "5K 08:00 EDT, 10K 08:30 EDT"."""
    parts = []
    for event in events[:NAMED]:
        at = event.starts_at
        if at is not None:
            start = f"{clock.day(at)}, no time of day" if event.start_is_placeholder else clock.text(at)
            parts.append(f"{event.name} {start}")
    more = len(events) - NAMED
    return ", ".join(parts) + (f" and {more} more" if more > 0 else "")


def _forecast_text(crowded: int, outlooks: Mapping[int, KeyOutlook], friday: date, *, now: datetime) -> str:
    if crowded:
        return f"{counted(crowded, 'key')} cannot make all calls that the races of this weekend want."
    if not outlooks:
        return ""
    known_from = friday + 4 * DAY - MOST_DAYS * DAY
    if now.date() < known_from:
        known = f"{known_from:%a %b} {known_from.day}"
        return f"The forecast reaches {MOST_DAYS} days: what the keys lack on this weekend is known from {known} on."
    return f"Forecast: {_all_keys(len(outlooks))} room for the calls that these races want."


def _all_keys(number: int) -> str:
    return "the key has" if number == 1 else f"all {number:,} keys have"
