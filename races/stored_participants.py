"""What the mirror has of a page's participants. Plain SQL: the ORM spends more on 1,000 ids than the server does."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from struct import Struct
from typing import Any

import msgspec
from django.db import connection
from psycopg import sql

from races.models import Race
from races.participant_columns import CONTENT, HASH_BYTES
from races.storable import BIGINT

Key = tuple[int, int]
"""An event's pk and a registration id."""
Stored = dict[str, Any]
"""A stored participant: its columns of CONTENT, and what says which version it is."""

_COMPARED = (
    "id", "event_id", "registration_id", "modified_at", "content_hash", "removed_at", "removed_reason", *CONTENT,
)  # fmt: skip
# The hashes of an event are one value: as rows they cost the server and psycopg three times as much. A range of the
# index is read in a third of the time of as many single look-ups.
_EVENTS_AND_HASHES = """
    SELECT event.provider_event_id, event.id, CASE WHEN event.provider_event_id = ANY(%s::bigint[]) THEN (
        SELECT string_agg(raw_hash, ''::bytea) FROM races_participant
        WHERE event_id = event.id AND registration_id {among}
    ) END
    FROM races_event event WHERE event.race_id = %s ORDER BY event.id
""".strip()
_LISTED = _EVENTS_AND_HASHES.format(among="= ANY(%s::bigint[])")
_BETWEEN = _EVENTS_AND_HASHES.format(among="BETWEEN %s AND %s")
_HASHES = Struct(f"{HASH_BYTES}s")
# So many listed are most likely a piece of the whole list, and its range of ids holds few others.
_A_PIECE = 500
_STORED = (
    sql.SQL(
        "SELECT {} FROM races_participant WHERE event_id = ANY(%s::bigint[]) AND registration_id = ANY(%s::bigint[])"
    )
    .format(sql.SQL(", ").join(map(sql.Identifier, _COMPARED)))
    .as_string()
)


def events_and_hashes(
    race: Race, *, listed: Collection[int], registrations: Collection[int]
) -> tuple[dict[int, int], set[bytes]]:
    """The race's events, Event.pk by the provider's id, the oldest first; and of the `listed` ones the hashes of the
    stored bytes of these registrations, perhaps of others too. Read from the unique index alone; takes no lock.

    Who is removed has an empty hash there, so that one who comes back is looked at without asking for it here. So has
    everybody of a blanked event.
    """
    asked = [number for number in listed if number in BIGINT]
    with connection.cursor() as cursor:
        if len(registrations) < _A_PIECE:
            numbers = _array(number for number in registrations if number in BIGINT)
            cursor.execute(_LISTED, [_array(asked), numbers, race.pk])
        else:
            least, most = max(min(registrations), BIGINT[0]), min(max(registrations), BIGINT[-1])
            cursor.execute(_BETWEEN, [_array(asked), least, most, race.pk])
        rows = cursor.fetchall()
    hashes = {part for *_ids, found in rows if found for (part,) in _HASHES.iter_unpack(found)}
    return {provider_id: pk for provider_id, pk, _found in rows}, hashes


def blanked_among(events: Collection[int]) -> frozenset[int]:
    """The events of which no contact data is kept. Ask under the race's lock: `prune` may have been at it just now."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM races_event WHERE id = ANY(%s::bigint[]) AND blanked_at IS NOT NULL", [_array(events)]
        )
        return frozenset(row[0] for row in cursor)


def stored_participants(*, events: Collection[int], registrations: Collection[int]) -> dict[Key, Stored]:
    """All that these events have under these ids, also who is removed."""
    with connection.cursor() as cursor:
        cursor.execute(_STORED, [_array(events), _array(registrations)])
        rows = [dict(zip(_COMPARED, row, strict=True)) for row in cursor]
    for row in rows:
        row["answers"] = msgspec.json.decode(row["answers"])
    return {(row["event_id"], row["registration_id"]): row for row in rows}


def _array(numbers: Iterable[int]) -> str:
    """As text: psycopg would look at every number by itself."""
    return f"{{{','.join(map(str, numbers))}}}"
