"""Writing that participants left an event: state, time, reason and successor, with the change noted. No DELETE."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from races.models import Participant, ParticipantChange
from races.participant_columns import plain
from races.version_order import MISSING

TRANSFERRED = "transferred"


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """One participant that left. Without `changes` nothing is noted: then only the time is corrected."""

    participant_id: int
    event_id: int
    removed_at: datetime
    reason: str
    successor: int | None
    changes: dict[str, list[object]]


def facts(
    participant: Participant,
    *,
    reason: str,
    successor: int | None,
    arrived: tuple[str, str] | None,
    removed_at: datetime | None = None,
) -> dict[str, list[object]]:
    """What a reader is told. `arrived`: the new event's name and the bib there, once the successor is in the mirror.

    {"bib": ["1207", ""]} says that the bib did not come along. `removed_at`: the provider's time, where it gave one; it
    may be long before the change is noted. A change of the time alone is none.
    """
    noted: dict[str, list[object]] = {}
    if reason != participant.removed_reason:
        noted["removed_reason"] = [participant.removed_reason, reason]
    if successor != participant.successor_registration_id:
        noted["successor_registration_id"] = [participant.successor_registration_id, successor]
    if noted and removed_at:
        noted["removed_at"] = [plain(participant.removed_at), plain(removed_at)]
    if noted and arrived:
        event, bib = arrived
        noted["event"] = [participant.event.name, event]
        if participant.bib or bib:
            noted["bib"] = [participant.bib, bib]
    return noted


def missing_write(participants: Iterable[Participant], *, event_id: int, now: datetime, run: int | None) -> None:
    """These participants of the event left without a word from the provider: they are no longer in its list."""
    departures_write(
        [
            Departure(
                participant_id=participant.pk,
                event_id=event_id,
                removed_at=now,
                reason=MISSING,
                successor=None,
                changes=facts(participant, reason=MISSING, successor=None, arrived=None),
            )
            for participant in participants
        ],
        now=now,
        runs={} if run is None else {event_id: run},
    )


def departures_write(departures: Sequence[Departure], *, now: datetime, runs: Mapping[int, int]) -> None:
    """Two statements, whatever their number. The empty hash makes ingest look at whoever is listed again."""
    if not departures:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE races_participant AS participant
            SET removed_at = gone.removed_at, removed_reason = gone.reason,
                successor_registration_id = gone.successor, raw_hash = ''
            FROM unnest(%s::bigint[], %s::timestamptz[], %s::text[], %s::bigint[])
                AS gone (id, removed_at, reason, successor)
            WHERE participant.id = gone.id
            """,
            [
                [departure.participant_id for departure in departures],
                [departure.removed_at for departure in departures],
                [departure.reason for departure in departures],
                [departure.successor for departure in departures],
            ],
        )
    ParticipantChange.objects.bulk_create(
        [
            ParticipantChange(
                participant_id=departure.participant_id,
                event_id=departure.event_id,
                kind=_kind(departure.reason),
                changes=departure.changes,
                at=now,
                sync_run_id=runs.get(departure.event_id),
            )
            for departure in departures
            if departure.changes
        ],
        batch_size=1000,
    )


def _kind(reason: str) -> str:
    kinds = ParticipantChange.Kind
    return kinds.TRANSFERRED if reason == TRANSFERRED else kinds.REMOVED
