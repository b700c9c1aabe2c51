"""What the mirror has of a page's participants. Plain SQL: the ORM spends more on 1,000 ids than the server does."""

from __future__ import annotations

from collections.abc import Collection, Iterable
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
# One value instead of a row for each: the server and psycopg take a third of the time. A range of the index is read in
# a third of the time of as many single look-ups.
_KNOWN_HASHES = (
    "SELECT string_agg(raw_hash, ''::bytea) FROM races_participant"
    " WHERE event_id = ANY(%s::bigint[]) AND registration_id = ANY(%s::bigint[])"
)
_KNOWN_HASHES_BETWEEN = (
    "SELECT string_agg(raw_hash, ''::bytea) FROM races_participant"
    " WHERE event_id = ANY(%s::bigint[]) AND registration_id BETWEEN %s AND %s"
)
# So many listed are most likely a piece of the whole list, and its range of ids holds few others.
_A_PIECE = 500
_STORED = (
    sql.SQL(
        "SELECT {} FROM races_participant WHERE event_id = ANY(%s::bigint[]) AND registration_id = ANY(%s::bigint[])"
    )
    .format(sql.SQL(", ").join(map(sql.Identifier, _COMPARED)))
    .as_string()
)


def events_of(race: Race) -> dict[int, int]:
    """Event.pk by the provider's id, the oldest first."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT provider_event_id, id FROM races_event WHERE race_id = %s ORDER BY id", [race.pk])
        return dict(cursor.fetchall())


def blanked_among(events: Collection[int]) -> frozenset[int]:
    """The events of which no contact data is kept. Ask under the race's lock: `prune` may have been at it just now."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM races_event WHERE id = ANY(%s::bigint[]) AND blanked_at IS NOT NULL", [_array(events)]
        )
        return frozenset(row[0] for row in cursor)


def known_hashes(*, events: Collection[int], registrations: Collection[int]) -> set[bytes]:
    """The hashes of the stored bytes, of the active; perhaps of others of these events too. Read from the unique index
    alone; takes no lock.

    Who is removed has an empty one there, so that one who comes back is looked at without asking for it here. So has
    everybody of a blanked event.
    """
    if not events or not registrations:
        return set()
    with connection.cursor() as cursor:
        if len(registrations) < _A_PIECE:
            asked = [number for number in registrations if number in BIGINT]
            cursor.execute(_KNOWN_HASHES, [_array(events), _array(asked)])
        else:
            least, most = max(min(registrations), BIGINT[0]), min(max(registrations), BIGINT[-1])
            cursor.execute(_KNOWN_HASHES_BETWEEN, [_array(events), least, most])
        (hashes,) = cursor.fetchone()
    return {hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)} if hashes else set()


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
