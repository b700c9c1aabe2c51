"""The status of a race for whoever has a link to it: nothing about any person, and no words of others.

What the provider or a failure said is left out, whatever it is: names and addresses may stand in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from races.models import Event, Race, ShareLink
from sync.core.policy import Policy
from sync.core.status import Status, Word
from sync.core.tiers import zone_of
from sync.services.policies import policy_now
from sync.services.readiness import race_readiness
from sync.web.doubts import readiness_view
from sync.web.event_status import EventStatus, event_statuses
from sync.web.race_sentence import Sentence, race_sentence
from sync.web.race_status import events_now
from sync.web.scheduler import banner_text, last_beat
from sync.web.times import Moment, moment
from sync.web.words import Kind

SWITCHED_OFF = "it is switched off"
TO_ACT = "the timing company has to look at it"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareStatus:
    """The live part."""

    sentence: Sentence
    events: tuple[EventStatus, ...]
    banner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyWord:
    """A check and its word; `icon` and `kind` repeat it."""

    name: str
    word: str
    kind: Kind
    icon: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SharePage:
    """`ready`: the words of the readiness list, empty outside of the race's last week."""

    name: str
    place: str
    zone_note: str
    status: ShareStatus
    ready_word: ReadyWord | None
    ready: tuple[ReadyWord, ...]
    valid_until: Moment | None


def share_page(*, race: Race, link: ShareLink, now: datetime) -> SharePage:
    zone, policy = zone_of(race.timezone), policy_now()
    events = events_now(race, now=now)
    ready_word, ready = _readiness(events, policy=policy, now=now)
    return SharePage(
        name=race.name,
        place=", ".join(part for part in (race.city, race.state) if part),
        zone_note=f"Times are {now.astimezone(zone):%Z} ({zone.key}).",
        status=_status(race, events, policy=policy, now=now),
        ready_word=ready_word,
        ready=ready,
        valid_until=moment(link.expires_at, zone=zone, now=now, seconds=False),
    )


def share_status(*, race: Race, now: datetime) -> ShareStatus:
    return _status(race, events_now(race, now=now), policy=policy_now(), now=now)


def _status(race: Race, events: Sequence[Event], *, policy: Policy, now: datetime) -> ShareStatus:
    zone, beat = zone_of(race.timezone), last_beat(now=now, policy=policy)
    statuses = _without_others_words(event_statuses(events, beat=beat, now=now, policy=policy))
    return ShareStatus(
        sentence=race_sentence(statuses, beat=beat, zone=zone, now=now),
        events=statuses,
        banner=banner_text(beat, zone=zone, now=now),
    )


def _without_others_words(statuses: Sequence[EventStatus]) -> tuple[EventStatus, ...]:
    return tuple(
        replace(
            event,
            status=Status(word=event.status.word, reason=_reason(event)),
            cause="",
            asked_at=None,
            asked_run=None,
        )
        for event in statuses
    )


def _reason(event: EventStatus) -> str:
    """Why, in words of our own only."""
    if event.off:
        return SWITCHED_OFF
    if event.status.word is Word.NEEDS_ACTION:
        return TO_ACT
    # Of the other words the reason is a count or a fixed sentence: sync.core.status makes it.
    return event.status.reason


def _readiness(
    events: Sequence[Event], *, policy: Policy, now: datetime
) -> tuple[ReadyWord | None, tuple[ReadyWord, ...]]:
    found = race_readiness(events=events, now=now, policy=policy)
    if found is None:
        return None, ()
    view = readiness_view(found.readiness)
    whole = ReadyWord(name="", word=view.word, kind=view.kind, icon=view.icon)
    return whole, tuple(
        ReadyWord(name=line.name, word=line.word, kind=line.kind, icon=line.icon)
        for line in (*view.open_lines, *view.ok_lines)
    )
