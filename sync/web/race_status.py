"""The race page: which events count, in which order, with which sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from django.db.models import Count, QuerySet, Window

from races.models import Event, Race
from sync.core.policy import Policy
from sync.core.tiers import zone_of
from sync.services.editions import current_events
from sync.web.asked import Asked, asked_note
from sync.web.event_status import EventStatus, event_statuses, participant_counts, with_state
from sync.web.race_sentence import Sentence, race_sentence
from sync.web.scheduler import banner_text, last_beat
from sync.web.switches import SwitchedOff, switched_off, why_no_sync
from sync.web.times import day_text

EARLIER_EVENTS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class RaceHeader:
    """`url` only when it is a web address: it comes from the provider and becomes a link. `off`: what is switched off
    on purpose; `why_no_sync`: why "Sync now" is off, "" when it is not."""

    pk: int
    name: str
    place: str
    partner: str
    provider_race_id: int
    url: str
    zone_note: str
    off: SwitchedOff | None
    why_no_sync: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierEvent:
    pk: int
    name: str
    day: str
    registered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RacePage:
    """`earlier`: the events of past editions, at most EARLIER_EVENTS; `earlier_left` are not shown."""

    header: RaceHeader
    sentence: Sentence
    asked: Asked | None
    events: tuple[EventStatus, ...]
    earlier: tuple[EarlierEvent, ...]
    earlier_left: int
    banner: str


def race_page(*, race: Race, events: Sequence[Event], now: datetime, policy: Policy) -> RacePage:
    """`race` from `with_switches`; `events`: its `events_now`."""
    zone = zone_of(race.timezone)
    beat = last_beat(now=now, policy=policy)
    # With its budget, which the race itself does not bring.
    credential = events[0].race.credential if events else race.credential
    statuses = event_statuses(events, beat=beat, now=now, policy=policy)
    past = Event.objects.filter(race=race).exclude(pk__in=[status.pk for status in statuses])
    counted = past.defer("raw").annotate(in_all=Window(Count("pk")))
    earlier = list(counted.order_by("-starts_at", "name")[:EARLIER_EVENTS])
    return RacePage(
        header=race_header(race, now=now),
        sentence=race_sentence(statuses, beat=beat, zone=zone, now=now),
        asked=asked_note(race, statuses, credential=credential, zone=zone, now=now, policy=policy),
        events=statuses,
        earlier=_earlier(earlier, zone=zone, now=now),
        earlier_left=earlier[0].in_all - len(earlier) if earlier else 0,
        banner=banner_text(beat, zone=zone, now=now),
    )


def events_now(race: Race, *, now: datetime) -> list[Event]:
    """Its current events with their state."""
    return list(with_state(current_events([race.pk], now=now)))


def race_header(race: Race, *, now: datetime) -> RaceHeader:
    zone = zone_of(race.timezone)
    return RaceHeader(
        pk=race.pk,
        name=race.name,
        place=", ".join(part for part in (race.city, race.state) if part),
        partner=race.partner.name,
        provider_race_id=race.provider_race_id,
        url=race.url if race.url.startswith(("https://", "http://")) else "",
        zone_note=f"Times are {now.astimezone(zone):%Z} ({zone.key}).",
        off=switched_off(race),
        why_no_sync=why_no_sync(race),
    )


def with_switches(races: QuerySet[Race]) -> QuerySet[Race]:
    """The races with what their header needs: partner and key, without any secret and the provider's raw text."""
    return races.select_related("partner", "credential__partner").defer(
        "raw", "credential__api_secret", "credential__api_key"
    )


def _earlier(events: Sequence[Event], *, zone: tzinfo, now: datetime) -> tuple[EarlierEvent, ...]:
    counts = participant_counts([event.pk for event in events]) if events else {}
    return tuple(
        EarlierEvent(
            pk=event.pk,
            name=event.name,
            day=day_text(event.starts_at, zone=zone, now=now) if event.starts_at else "no date",
            registered=counts[event.pk].registered if event.pk in counts else 0,
        )
        for event in events
    )
