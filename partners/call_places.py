"""The places of the whole installation: at most `CALLS_AT_ONCE` provider calls at once, of all machines and keys.

A place is a row with a number and an end. Nothing counts the running calls, so no two callers wait for the same row,
and a caller that is killed leaves nothing to be cleaned up.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection

from partners.budget import Purpose, installation_places
from partners.models import CallPlace

# A call ends 30 s after its connection stands (the transport's deadline), and finding that may take a while; a killed
# caller's place is free again after this.
PLACE_LASTS = timedelta(seconds=60)
# Calls end all the time: who finds no place looks again soon.
LOOK_AGAIN = 0.5

# The recheck under the lock is PostgreSQL's: a row that somebody else has just taken or locked is passed over. A place
# held for much longer than we ever hold one is left from a clock that was set back; one held by a caller who read the
# clock after us ends a little later than ours and is taken.
CLAIM = """
    UPDATE partners_callplace SET held_until = %(until)s
    WHERE number = (
        SELECT number FROM partners_callplace
        WHERE number <= %(most)s AND (held_until IS NULL OR held_until <= %(now)s OR held_until > %(beyond)s)
        ORDER BY number LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    RETURNING number
"""
# In the order of the numbers, so that two who make them at once wait for each other and never in a circle.
MAKE_MISSING = """
    INSERT INTO partners_callplace (number)
    SELECT number FROM generate_series(1, %(all)s) AS number
    WHERE NOT EXISTS (SELECT FROM partners_callplace place WHERE place.number = number.number)
    ORDER BY number
    ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldPlace:
    """`until` is also the proof that it is still ours: whoever takes the place after us holds it until later."""

    number: int
    until: datetime


def place_claim(*, purpose: Purpose, now: datetime) -> HeldPlace | None:
    """The lowest free place that this purpose may have, None when all are held. `now` is the database's time.

    In the caller's transaction, which has decided by then that the call may be made: a place waits for nobody.
    """
    limit = settings.CALLS_AT_ONCE
    until = now + PLACE_LASTS
    values: dict[str, datetime | int] = {
        "now": now,
        "until": until,
        "beyond": until + PLACE_LASTS,
        "most": installation_places(limit, purpose=purpose),
        "all": limit,
    }
    with connection.cursor() as cursor:
        cursor.execute(CLAIM, values)
        found = cursor.fetchone()
        if found is None:
            # Makes some at the first call after the start or after the setting was raised. Looked for again even if it
            # made none: somebody else may have made them in between.
            cursor.execute(MAKE_MISSING, values)
            cursor.execute(CLAIM, values)
            found = cursor.fetchone()
    return HeldPlace(number=found[0], until=until) if found else None


def place_release(place: HeldPlace) -> None:
    """Give it back, unless it ended and is somebody else's by now."""
    CallPlace.objects.filter(number=place.number, held_until=place.until).update(held_until=None)


def no_place_reason(*, purpose: Purpose) -> str:
    """Why there was none, for people."""
    limit = settings.CALLS_AT_ONCE
    most = installation_places(limit, purpose=purpose)
    if most == limit:
        return "the only call of this installation is running" if limit == 1 else f"all {_running(limit)}"
    return f"{_running(most)}, the rest are kept for the races of today"


def _running(calls: int) -> str:
    return "1 call of this installation is running" if calls == 1 else f"{calls} calls of this installation are running"
