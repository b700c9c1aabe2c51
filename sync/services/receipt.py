"""The receipt of one event: from its rows once they are final, until then from its runs as well. Writes nothing."""

from __future__ import annotations

from datetime import datetime

from races.models import Event
from sync.core.policy import Policy
from sync.core.receipt import Receipt, receipt_of
from sync.services.event_days import last_hours, reckoned_days, stored_days


def event_receipt(*, event: Event, now: datetime, policy: Policy) -> Receipt | None:
    """`event` with its race. None before its last hours, and of an event of which nothing is recorded."""
    found = last_hours([event], now=now, policy=policy)
    if not found:
        return None
    (hours,) = found
    if hours.is_final:
        days = stored_days(hours, policy=policy)
        as_of = max(row.rolled_up_at for row in hours.rows.values())
    else:
        days, as_of = reckoned_days(found, now=now, policy=policy)[event.pk], now
    return receipt_of(hours.window, days, as_of=as_of, policy=policy) if days else None
