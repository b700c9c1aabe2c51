"""Storing what discovery finds: races and their events. Nothing is deleted or closed because it is not listed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime

from partners.documents import EventDocument, RaceDocument
from partners.models import Credential
from races.models import Event, Race
from races.storable import BIGINT, text_problem

# The document's fields that are columns of the same name.
RACE_COLUMNS = (
    "name", "timezone", "city", "state", "country_code", "url", "next_date", "is_draft", "is_private",
    "registration_open", "raw",
)  # fmt: skip
EVENT_COLUMNS = (
    "name", "starts_at", "start_is_placeholder", "ends_at", "distance", "event_type", "registration_opens_at", "raw",
)  # fmt: skip
# What may move events in the schedule: a start, a zone, another key, seen again after it was gone.
_RACE_SCHEDULE = {"timezone", "credential_id", "gone_at"}
_EVENT_SCHEDULE = {"starts_at", "start_is_placeholder", "gone_at"}
_UNUSABLE = {Credential.Status.REFUSED, Credential.Status.PAUSED}

LONGEST_TEXT = 2_000
LONGEST_RAW = 5_000_000
# What does not fit these columns is left empty: not worth losing a race for, and the raw document has it.
_OPTIONAL = {"timezone": 64, "country_code": 8}
_BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class RaceStoreReport:
    """What a page of races did.

    `reschedule` are the pks of the events that are new or whose place in the schedule may have changed. `rejected` has
    a sentence for each race or event that could not be stored.
    """

    races_added: int
    races_changed: int
    events_added: int
    events_changed: int
    reschedule: frozenset[int]
    rejected: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class _Tally:
    """`moved` are the pks of what may have another place in the schedule."""

    added: int = 0
    changed: int = 0
    moved: set[int] = field(default_factory=set)


def races_store(*, credential: Credential, documents: Sequence[RaceDocument], now: datetime) -> RaceStoreReport:
    """Store races and their events in the caller's transaction. What is unchanged only gets a new `seen_at`.

    Events that a document does not list stay as they are: the provider lists current ones only. A race that another
    usable key of the partner brought keeps that key.
    """
    rejected: list[str] = []
    accepted: dict[int, RaceDocument] = {}
    for document in documents:
        if problem := _problem(document, document.race_id):
            rejected.append(f"race {document.race_id}: {problem}.")
        else:
            accepted[document.race_id] = document
    races = _Tally()
    race_pks = _races_write(credential, accepted, races, now=now)
    events = _Tally()
    _events_write(race_pks, accepted, events, rejected, now=now)
    events.moved.update(Event.objects.filter(race_id__in=races.moved).values_list("pk", flat=True))
    return RaceStoreReport(
        races_added=races.added,
        races_changed=races.changed,
        events_added=events.added,
        events_changed=events.changed,
        reschedule=frozenset(events.moved),
        rejected=tuple(rejected),
    )


def _problem(document: RaceDocument | EventDocument, provider_id: int) -> str:
    if provider_id <= 0 or provider_id not in BIGINT:
        return "its id is out of range"
    for column in fields(document):
        value = getattr(document, column.name)
        longest = LONGEST_RAW if column.name == "raw" else LONGEST_TEXT
        if isinstance(value, str) and (problem := text_problem(value, longest=longest)):
            return f"its {column.name} {problem}"
    return ""


def _races_write(
    credential: Credential, accepted: Mapping[int, RaceDocument], tally: _Tally, *, now: datetime
) -> dict[int, int]:
    """The pk of each race by the provider's id."""
    stored = {
        race.provider_race_id: race
        for race in Race.objects.filter(
            partner_id=credential.partner_id, provider_race_id__in=list(accepted)
        ).select_related("credential")
    }
    pks = {provider_id: race.pk for provider_id, race in stored.items()}
    to_write: list[Race] = []
    for provider_id, document in sorted(accepted.items()):
        race = stored.get(provider_id) or Race(partner_id=credential.partner_id, provider_race_id=provider_id)
        keeps_key = race.pk and race.credential.status not in _UNUSABLE
        values = {name: getattr(document, name) for name in RACE_COLUMNS}
        values |= {name: "" for name, longest in _OPTIONAL.items() if len(values[name]) > longest}
        values |= {"gone_at": None, "credential_id": race.credential_id if keeps_key else credential.pk}
        if differing := _take_over(race, values):
            race.seen_at = now
            to_write.append(race)
            tally.added += race.pk is None
            tally.changed += race.pk is not None
            if race.pk and differing & _RACE_SCHEDULE:
                tally.moved.add(race.pk)
    Race.objects.filter(pk__in=set(pks.values()) - {race.pk for race in to_write}).update(seen_at=now)
    Race.objects.bulk_create(
        to_write,
        batch_size=_BATCH,
        update_conflicts=True,
        unique_fields=["partner", "provider_race_id"],
        update_fields=[*RACE_COLUMNS, "credential", "gone_at", "seen_at"],
    )
    return pks | {race.provider_race_id: race.pk for race in to_write}


def _take_over(row: Race | Event, values: Mapping[str, object]) -> set[str]:
    """Set what differs; its names. A row that is not stored yet differs in everything."""
    differing = {name for name, value in values.items() if row.pk is None or getattr(row, name) != value}
    for name in differing:
        setattr(row, name, values[name])
    return differing


def _events_write(
    race_pks: Mapping[int, int],
    accepted: Mapping[int, RaceDocument],
    tally: _Tally,
    rejected: list[str],
    *,
    now: datetime,
) -> None:
    stored = {
        (event.race_id, event.provider_event_id): event
        for event in Event.objects.filter(
            race_id__in=race_pks.values(),
            provider_event_id__in={event.event_id for race in accepted.values() for event in race.events},
        )
    }
    to_write: dict[tuple[int, int], Event] = {}
    for race_id, document in _events_of(accepted, rejected):
        key = race_pks[race_id], document.event_id
        event = stored.setdefault(key, Event(race_id=key[0], provider_event_id=key[1]))
        values = {name: getattr(document, name) for name in EVENT_COLUMNS} | {"gone_at": None}
        if _start_moves(event, document):
            event.start_moved_from, event.start_moved_at = event.starts_at, now
        if differing := _take_over(event, values):
            to_write[key] = event
            if event.pk and differing & _EVENT_SCHEDULE:
                tally.moved.add(event.pk)
    new = [event for event in to_write.values() if event.pk is None]
    tally.added, tally.changed = len(new), len(to_write) - len(new)
    Event.objects.bulk_create(
        to_write.values(),
        batch_size=_BATCH,
        update_conflicts=True,
        unique_fields=["race", "provider_event_id"],
        update_fields=[*EVENT_COLUMNS, "gone_at", "start_moved_from", "start_moved_at"],
    )
    tally.moved.update(event.pk for event in new)


def _start_moves(event: Event, document: EventDocument) -> bool:
    """Whether a start that was known is another one now. A first time of day in place of none is no move."""
    return event.starts_at is not None and not event.start_is_placeholder and event.starts_at != document.starts_at


def _events_of(accepted: Mapping[int, RaceDocument], rejected: list[str]) -> Iterator[tuple[int, EventDocument]]:
    for race_id, race in sorted(accepted.items()):
        for event in race.events:
            if problem := _problem(event, event.event_id):
                rejected.append(f"race {race_id}, event {event.event_id}: {problem}.")
            else:
                yield race_id, event
