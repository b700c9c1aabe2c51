"""Finding people over many events: by the beginning of the last name, by bib, by registration id.

There is no trigram index without an extension that a database may not have. So each of the events that are looked in
costs one look at an index that begins with the event: the cost is that of the events, however many people they have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import QuerySet

from races.folded_names import FOLDED
from races.models import Participant, Race
from sync.core.tiers import zone_of
from sync.web.name_search import search_words
from sync.web.times import day_text

# A single letter is the beginning of far too many names.
LEAST_LETTERS = 2
# Nothing sorts behind it: with it a beginning becomes the end of a range.
BEHIND_ALL = "\U0010ffff"
SHOWN = (
    "registration_id", "bib", "first_name", "middle_name", "last_name", "removed_at", "is_anonymous", "event_id",
    "event__name", "event__starts_at", "event__race_id", "event__race__name", "event__race__timezone",
)  # fmt: skip
NAME = FOLDED.format("concat_ws(' ', first_name, middle_name, last_name)")
LAST_NAME = FOLDED.format("last_name")


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonFound:
    """`day`: of the event's start."""

    pk: int
    name: str
    bib: str
    registration_id: int
    event: str
    event_pk: int
    day: str
    race: str
    race_pk: int
    is_withdrawn: bool
    is_anonymous: bool


def people_found(
    search: str, *, number: int | None, event_ids: Sequence[int], races: QuerySet[Race], limit: int, now: datetime
) -> tuple[PersonFound, ...]:
    """At most `limit`. Names and bibs in the events `event_ids`, in their order; `number`, when `search` is one, also
    as a registration id in all of `races`."""
    pks = _by_registration(number, races=races, limit=limit) if number is not None else []
    pks += _by_bib(search, event_ids, limit=limit)
    if number is None:
        pks += _by_name(search_words(search), event_ids, limit=limit)
    pks = list(dict.fromkeys(pks))[:limit]
    rows = Participant.objects.select_related("event__race").only(*SHOWN).in_bulk(pks) if pks else {}
    return tuple(_person(rows[pk], now=now) for pk in pks if pk in rows)


def start_day(starts_at: datetime | None, *, timezone: str, now: datetime) -> str:
    """Race-local."""
    return day_text(starts_at, zone=zone_of(timezone), now=now) if starts_at else "no date"


def _by_registration(number: int, *, races: QuerySet[Race], limit: int) -> list[int]:
    """Index participant_by_registration. A registration that moved is in two events: the one it is in now first."""
    found = Participant.objects.filter(registration_id=number, event__race__in=races)
    return list(found.order_by("-removed_at", "-pk").values_list("pk", flat=True)[:limit])


def _by_bib(search: str, event_ids: Sequence[int], *, limit: int) -> list[int]:
    """Index participant_active_bib. The bib as it was typed, and in capital letters."""
    return _rows(
        """
        SELECT person.id FROM unnest(%s::bigint[]) WITH ORDINALITY AS looked (event_id, place)
        CROSS JOIN LATERAL (
            SELECT id FROM races_participant
            WHERE event_id = looked.event_id AND bib IN (%s, %s) AND removed_at IS NULL LIMIT %s
        ) AS person
        ORDER BY looked.place, person.id LIMIT %s
        """,
        [list(event_ids), search, search.upper(), limit, limit],
    )


def _by_name(words: Sequence[str], event_ids: Sequence[int], *, limit: int) -> list[int]:
    """Index participant_by_folded_name. One of the words begins the last name, the others are anywhere in the name."""
    beginnings = [word for word in dict.fromkeys(words) if len(word) >= LEAST_LETTERS]
    if not beginnings:
        return []
    # A single word that begins the last name is in the name already.
    others = words if len(words) > 1 else []
    contains = "".join(f" AND strpos({NAME}, %s) > 0" for _ in others)
    # Not grouped over all events: in their order the first ones with enough people end the search.
    return _rows(
        f"""
        SELECT person.id FROM unnest(%s::bigint[]) WITH ORDINALITY AS looked (event_id, place)
        CROSS JOIN LATERAL (
            SELECT DISTINCT one.id FROM unnest(%s::text[]) AS beginning (word)
            CROSS JOIN LATERAL (
                SELECT id FROM races_participant
                WHERE event_id = looked.event_id
                    AND ({LAST_NAME}) ~>=~ beginning.word AND ({LAST_NAME}) ~<~ (beginning.word || %s){contains}
                LIMIT %s
            ) AS one
        ) AS person
        ORDER BY looked.place, person.id LIMIT %s
        """,  # noqa: S608
        [list(event_ids), beginnings, BEHIND_ALL, *others, limit, limit],
    )


def _rows(sql: str, params: Sequence[object]) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)  # type: ignore[arg-type]
        return [pk for (pk,) in cursor.fetchall()]


def _person(row: Participant, *, now: datetime) -> PersonFound:
    names = " ".join(name for name in (row.first_name, row.middle_name, row.last_name) if name)
    return PersonFound(
        pk=row.pk,
        name=names or f"Registration {row.registration_id}",
        bib=row.bib,
        registration_id=row.registration_id,
        event=row.event.name,
        event_pk=row.event_id,
        day=start_day(row.event.starts_at, timezone=row.event.race.timezone, now=now),
        race=row.event.race.name,
        race_pk=row.event.race_id,
        is_withdrawn=row.removed_at is not None,
        is_anonymous=row.is_anonymous,
    )
