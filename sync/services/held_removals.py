"""A person's decision about removals that are held, and what it means for the event's state."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from races.held_removals import held_decide
from races.models import HeldRemoval
from sync.models import EventSync
from sync.services.visit_outcomes import HELD


@transaction.atomic
def held_removal_decide(
    *, held_id: int, decision: HeldRemoval.Decision, user: AbstractBaseUser, shown: str, now: datetime
) -> int:
    """Remove the people or keep them; how many that were. Raises CannotDecide and HeldRemoval.DoesNotExist."""
    people = held_decide(held_id=held_id, decision=decision, user=user, shown=shown, now=now)
    event_id = HeldRemoval.objects.values_list("event_id", flat=True).get(pk=held_id)
    row = EventSync.objects.select_for_update().filter(event_id=event_id).first()
    if row is None:
        return people
    if row.hold_reason.endswith(HELD):
        row.hold_reason = ""
    if decision == HeldRemoval.Decision.CONFIRMED and people:
        row.changed_at = now
        # The comparison's result is what it would have been without the guard.
        row.mirror_count = None if row.mirror_count is None else max(0, row.mirror_count - people)
        row.reconcile_removed += people
        row.reconcile_kept = max(0, row.reconcile_kept - people)
    row.save(update_fields=["hold_reason", "changed_at", "mirror_count", "reconcile_removed", "reconcile_kept"])
    return people
