"""The staff page of one timing partner: its keys, what they will be asked for, and its races."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.db.models import Count, OuterRef, Q, Subquery, Sum

from partners.models import ApiUsage, Credential, TimingPartner
from partners.used_elsewhere import elsewhere_text
from races.models import Event, Race
from sync.core.forecast import LOWER_BOUND, Colour, Interval, worst_by_day
from sync.core.policy import Policy, Tier
from sync.core.tiers import zone_of
from sync.core.time_words import span_words
from sync.services.forecast import DAYS, KeyOutlook, outlooks
from sync.web.forecast_chart import Chart, chart
from sync.web.scheduler import banner_text, last_beat
from sync.web.times import Moment, day_text, moment
from sync.web.words import ICONS, Kind

RACES = 100
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
class KeyPanel:
    """`state`: whether the key may call; `detail`: why not, or what was found when it was verified; `elsewhere`: when
    another program seems to use it. `sentences`: what will be late, at most SENTENCES; `sentences_left` are not shown.
    """

    pk: int
    label: str
    state: str
    kind: Kind
    icon: str
    detail: str
    elsewhere: str
    calls: int
    limit: int
    percent: int
    usable: int
    word: str
    forecast_kind: Kind
    forecast_icon: str
    busiest: str
    sentences: tuple[str, ...]
    sentences_left: int
    chart: Chart
    days: tuple[DayRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerRace:
    """`starts`: its next start; `start_text` when that is no moment; `coming`: its events still to start."""

    pk: int
    name: str
    place: str
    is_off: bool
    starts: Moment | None
    start_text: str
    coming: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerPage:
    name: str
    pk: int
    is_active: bool
    timezone: str
    days: int
    lower_bound: str
    keys: tuple[KeyPanel, ...]
    races: tuple[PartnerRace, ...]
    races_left: int
    banner: str


def partner_page(*, partner: TimingPartner, now: datetime, policy: Policy) -> PartnerPage:
    minutes = ApiUsage.objects.filter(credential__partner=partner, minute__gt=now - timedelta(hours=1))
    calls = dict(minutes.values_list("credential_id").annotate(made=Sum("calls")))
    races = partner.races.count()
    shown = _races(partner, now=now)
    return PartnerPage(
        name=partner.name,
        pk=partner.pk,
        is_active=partner.is_active,
        timezone=zone_of(partner.timezone).key,
        days=DAYS,
        lower_bound=LOWER_BOUND,
        keys=tuple(
            _panel(
                outlook,
                calls=calls.get(outlook.credential.pk, 0),
                policy=policy,
                now=now,
            )
            for outlook in outlooks(now=now, partner=partner, policy=policy)
        ),
        races=shown,
        races_left=races - len(shown),
        banner=banner_text(last_beat(now=now, policy=policy), zone=UTC, now=now),
    )


def _panel(outlook: KeyOutlook, *, calls: int, policy: Policy, now: datetime) -> KeyPanel:
    key, coming = outlook.credential, outlook.forecast
    state, kind = _state(outlook)
    forecast_kind = KIND_OF_COLOUR[coming.colour]
    return KeyPanel(
        pk=key.pk,
        label=key.label,
        state=state,
        kind=kind,
        icon=ICONS[kind],
        detail=outlook.blocked or key.status_detail,
        elsewhere=elsewhere_text(getattr(key, "budget", None), limit=key.hourly_limit, now=now),
        calls=calls,
        limit=coming.limit,
        percent=round(100 * calls / coming.limit),
        usable=round(coming.usable),
        word=WORDS[coming.colour],
        forecast_kind=forecast_kind,
        forecast_icon=ICONS[forecast_kind],
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


def _state(outlook: KeyOutlook) -> tuple[str, Kind]:
    key = outlook.credential
    if not key.partner.is_active:
        return "Partner off", Kind.IDLE
    if key.status == Credential.Status.REFUSED:
        return "Refused", Kind.BAD
    if key.status == Credential.Status.PAUSED:
        return "Paused", Kind.IDLE
    if outlook.rate < outlook.forecast.limit:
        return f"Slowed down to {outlook.rate:,} an hour", Kind.WARN
    return ("OK", Kind.GOOD) if key.status == Credential.Status.OK else ("Unverified", Kind.WARN)


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


def _races(partner: TimingPartner, *, now: datetime) -> tuple[PartnerRace, ...]:
    """Those that start next first, then those that nothing is known to come of."""
    coming = Event.objects.filter(race=OuterRef("pk"), gone_at=None, starts_at__gte=now).order_by("starts_at", "pk")
    races = (
        Race.objects.filter(partner=partner)
        .defer("raw")
        .annotate(
            next_start=Subquery(coming.values("starts_at")[:1]),
            is_day_only=Subquery(coming.values("start_is_placeholder")[:1]),
            coming=Count("events", filter=Q(events__starts_at__gte=now, events__gone_at=None)),
        )
        .order_by("next_start", "name", "pk")[:RACES]
    )
    return tuple(_race(race, now=now) for race in races)


def _race(race, *, now: datetime) -> PartnerRace:
    zone = zone_of(race.timezone)
    text = "nothing to come"
    if race.is_day_only:
        text = f"{day_text(race.next_start, zone=zone, now=now)}, no time of day"
    return PartnerRace(
        pk=race.pk,
        name=race.name,
        place=", ".join(part for part in (race.city, race.state) if part),
        is_off=not race.sync_enabled or race.gone_at is not None,
        starts=None if race.is_day_only else moment(race.next_start, zone=zone, now=now, seconds=False),
        start_text=text,
        coming=race.coming,
    )
