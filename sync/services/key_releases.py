"""A key that was refused works again: its events need not sit out the back-off that the refusal brought them."""

from __future__ import annotations

from datetime import datetime

from sync.models import EventSync


def key_release(*, credential_id: int, now: datetime) -> int:
    """Make the events that failed with this key due at once; returns how many. The plan and the budget spread them."""
    waiting = EventSync.objects.filter(credential_id=credential_id, failures__gt=0, due_at__gt=now)
    return waiting.update(due_at=now, failures=0)
