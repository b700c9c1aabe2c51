"""A registration that turns up in another event under the same id.

The provider gives a new id at a move, so this should not happen; should it, nobody may stand on two start lists.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from races.departures import TRANSFERRED, Departure, departures_write, facts
from races.models import Event, Participant, Race
from races.version_order import is_older


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A participant that is new in its event."""

    event_id: int
    registration_id: int
    modified_at: datetime | None
    bib: str


def moves_close(
    *,
    race: Race,
    arrived: Sequence[Arrival],
    listed: Collection[tuple[int, int]],
    now: datetime,
    runs: Mapping[int, int],
) -> None:
    """Close the active participants of other events under the registration ids that `arrived` just now.

    Not those that the same page lists as well (`listed`: event pk and registration id): then the provider says that
    both are active. Not those that are newer than what arrived. The successor of a closed one is its own id.
    """
    by_id = {row.registration_id: row for row in arrived}
    if not by_id:
        return
    elsewhere = Participant.objects.filter(event__race=race, registration_id__in=list(by_id), removed_at=None)
    names: dict[int, str] = {}
    departures = []
    for old in elsewhere.defer("raw", "answers").select_related("event"):
        new = by_id[old.registration_id]
        if (old.event_id, old.registration_id) in listed:
            continue
        if is_older(new.modified_at, stored=old.modified_at, now=now):
            continue
        names = names or dict(Event.objects.filter(race=race).values_list("pk", "name"))
        departures.append(
            Departure(
                participant_id=old.pk,
                event_id=old.event_id,
                removed_at=now,
                reason=TRANSFERRED,
                successor=old.registration_id,
                changes=facts(
                    old,
                    reason=TRANSFERRED,
                    successor=old.registration_id,
                    arrived=(names[new.event_id], new.bib),
                ),
            )
        )
    departures_write(departures, now=now, runs=runs)
