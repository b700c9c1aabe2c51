"""Taking a start list away: made once from the mirror, remembered, and given out from what was remembered.

So the file is the same at each download, and a slow download holds no row, no cursor and no connection.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import CharField, DecimalField, Expression, F, Func, QuerySet
from django.db.models.functions import Lower
from django.utils.text import slugify

from races.export_cells import Heading, ListedEvent, Row, SnapshotWriter, csv_lines, json_lines, snapshot_rows, stamp
from races.models import Event, Participant, Race, StartListExport

ROWS_AT_ONCE = 1_000
_FIELDS = (
    "pk", "event_id", "bib", "chip", "first_name", "last_name", "gender", "age", "team_name", "city", "state",
    "country_code", "registration_id", "is_anonymous",
)  # fmt: skip
LONGEST_NAME = 60


class NotExportable(Exception):
    """There is no list to export; the text says why, to be shown to the user."""


def export_make(
    *,
    race: Race,
    event: Event | None,
    heading: Heading,
    format: str,  # noqa: A002
    made_by: AbstractBaseUser,
) -> StartListExport:
    """Remember the list of `event`, or of all events of `heading`, as the mirror has it now.

    `heading` was read before this: what is newer than its "as of" may be in the rows, nothing older is missing. Raises
    NotExportable when one of its events was never loaded: the file would look whole and lack people.
    """
    if not heading.events:
        raise NotExportable("There is no event to export.")
    if missing := [f"“{listed.name}”" for listed in heading.events if listed.as_of is None]:
        names = ", ".join(missing)
        alone = "" if event or len(missing) == len(heading.events) else " The other events can be exported one by one."
        raise NotExportable(f"The start list of {names} was not loaded yet, so there is nothing to export.{alone}")
    snapshot = SnapshotWriter()
    with transaction.atomic():
        for pk, row in active_rows(heading.events):
            snapshot.add(pk, row)
        return StartListExport.objects.create(
            race=race,
            event=event,
            made_at=heading.made_at,
            made_by_id=made_by.pk,
            format=format,
            as_of=heading.as_of,
            rows=snapshot.rows,
            heading=msgspec.to_builtins(heading),
            snapshot=snapshot.packed(),
        )


def active_rows(events: Sequence[ListedEvent]) -> Iterator[tuple[int, Row]]:
    """The pks and rows of the active participants by event, bib (2 before 10, no bib last) and name; in a transaction
    read with a cursor of the server's."""
    people = in_start_order(Participant.objects.filter(event__in=[listed.pk for listed in events], removed_at=None))
    return rows_of(people, events=events)


def rows_of(people: QuerySet[Participant], *, events: Sequence[ListedEvent]) -> Iterator[tuple[int, Row]]:
    """The pks and rows of `people`, who are in `events`; an event is called what `events` say."""
    listed = {event.pk: event for event in events}
    for pk, event_pk, *values in people.values_list(*_FIELDS).iterator(chunk_size=ROWS_AT_ONCE):
        yield pk, _row(values, listed[event_pk])


def _row(values: list[Any], event: ListedEvent) -> Row:
    bib, chip, first, last, gender, age, team, city, state, country, registration, anonymous = values
    return [
        bib, chip, first, last, gender, age, team, event.name, city, state, country, registration, event.id, anonymous,
    ]  # fmt: skip


def in_start_order(people: QuerySet[Participant]) -> QuerySet[Participant]:
    return people.order_by(
        F("event__starts_at").asc(nulls_last=True),
        "event__name",
        "event_id",
        Func(F("bib"), template="(%(expressions)s = '')"),
        *_bib_in_parts(),
        "bib",
        Lower("last_name"),
        Lower("first_name"),
        "registration_id",
    )


def _bib_in_parts() -> tuple[Expression, Expression]:
    """What stands before the first digit, and the number there: A2 before A10."""
    before = Func(
        F("bib"), template=r"lower(regexp_replace(%(expressions)s, '[0-9].*$', ''))", output_field=CharField()
    )
    number = Func(F("bib"), template="substring(%(expressions)s from '[0-9]+')::numeric", output_field=DecimalField())
    return before, number


def heading_of(export: StartListExport) -> Heading:
    return msgspec.convert(export.heading, Heading)


def export_document(export: StartListExport) -> Iterator[bytes]:
    """The file, piece by piece, always the same."""
    rows = (row for _pk, row in snapshot_rows(bytes(export.snapshot)))
    lines = csv_lines if export.format == StartListExport.Format.CSV else json_lines
    return lines(heading_of(export), rows)


def export_filename(export: StartListExport, *, at: datetime | None, what: str = "start-list", ending: str = "") -> str:
    """ "harbor-lights-5k-start-list-2026-06-06-051240-edt.csv"; `at` is the "as of"."""
    heading = heading_of(export)
    names = [heading.race, heading.events[0].name if export.event_id else ""]
    slug = "-".join(part[:LONGEST_NAME].strip("-") for part in map(slugify, names) if part) or "race"
    as_of = slugify(stamp(at, zone=heading.zone).replace(":", ""))
    return f"{slug}-{what}-{as_of}.{ending or export.format}"
