"""The way of one person from one registration to the next, and the changes of a registration as sentences."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo

from django.db.models import QuerySet

from races.change_words import Move, change_text
from races.history import states_of
from races.models import Participant, ParticipantChange

_NEEDED = (
    "registration_id", "event__name", "first_name", "middle_name", "last_name", "bib", "removed_at", "removed_reason",
    "successor_registration_id",
)  # fmt: skip


def successor_of(person: Participant) -> Participant | None:
    """The registration that a transfer made, when the mirror has it. `person` with its event."""
    if person.successor_registration_id is None:
        return None
    found = _of_same_race(person).filter(registration_id=person.successor_registration_id)
    # The active one, when the registration passed through several events.
    return found.filter(removed_at=None).first() or found.order_by("-removed_at").first()


def predecessor_of(person: Participant) -> Participant | None:
    """The registration that was transferred to this one."""
    found = _of_same_race(person).filter(successor_registration_id=person.registration_id, removed_reason="transferred")
    return found.order_by("-removed_at").first()


def _of_same_race(person: Participant) -> QuerySet[Participant]:
    others = Participant.objects.filter(event__race=person.event.race_id).exclude(pk=person.pk)
    return others.select_related("event").only(*_NEEDED)


def change_sentences(
    person: Participant,
    changes: Sequence[ParticipantChange],
    *,
    successor: Participant | None,
    predecessor: Participant | None,
    zone: tzinfo,
) -> list[str]:
    """One per change, in their order; a transfer and an arrival read as one person moving."""
    moves = _moves(person, successor=successor, predecessor=predecessor)
    return [
        change_text(change, zone=zone, move=moves.get(change.kind) if _asks_for_move(change) else None)
        for change in changes
    ]


def _asks_for_move(change: ParticipantChange) -> bool:
    """A transfer whose note names the event says it better: as it was then."""
    return change.kind == "added" or (change.kind == "transferred" and "event" not in change.changes)


def _moves(person: Participant, *, successor: Participant | None, predecessor: Participant | None) -> dict[str, Move]:
    moves = {}
    if predecessor is not None:
        moves["added"] = Move(
            from_event=predecessor.event.name,
            to_event=person.event.name,
            old_bib=predecessor.bib,
            new_bib=_first_bib(person),
        )
    if successor is not None:
        # Which bib it got at first is told in its own history.
        moves["transferred"] = Move(
            from_event=person.event.name, to_event=successor.event.name, old_bib=None, new_bib=None
        )
    return moves


def _first_bib(person: Participant) -> str:
    """With which bib the registration began: the present one, unless it changed since."""
    of_bibs = ParticipantChange.objects.filter(participant=person, changes__has_key="bib").order_by("at", "pk")
    return states_of(person, list(of_bibs))[0].bib
