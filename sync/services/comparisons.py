"""What the last full comparison of an event found, for the pages and commands that say it."""

from __future__ import annotations

from sync.core.reconcile_words import Comparison
from sync.models import EventSync
from sync.services.visit_outcomes import HELD, active_counts


def is_held(row: EventSync | None) -> bool:
    """Whether a person has to decide about people who are missing from the provider's list."""
    return row is not None and row.hold_reason.endswith(HELD)


def comparison_of(row: EventSync | None, *, active: int | None = None) -> Comparison | None:
    """None for an event that was not compared in full since we count. `active`: how many people the mirror lists, when
    they were counted anyway."""
    if row is None or row.reconciled_at is None or row.listed_count is None or row.mirror_count is None:
        return None
    return Comparison(
        listed=row.listed_count,
        mirror=row.mirror_count,
        removed=row.reconcile_removed,
        rejected=row.reconcile_rejected,
        kept=row.reconcile_kept,
        waits=is_held(row),
        checked_at=row.reconciled_at,
        now=active_counts([row.event_id])[row.event_id] if active is None else active,
    )
