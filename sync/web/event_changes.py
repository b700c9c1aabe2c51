"""The history of changes of an event: who changed, and what, the newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.core.paginator import Page, Paginator

from races.change_words import Move, change_text
from races.history import full_name
from races.models import Event, Participant, ParticipantChange
from sync.core.tiers import zone_of
from sync.models import SyncRun
from sync.services.policies import policy_now
from sync.web.race_status import RaceHeader, race_header
from sync.web.scheduler import banner_text, last_beat
from sync.web.times import Moment, moment
from sync.web.words import TRIGGERS, Kind

CHANGES_PER_PAGE = 50
Kinds = ParticipantChange.Kind
WORDS: dict[str, tuple[str, Kind]] = {
    Kinds.ADDED: ("New", Kind.BUSY),
    Kinds.CHANGED: ("Changed", Kind.IDLE),
    Kinds.RESTORED: ("Back", Kind.BUSY),
    Kinds.REMOVED: ("Left", Kind.BAD),
    Kinds.TRANSFERRED: ("Moved", Kind.WARN),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeLine:
    """`run_pk`, `asked_by`: the run that found it, while it is kept."""

    at: Moment | None
    word: str
    kind: Kind
    person_pk: int
    name: str
    bib: str
    text: str
    run_pk: int | None
    asked_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventChanges:
    race: RaceHeader
    event_pk: int
    event_name: str
    lines: tuple[ChangeLine, ...]
    page: Page[ParticipantChange]
    banner: str


def event_changes(*, event: Event, page_number: str | None, now: datetime) -> EventChanges:
    """`event` with what its race's header needs. A page of them is read from the index of an event's changes."""
    policy, zone = policy_now(), zone_of(event.race.timezone)
    newest_first = ParticipantChange.objects.filter(event=event).order_by("-at", "-pk")
    with_people = newest_first.select_related("participant").defer("participant__raw", "participant__answers")
    page = Paginator(with_people, CHANGES_PER_PAGE).get_page(page_number)
    changes = list(page.object_list)
    moves = _moves(changes, event=event)
    asked = dict(SyncRun.objects.filter(pk__in={change.sync_run_id for change in changes}).values_list("pk", "trigger"))
    return EventChanges(
        race=race_header(event.race, now=now),
        event_pk=event.pk,
        event_name=event.name,
        lines=tuple(
            _line(
                change,
                text=change_text(change, zone=zone, move=moves.get(change.pk)),
                at=moment(change.at, zone=zone, now=now),
                trigger=asked.get(change.sync_run_id or 0, ""),
            )
            for change in changes
        ),
        page=page,
        banner=banner_text(last_beat(now=now, policy=policy), zone=zone, now=now),
    )


def _line(change: ParticipantChange, *, text: str, at: Moment | None, trigger: str) -> ChangeLine:
    person = change.participant
    word, kind = WORDS.get(change.kind, (change.kind.capitalize(), Kind.IDLE))
    return ChangeLine(
        at=at,
        word=word,
        kind=kind,
        person_pk=person.pk,
        name=full_name(person) or f"Registration {person.registration_id}",
        bib=person.bib,
        text=text,
        run_pk=change.sync_run_id if trigger else None,
        asked_by=TRIGGERS.get(trigger, trigger),
    )


def _moves(changes: Sequence[ParticipantChange], *, event: Event) -> dict[int, Move]:
    """By change: from or to which event the person moved, where the change itself does not say it. One query."""
    arrived = {change.participant.registration_id: change for change in changes if change.kind == Kinds.ADDED}
    left = {
        change.participant.successor_registration_id: change
        for change in changes
        if change.kind == Kinds.TRANSFERRED and "event" not in change.changes
    }
    others = Participant.objects.filter(event__race=event.race_id).select_related("event")
    wanted = ("registration_id", "successor_registration_id", "bib", "event__name", "removed_at", "event")
    moves: dict[int, Move] = {}
    for other in others.filter(successor_registration_id__in=list(arrived), removed_reason="transferred").only(*wanted):
        change = arrived[other.successor_registration_id or 0]
        if other.pk != change.participant_id:
            moves[change.pk] = Move(from_event=other.event.name, to_event=event.name, old_bib=None, new_bib=None)
    if left:
        for other in others.filter(registration_id__in=[number for number in left if number]).only(*wanted):
            change = left[other.registration_id]
            moves[change.pk] = Move(from_event=event.name, to_event=other.event.name, old_bib=None, new_bib=None)
    return moves
