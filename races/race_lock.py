"""Writers of one race's participants take turns: what is compared must still be there when it is written."""

from __future__ import annotations

from django.db import connection


def race_lock(race_id: int) -> None:
    """Wait for the other writers of this race, until the end of the caller's transaction.

    An advisory lock: it locks no row, so it neither waits for discovery, which updates race rows, nor blocks readers.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended('races.participants of race ' || %s, 0))", [race_id]
        )
