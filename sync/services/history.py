"""Finding what `manage.py history` was asked for: the holders of a bib, or people by registration or name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo

from races.history import Holding, State, bib_holdings, full_name, states_of
from races.models import Event, Participant, ParticipantChange
from races.registrations import change_sentences, predecessor_of, successor_of
from races.storable import BIGINT
from sync.web.name_search import is_found, search_words

# More than these are not told apart by reading: the answer asks for more of the name.
MOST_PEOPLE = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonHistory:
    """`changes` with their sentences, the newest first; `states` the oldest first."""

    person: Participant
    name: str
    states: tuple[State, ...]
    changes: tuple[tuple[ParticipantChange, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """`holdings`: of a bib; else `people`, whole histories when they are one registration; `more` were left off."""

    holdings: tuple[Holding, ...] = ()
    people: tuple[PersonHistory, ...] = ()
    more: int = 0

    @property
    def is_one(self) -> bool:
        return len({each.person.registration_id for each in self.people}) == 1


def history_find(*, who: str, events: Sequence[Event], zone: tzinfo) -> Found:
    """First as a bib, then as a registration id, then as a name."""
    ids = [event.pk for event in events]
    if holdings := bib_holdings(events=ids, bib=who):
        return Found(holdings=holdings)
    people = Participant.objects.filter(event__in=ids).select_related("event").defer("raw", "answers", "event__raw")
    number = int(who) if who.isascii() and who.isdecimal() and len(who) < 20 else 0
    pks = list(people.filter(registration_id=number).values_list("pk", flat=True)) if number in BIGINT else []
    pks = pks or _named(ids, who)
    in_order = people.filter(pk__in=pks).order_by("last_name", "first_name", "registration_id", "pk")[:MOST_PEOPLE]
    return Found(people=tuple(_history(person, zone=zone) for person in in_order), more=max(0, len(pks) - MOST_PEOPLE))


def _named(events: Sequence[int], who: str) -> list[int]:
    words = search_words(who)
    if not words:
        return []
    names = Participant.objects.filter(event__in=events).values_list("pk", "first_name", "middle_name", "last_name")
    return [pk for pk, *parts in names.iterator() if is_found(words, bib="", names=parts)]


def _history(person: Participant, *, zone: tzinfo) -> PersonHistory:
    changes = list(ParticipantChange.objects.filter(participant=person).order_by("at", "pk"))
    sentences = change_sentences(
        person, changes, successor=successor_of(person), predecessor=predecessor_of(person), zone=zone
    )
    told = list(zip(changes, sentences, strict=True))
    return PersonHistory(
        person=person,
        name=full_name(person) or f"Registration {person.registration_id}",
        states=states_of(person, changes),
        changes=tuple(reversed(told)),
    )
