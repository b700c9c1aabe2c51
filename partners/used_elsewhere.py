"""Another program seems to use a key: what staff read about it, in the same words everywhere."""

from __future__ import annotations

from datetime import datetime, timedelta

from partners.budget import used_elsewhere
from partners.models import CallBudget

# What the other program spent is out of the provider's hour by then; if it goes on, we are throttled again.
SHOWN_FOR = timedelta(hours=1)
ADVICE = (
    "Ask the partner which other program has this key, or give Project88 a key of its own; or lower the key's hourly "
    "limit in the admin."
)


def elsewhere_text(row: CallBudget | None, *, limit: int, now: datetime) -> str:
    """What was seen and what to do, "" when nothing was within the hour, or when a limit lowered since explains it."""
    if row is None or row.used_elsewhere_at is None or abs(now - row.used_elsewhere_at) >= SHOWN_FOR:
        return ""
    if not used_elsewhere(limit=limit, calls=row.used_elsewhere_calls):
        return ""
    return (
        "Another program seems to use this key: RunSignUp asked it to slow down after "
        f"{row.used_elsewhere_calls:,} of its {limit:,} calls an hour. {ADVICE}"
    )
