"""The start list of an event: its people, found by name or bib, a page at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.core.paginator import Page, Paginator

from races.change_words import REMOVED_REASONS
from races.history import bib_holdings
from races.models import Event, Participant
from sync.core.tiers import zone_of
from sync.web.name_search import is_found, search_words
from sync.web.times import Moment, moment

PEOPLE_PER_PAGE = 100
SEARCH_CHARACTERS = 80

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


def start_list(*, event: Event, search: str, page_number: str | None, now: datetime) -> StartList:
    """`event` with its race. The search folds names in Python: an event has some thousands of people, and the database
    has no folding of its own without an extension."""
    search = search.replace("\x00", "").strip()[:SEARCH_CHARACTERS]
    words = search_words(search)
    in_order = Participant.objects.filter(event=event).order_by("last_name", "first_name", "registration_id")
    if words:
        names = in_order.values_list("pk", "bib", "first_name", "middle_name", "last_name")
        found = [pk for pk, bib, *parts in names if is_found(words, bib=bib, names=parts)]
        page = Paginator(found, PEOPLE_PER_PAGE).get_page(page_number)
    else:
        page = Paginator(in_order.values_list("pk", flat=True), PEOPLE_PER_PAGE).get_page(page_number)
    rows = list(in_order.filter(pk__in=list(page.object_list)).only(*SHOWN))
    moved_to = _moved_to(rows, event=event)
    people = tuple(_person(row, event=event, moved_to=moved_to, now=now) for row in rows)
    former = _former_holders(search, event=event, now=now) if len(words) == 1 else ()
    return StartList(people=people, page=page, search=search, former=former)


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


def _moved_to(rows: Sequence[Participant], *, event: Event) -> dict[int, str]:
    """Per registration that was transferred: the words for where to, as far as the mirror has the new one."""
    successors = [row.successor_registration_id or 0 for row in rows if row.removed_reason == "transferred"]
    found = Participant.objects.filter(event__race=event.race_id, registration_id__in=successors)
    events: dict[int, tuple[int, str]] = {}
    # The active one last: a registration may have passed through several events.
    for registration, pk, name, removed in found.values_list(
        "registration_id", "event_id", "event__name", "removed_at"
    ):
        if removed is None or registration not in events:
            events[registration] = (pk, name)
    words = {}
    for row in rows:
        where = events.get(row.successor_registration_id or 0)
        if where is not None:
            words[row.pk] = "passed on to another registration" if where[0] == event.pk else f"moved to {where[1]}"
    return words


def _person(row: Participant, *, event: Event, moved_to: dict[int, str], now: datetime) -> Person:
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
        reason=moved_to.get(row.pk, REMOVED_REASONS.get(row.removed_reason, row.removed_reason)),
    )
