"""What each key of a partner called in the last day, in steps of ten minutes."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from sync.web.cycle_chart import STEP, chart_begins
from sync.web.usage_chart import HOUR, UsageStep


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUsage:
    """`last_hour`: calls of the 60 minutes until now."""

    last_hour: int = 0
    steps: tuple[UsageStep, ...] = ()


def keys_usage(*, partner_id: int, now: datetime) -> dict[int, KeyUsage]:
    """By credential; keys without a call are left out.

    A day is 1,440 rows a key: the database makes 144 of them. The rolling hour is reckoned by the minute, as the limit
    is: between the ends of ten minutes it may be higher than at either.
    """
    begins = chart_begins(now=now)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT credential_id, floor(extract(epoch FROM minute - %s) / %s)::int AS place, sum(calls),
                sum(throttled), max(most), coalesce(sum(calls) FILTER (WHERE minute > %s), 0)
            FROM (
                SELECT used.credential_id, minute, calls, throttled, sum(calls) OVER (
                    PARTITION BY used.credential_id ORDER BY minute
                    RANGE BETWEEN INTERVAL '59 minutes' PRECEDING AND CURRENT ROW
                ) AS most
                FROM partners_apiusage used JOIN partners_credential key ON key.id = used.credential_id
                WHERE key.partner_id = %s AND minute >= %s AND minute <= %s
            ) AS minutes
            GROUP BY 1, 2 ORDER BY 1, 2
            """,
            [begins, STEP.total_seconds(), now - HOUR, partner_id, begins - HOUR, now],
        )
        rows = cursor.fetchall()
    steps: dict[int, list[UsageStep]] = defaultdict(list)
    last_hour: dict[int, int] = defaultdict(int)
    for key, place, calls, throttled, most, recent in rows:
        steps[key].append(UsageStep(place=place, calls=int(calls), throttled=int(throttled), most=int(most)))
        last_hour[key] += int(recent)
    return {key: KeyUsage(last_hour=last_hour[key], steps=tuple(found)) for key, found in steps.items()}
