"""Switching races off and on: their events leave the schedule and come back at once."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db import transaction

from races.models import Event, Race
from sync.services.event_schedule import reschedule


def races_switch(*, race_ids: Collection[int], on: bool, now: datetime) -> set[int]:
    """The races that are switched by this; the others were so already. Only the switch is written: discovery may have
    changed the rest since somebody looked."""
    with transaction.atomic():
        rows = Race.objects.filter(pk__in=race_ids, sync_enabled=not on)
        # Locked in one order: two people may switch the same races.
        switched = set(rows.select_for_update().order_by("pk").values_list("pk", flat=True))
        Race.objects.filter(pk__in=switched).update(sync_enabled=on)
        events = Event.objects.filter(race_id__in=switched).select_related("race").defer("raw", "race__raw")
        reschedule(events=events, now=now)
    return switched
