"""The start list of an event: its people, found by name or bib, a page at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import BooleanField, Case, Count, F, JSONField, OuterRef, QuerySet, Subquery, When, Window
from django.db.models.expressions import RawSQL
from django.db.models.functions import JSONObject

from races.change_words import REMOVED_REASONS
from races.folded_names import FOLDED
from races.history import bib_holdings
from races.models import Event, Participant
from sync.core.tiers import zone_of
from sync.web.name_search import search_words
from sync.web.people_search import NAME
from sync.web.times import Moment, moment

PEOPLE_PER_PAGE = 100
SEARCH_CHARACTERS = 80

# A part of the name or the beginning of the bib, folded by the database: some thousands of people cost it a sixth of
# what they cost Python.
_IS_FOUND = f"(strpos({NAME}, %s) > 0 OR starts_with({FOLDED.format('bib')}, %s))"

# What a start list needs, and nothing else: no address, no mail, no phone, no date of birth.
SHOWN = (
    "registration_id", "bib", "first_name", "middle_name", "last_name", "gender", "age", "city", "state", "team_name",
    "is_anonymous", "removed_at", "removed_reason", "successor_registration_id",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A line of the start list. `pk`: of the page about them. `withdrawn`: when; `reason`: why, in words; both empty
    for who is registered."""

    pk: int
    bib: str
    name: str
    gender: str
    age: str
    place: str
    team: str
    is_anonymous: bool
    withdrawn: Moment | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FormerHolder:
    """Somebody had a bib until then. `ended`: why not any more, in words."""

    pk: int
    bib: str
    name: str
    until: Moment
    ended: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StartList:
    """`search`: what was looked for, cut to what is searched; `page` for the links to the other pages; `former`: who
    had the bib that was looked for and has it no more."""

    people: tuple[Person, ...]
    page: Page[int]
    search: str
    former: tuple[FormerHolder, ...]


def start_list(*, event: Event, everybody: int, search: str, page_number: str | None, now: datetime) -> StartList:
    """`event` with its race; `everybody`: how many people it has, withdrawn ones included."""
    search = search.replace("\x00", "").strip()[:SEARCH_CHARACTERS]
    words = search_words(search)
    in_order = Participant.objects.filter(event=event).order_by("last_name", "first_name", "registration_id")
    shown = in_order.annotate(moved_to=_moved_to(event)).only(*SHOWN)
    rows: Iterable[Any]
    if words:
        page, rows = _found(shown, words, page_number=page_number)
    else:
        page = Paginator(range(everybody), PEOPLE_PER_PAGE).get_page(page_number)
        rows = shown.filter(pk__in=in_order.values("pk")[_on(page)])
    people = tuple(_person(row, event=event, now=now) for row in rows)
    former = _former_holders(search, event=event, now=now) if len(words) == 1 else ()
    return StartList(people=people, page=page, search=search, former=former)


def _found(people: QuerySet[Any], words: Sequence[str], *, page_number: str | None) -> tuple[Page[int], Iterable[Any]]:
    """The page of those who are found, and who is on it. The first page, which most want, comes with the number of all
    of them in one query."""
    for word in words:
        people = people.filter(RawSQL(_IS_FOUND, [word, word], output_field=BooleanField()))  # noqa: S611
    first = list(people.annotate(in_all=Window(Count("pk")))[:PEOPLE_PER_PAGE])
    page = Paginator(range(first[0].in_all if first else 0), PEOPLE_PER_PAGE).get_page(page_number)
    return page, first if page.number == 1 else people[_on(page)]


def _on(page: Page[int]) -> slice:
    return slice((page.number - 1) * PEOPLE_PER_PAGE, page.number * PEOPLE_PER_PAGE)


def _former_holders(search: str, *, event: Event, now: datetime) -> tuple[FormerHolder, ...]:
    zone = zone_of(event.race.timezone)
    found = []
    for holding in bib_holdings(events=[event.pk], bib=search):
        state = holding.state
        if until := moment(state.until, zone=zone, now=now):
            name = state.name or f"Registration {holding.registration_id}"
            found.append(
                FormerHolder(pk=holding.participant_id, bib=state.bib, name=name, until=until, ended=state.ended)
            )
    return tuple(found)


def _moved_to(event: Event) -> Case:
    """Where who was transferred is now, as far as the mirror has the new registration: its event's pk and name. It may
    have passed through several events itself: where it is active counts."""
    successors = Participant.objects.filter(
        event__race=event.race_id, registration_id=OuterRef("successor_registration_id")
    ).order_by(F("removed_at").asc(nulls_first=True))
    where = successors.values(where=JSONObject(event="event_id", name="event__name"))[:1]
    return Case(When(removed_reason="transferred", then=Subquery(where)), default=None, output_field=JSONField())


def _person(row: Any, *, event: Event, now: datetime) -> Person:
    """`row`: a Participant with `moved_to`."""
    names: Sequence[str] = (row.first_name, row.middle_name, row.last_name)
    return Person(
        pk=row.pk,
        bib=row.bib,
        name=" ".join(name for name in names if name) or f"Registration {row.registration_id}",
        gender=row.gender,
        age="" if row.age is None else str(row.age),
        place=", ".join(part for part in (row.city, row.state) if part),
        team=row.team_name,
        is_anonymous=row.is_anonymous,
        withdrawn=moment(row.removed_at, zone=zone_of(event.race.timezone), now=now),
        reason=_reason(row, event=event),
    )


def _reason(row: Any, *, event: Event) -> str:
    if row.moved_to is None:
        return REMOVED_REASONS.get(row.removed_reason, row.removed_reason)
    same = row.moved_to["event"] == event.pk
    return "passed on to another registration" if same else f"moved to {row.moved_to['name']}"
